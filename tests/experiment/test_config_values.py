"""Values of a config that no run could use are refused before anything is computed."""

from typing import Annotated, Any

import flax.linen as nn
import pytest

from mer_jax import checks, models
from mer_jax.errors import ConfigError
from mer_jax.experiment import grid, settings, trainer
from mer_jax.runtime import memory


def refused(path: str, value: Any, message: str) -> None:
  config = settings.default()
  section, _, field = path.rpartition(".")
  holder = settings.field(config, section) if section else config
  with holder.unlocked(), holder.ignore_type():
    holder[field] = value

  def check() -> None:
    settings.check(config)
    trainer.build_model(config, 3)

  with pytest.raises(ConfigError, match=message):
    check()


@pytest.mark.parametrize(
  ("path", "value", "message"),
  [
    ("seed", 2**32, r"below 2\^32"),
    ("seeds", 2**32 + 1, r"config.seeds is 4294967297; it must be below 2\^32"),
    ("seeds", True, "config.seeds must be a whole number; got True"),
    ("data.datasets", (1,), r"datasets\[0\] must be a text; got 1"),
    ("data.datasets", "casme2", "must be a tuple, as"),
    ("training", 3, "config.training is 3; it must be a section"),
    ("training.epochs", 10**20, r"epochs is 1\d+; it must be below 2\^31"),
    ("optimizer.decay_steps", 10**20, r"below 2\^31"),
    ("optimizer.learning_rate", float("nan"), "finite number"),
    ("optimizer.learning_rate", "fast", "finite number; got 'fast'"),
    ("optimizer.nesterov", "yes", "nesterov must be True or False"),
    ("model.channels", (4, 0), r"channels\[1\] must be a number of at least 1"),
    ("model.channels", (-1,), "at least 1"),
    ("model.channels", ("a",), "whole number; got 'a'"),
    ("model.channels", (), "at least one value"),
    ("model.channels", "a", "must be a tuple"),
    ("model.lstm_features", 0, "lstm_features must be a number of at least 1"),
    ("model.lstm_features", 2.5, "must be a whole number"),
    ("model.dropout", 2, r"dropout must be a number of at least 0 and below 1; got 2"),
    ("model.dropout", 1.0, "below 1"),
    ("model.branch", "bot", "Did you mean 'both'"),
    ("model.mask_padding", 1, "True or False"),
  ],
)
def test_values_of_another_type_or_out_of_range_are_refused(path, value, message):
  refused(path, value, message)


def test_every_option_of_every_model_has_a_checked_type():
  for name, model in models.MODELS.items():
    for option, value in models.options_of(model(num_classes=3)).items():
      models.build(name, 3, {option: value})
      with pytest.raises(ConfigError, match=f"config.model.{option}( must be|:)"):
        models.build(name, 3, {option: {"no": "value"}})


class Own(nn.Module):
  """A model from elsewhere, which declares a range of its own."""

  num_classes: int
  width: Annotated[int, checks.Range(2, 9)] = 4
  unknown: "NotThere | None" = None  # noqa: F821

  takes = "image"


class Plain(nn.Module):
  """A model from elsewhere without ranges."""

  num_classes: int
  width: int = 4
  pair: tuple[int, float] = (1, 2.0)

  takes = "image"


def test_models_from_elsewhere_declare_ranges_in_the_same_way():
  models.build(f"{__name__}:Plain", 3, {"width": 0, "pair": (3, 1)})
  for options, message in (({"width": "a"}, "whole number"), ({"pair": (1,)}, "2 values")):
    with pytest.raises(ConfigError, match=message):
      models.build(f"{__name__}:Plain", 3, options)
  models.build(f"{__name__}:Own", 3, {"width": 100})  # annotations that cannot be evaluated
  with pytest.raises(ConfigError, match="width must be a number of at least 2 and at most 9"):
    checks.check_value("width", Annotated[int, checks.Range(2, 9)], 10)


def test_a_grid_checks_its_own_fields():
  config = settings.grid()
  with config.unlocked(), config.ignore_type():
    config.corpora = ("casme2", 3)
  with pytest.raises(ConfigError, match=r"config.corpora\[1\] must be a text; got 3"):
    grid.plan(config)


def test_what_cannot_fit_into_memory_is_refused_with_the_number(config, tmp_path):
  from mer_jax.experiment import run

  config.seeds = 10**9
  with pytest.raises(ConfigError, match=r"1,000,000,000 seeds.* needs at least \d+ TB of memory"):
    run.run(config, tmp_path / "seeds", quiet=True)
  config.seeds, config.input.size = 1, 100_000
  with pytest.raises(ConfigError, match=r"padded_frames of .* does not fit into memory"):
    run.run(config, tmp_path / "size", quiet=True)
  config.input.size, config.training.epochs = 16, 2**31 - 1
  config.training.batch_size = 1
  with pytest.raises(ConfigError, match=r"epochs is .* steps; a training"):
    run.run(config, tmp_path / "steps", quiet=True)
  assert list(tmp_path.iterdir()) == []


def test_sizes_are_worded_in_units():
  sizes = {0: "0 bytes", 999: "999 bytes", 1500: "1.5 kB", 26 * 10**9: "26 GB", 10**22: "1e+04 EB"}
  assert {size: memory.in_words(size) for size in sizes} == sizes
  assert memory.limit() > 2**20
