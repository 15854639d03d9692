"""From a config to what batches hold: counts, steps, and fields that do not go together."""

from typing import NamedTuple

import numpy as np
import pytest
from drawn_examples import Blobs

from mer_jax import training
from mer_jax.errors import ConfigError
from mer_jax.experiment import examples, recipes, settings, trainer

CLIPS, EPOCHS = 20, 3
IMAGES = {"image": np.zeros((CLIPS, 12, 12, 3), np.float32)}


class Labelled(NamedTuple):
  """What a recipe needs to know of a split."""

  labels: np.ndarray
  class_names: tuple[str, ...] = ("a", "b", "c")


def config_of(**fields):
  config = settings.default()
  config.input.name = "flow"
  config.input.normalise = "relative"
  config.model.name = "ststnet"
  config.training.batch_size = 8
  config.training.epochs = EPOCHS
  config.optimizer.schedule = "cosine"
  config.update_from_flattened_dict({k.replace("__", "."): v for k, v in fields.items()})
  return config


def recipe_of(config, arrays=None, clips=CLIPS):
  settings.check(config)
  model = trainer.build_model(config, 3)
  return recipes.build(config, Labelled(np.zeros(clips, int)), arrays or IMAGES, model)


@pytest.fixture
def drawing(monkeypatch):
  """Examples of any class are drawn."""
  monkeypatch.setattr(recipes.drawn_source, "of", lambda *_: Blobs())


@pytest.mark.parametrize(
  ("share", "clips", "size", "drawn", "steps"),
  [
    (0.0, CLIPS, 8, 0, 3),
    (0.5, CLIPS, 8, 4, 5),
    (0.25, CLIPS, 8, 2, 4),
    (0.5, 3, 7, 4, 1),  # fewer clips than there would be in a batch
    (1.0, CLIPS, 8, 8, 50),
    (1.0, 0, 8, 8, 50),
  ],
)
def test_the_rate_falls_over_the_steps_that_a_training_has(
  drawing, share, clips, size, drawn, steps
):
  recipe = recipe_of(
    config_of(
      drawn__share=share,
      drawn__epoch_steps=50,
      training__average="swa",
      training__average_from=0.5,
    ),
    clips=clips,
  )
  assert (recipe.batch_size, recipe.drawn) == (size, drawn)
  assert recipe.steps_per_epoch(clips) == steps
  assert recipe.optimizer.schedule.steps == steps * EPOCHS
  assert recipe.average == training.Average("swa", first_step=steps * EPOCHS // 2)


def test_fields_reach_the_recipe():
  recipe = recipe_of(
    config_of(
      augment__mirror=0.5,
      augment__rotate=10.0,
      training__average="ema",
      training__average_decay=0.9,
      training__label_smoothing=0.1,
      training__mirror_at_test=True,
    )
  )
  assert recipe.augment == training.Augment(mirror=0.5, rotate=10.0)
  assert recipe.average == training.Average("ema", decay=0.9)
  assert recipe.target.smoothing == 0.1
  assert recipe.mirror_at_test


def test_by_default_nothing_of_it_is_on():
  recipe = recipe_of(config_of())
  plain = training.Recipe(recipe.model, recipe.optimizer, recipe.target, 8)
  assert recipe == plain


@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({"drawn__share": 1.5}, r"drawn.share is 1.5; it must lie in 0..1"),
    ({"drawn__share": 0.5, "training__schedule": "balanced"}, r"Use schedule=shared"),
    ({"drawn__share": 0.01}, r"which is 0 of config.training.batch_size=8"),
    ({"drawn__epoch_steps": 0}, r"epoch_steps is 0; it must be >= 1"),
    ({"augment__mirror": 1.5}, r"augment.mirror is 1.5; it must lie in 0..1"),
    ({"augment__noise": -1.0}, r"augment.noise is -1.0; it must be >= 0"),
    ({"training__label_smoothing": 1.0}, r"must be at least 0 and below 1"),
    ({"training__average": "mean"}, r"config.training.average 'mean'.*swa"),
    ({"training__action_unit_loss": 0.5}, r"Draw some \(config.drawn.share\)"),
    (
      {"augment__mirror": 0.5, "input__normalise": "none"},
      r"augment.mirror is for .*normalise is 'none'. Use --config.input.normalise=relative",
    ),
    (
      {"training__mirror_at_test": True, "input__normalise": "none"},
      r"mirror_at_test is for inputs in which 0 is no motion",
    ),
  ],
)
def test_fields_that_do_not_go_together_are_named(fields, message):
  with pytest.raises(ConfigError, match=message):
    settings.check(config_of(**fields))


@pytest.mark.parametrize(
  "arrays",
  [{"image": np.zeros((2, 8, 8, 1), np.float32)}, {**IMAGES, "motion": np.zeros((CLIPS, 4, 6))}],
)
def test_inputs_that_are_no_flow_maps_are_not_augmented(arrays):
  with pytest.raises(ConfigError, match=r"channels are u, v and strain, but .* 'flow' gives image"):
    examples.augment(config_of(augment__mirror=0.5), arrays)
  assert examples.augment(config_of(), arrays) == training.Augment()


class Plain(NamedTuple):
  """A target of one's own, without smoothing."""

  num_classes: int
  balance: str = "none"


def test_a_target_without_smoothing_goes_on_working_without(monkeypatch):
  monkeypatch.setattr(recipes.targets, "TARGETS", {"plain": Plain})
  assert recipe_of(config_of(training__target="plain")).target == Plain(3)
  with pytest.raises(ConfigError, match="'plain' takes no argument smoothing"):
    recipe_of(config_of(training__target="plain", training__label_smoothing=0.1))
