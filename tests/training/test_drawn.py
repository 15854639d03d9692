"""Batches that are drawn, augmented or mixed: who learns from them, and that nothing is random."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from drawn_examples import Blobs
from non_interference import check_noise, leaves
from problems import problem, program, recipe_of

from mer_jax import training
from mer_jax.errors import ConfigError
from mer_jax.models import layers
from mer_jax.targets import SingleClass
from mer_jax.training import Augment, Average, auxiliary, batch, fold, optimizers
from mer_jax.training.recipe import Data, Fold

DRAWN = {"source": Blobs(), "drawn": 2}
MOVED = Augment(mirror=0.5, shift=0.1, scale=0.1, rotate=20.0, noise=0.1, cut_out=0.2)
MIXED = Augment(shift=0.1, scale=0.1, mixup=0.4)
OPTIONS: dict[str, dict[str, Any]] = {
  "moved": {"augment": MOVED},
  "mixed": {"augment": MIXED},
  "mixed_per_fold": {"augment": MIXED, "schedule": "per_fold"},
  "everything": {**DRAWN, "augment": MOVED._replace(mixup=0.4), "average": Average("ema", 0.9)},
  "swa": {"average": Average("swa", first_step=5)},
}
ALL_DRAWN = {"source": Blobs(), "drawn": 4, "epoch_steps": 3}


@pytest.mark.parametrize("name", OPTIONS)
def test_noise_in_place_of_the_held_out_subject_changes_no_bit_of_its_fold(name):
  check_noise("ststnet", seeds=(0,), **OPTIONS[name])


def without_clips(folds=("a", "b", "c"), seeds=(0, 1), recipe=None, **options):
  """A program in which no clip takes part."""
  recipe = recipe or recipe_of("ststnet", {}, **{**ALL_DRAWN, **options})
  return training.build(
    recipe,
    training.arrange(len(folds), 3, 1),
    seeds,
    training.Folds(folds, np.zeros((len(folds), 0), bool)),
    {"image": np.zeros((0, 12, 12, 3), np.float32)},
    np.zeros(0, np.int32),
    {"learning_rate": [0.05], "momentum": [0.9]},
  )


def run(loso, folder, epochs, folds):
  history = training.History([folder / "history.jsonl"], (0, 1), folds)
  with training.Checkpoints(folder / "checkpoints", keep=2) as checkpoints:
    return jax.device_get(training.train(loso, training.Plan(epochs), checkpoints, history))


@pytest.mark.parametrize("clips", ["with_clips", "without_clips"])
def test_stopped_and_resumed_is_uninterrupted_bit_by_bit(clips, tmp_path):
  given, options = problem("image"), OPTIONS["everything"]

  def fresh():
    return program("ststnet", given, **options) if clips == "with_clips" else without_clips()

  names = given.names if clips == "with_clips" else ("a", "b", "c")
  unbroken = run(fresh(), tmp_path / "unbroken", 4, names)
  run(fresh(), tmp_path / "stopped", 2, names)
  resumed = run(fresh(), tmp_path / "stopped", 4, names)
  for a, b in zip(jax.tree.leaves(unbroken), jax.tree.leaves(resumed), strict=True):
    np.testing.assert_array_equal(a, b)


def test_a_fold_sees_the_same_draws_whatever_folds_are_beside_it():
  among, alone = without_clips(), without_clips(("b",))
  states = [jax.device_get(each.train(each.init(), 0, 5)[0]) for each in (among, alone)]
  for a, b in zip(leaves(states[0], 1), leaves(states[1], 0), strict=True):
    np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-4)
  assert among.predict(among.init()).shape == (2, 3, 0, 3)
  assert among.steps_per_epoch == 3


def test_examples_without_a_clip_are_learnt():
  loso = without_clips(("a",), (0,))
  state, sums = loso.train(loso.init(), 0, 150)
  assert sums.steps[0, 0] == 150
  fresh = Blobs()(jax.random.key(9), 200)
  of_fold = jax.tree.map(lambda x: x[0, 0], state)
  probabilities = fold.predict(loso.recipe, of_fold, fresh.inputs)
  assert (probabilities.argmax(-1) == fresh.labels).mean() > 0.9


RECIPE = recipe_of("ststnet", {}, **DRAWN)


@jax.jit
def at(step, seed=0):
  data = jax.tree.map(jnp.asarray, Data(problem("image").inputs, problem("image").labels))
  seen = batch.shared_batch(RECIPE, jax.random.key(seed), step, data)
  return seen.inputs["image"], seen.labels, seen.clips


def test_drawn_examples_differ_from_step_to_step_and_from_seed_to_seed():
  drawn = [np.asarray(at(*where)[0][2:]).tobytes() for where in ((0, 0), (1, 0), (0, 1), (0, 0))]
  assert len(set(drawn)) == 3
  assert drawn[0] == drawn[3]


def test_an_epoch_beside_drawn_examples_is_one_pass_over_the_clips():
  given = problem("image")
  n = len(given.labels)
  steps = RECIPE.steps_per_epoch(n)
  assert steps == -(-n // 2)
  seen = []
  for step in range(steps, 2 * steps):
    image, labels, clips = at(step)
    seen += [int(i) for i, valid in zip(clips.index, clips.valid, strict=True) if valid]
    np.testing.assert_array_equal(image[:2], given.inputs["image"][clips.index])
    np.testing.assert_array_equal(labels[:2], given.labels[clips.index])
  assert sorted(seen) == list(range(n))


def test_a_mixed_example_counts_where_both_partners_do():
  given = problem("image")
  data = jax.tree.map(jnp.asarray, Data(given.inputs, given.labels))
  recipe = RECIPE._replace(augment=Augment(mixup=0.4), target=SingleClass(3, "class_weights"))
  zeros = set()
  for step in range(6):
    seen = batch.shared_batch(recipe, jax.random.key(0), jnp.int32(step), data)
    for held in given.held_out:
      one = Fold(jnp.uint32(0), jnp.asarray(~held, jnp.float32), {})
      weights = np.asarray(batch.weights_of(recipe, one, data, seen, jnp.int32(step)))
      index, partner = np.asarray(seen.clips.index), np.asarray(seen.mix.partner)
      of_clips = recipe.target.clip_weights(one.weights, data.labels)[index] * seen.clips.valid
      alone = np.concatenate([of_clips, [1, 1]])
      mixed = seen.mix.share * alone + (1 - seen.mix.share) * alone[partner]
      both = (alone > 0) & (alone[partner] > 0)
      np.testing.assert_allclose(weights, np.where(both, mixed, 0), rtol=1e-6)
      zeros |= {int((~both).sum())}
  assert len(zeros) > 1


class WithUnits(nn.Module):
  """One hidden layer; logits of three classes and `units` action units."""

  num_classes: int = 3
  units: int = 2
  name_of_units: str = "action_units"

  takes = "image"

  @nn.compact
  def __call__(self, inputs, weights, *, train):
    x = nn.relu(layers.dense(8, "hidden")(inputs["image"].mean((1, 2))))
    self.sow("auxiliary", self.name_of_units, layers.dense(self.units, "units")(x))
    return layers.dense(self.num_classes, "logits")(x)


def with_units(**options):
  return training.Recipe(
    **{
      "model": WithUnits(),
      "optimizer": optimizers.build("adam"),
      "target": SingleClass(3),
      "batch_size": 8,
      "action_unit_loss": 1.0,
      **ALL_DRAWN,
      "drawn": 8,
      **options,
    }
  )


def test_action_units_of_drawn_examples_are_learnt():
  loso = without_clips(("a",), (0,), with_units())
  state = jax.device_get(loso.train(loso.init(), 0, 400)[0])
  fresh = Blobs()(jax.random.key(9), 200)
  params = jax.tree.map(lambda x: x[0, 0], state.params)
  _, sown = WithUnits().apply(
    {"params": params}, fresh.inputs, None, train=False, mutable=["auxiliary"]
  )
  assert ((sown["auxiliary"]["action_units"][0] > 0) == (fresh.action_units > 0)).mean() > 0.9


@pytest.mark.parametrize("mixed", [False, True])
def test_the_loss_of_action_units_is_over_drawn_examples_that_count(mixed):
  rng = np.random.default_rng(0)
  logits, units = rng.normal(size=(5, 2)).astype(np.float32), np.float32([[1, 0], [0, 1], [1, 1]])
  weights = np.float32([1, 1, 1, 0, 1])
  mix = training.augment.Mix(np.array([1, 2, 3, 4, 0]), np.float32(0.7)) if mixed else None
  seen = batch.Batch(None, {}, np.zeros(5, np.int32), jnp.asarray(units), mix)
  loss = auxiliary.loss({"auxiliary": {"action_units": (logits,)}}, seen, weights)
  if mixed:  # of the drawn ones 2 is mixed with 3, 3 weighs nothing, 4 is mixed with a clip
    expected = optax.sigmoid_binary_cross_entropy(logits[2], 0.7 * units[0] + 0.3 * units[1])
  else:
    expected = optax.sigmoid_binary_cross_entropy(logits[[2, 4]], units[[0, 2]])
  assert float(loss) == pytest.approx(float(expected.mean()), rel=1e-5)


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"source": None, "drawn": 0}, r"only drawn examples know. Draw some"),
    ({"model": WithUnits(name_of_units="units_of_action")}, r"WithUnits has no logits .* self.sow"),
    ({"model": WithUnits(units=5)}, r"shapes \[\(8, 5\)\]; the drawn .* \(8, 2\)"),
  ],
)
def test_action_units_that_cannot_be_learnt_are_refused(options, message):
  with pytest.raises(ConfigError, match=message):
    without_clips(recipe=with_units(**options))
