"""Settings of a sweep: values of one number that train side by side in one program.

What may differ between the folds of a program is data to it: the hyper-parameters of the optimiser
and the regularisers. Anything that changes shapes or operations is a variant (mer_jax.study).
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from ml_collections import config_dict

from mer_jax import settings
from mer_jax.errors import ConfigError
from mer_jax.evaluation.choice import INNER

# Field of config.sweep -> the field of the config that it varies.
FIELDS = {
  "learning_rate": "optimizer.learning_rate",
  "momentum": "optimizer.momentum",
  "weight_decay": "optimizer.weight_decay",
  "dropout": "model.dropout",
  "focal_gamma": "training.focal_gamma",
}


class Point(NamedTuple):
  """One setting.

  Attributes:
    name: "learning_rate=0.003", also the name of its folder; empty for a run without a sweep.
    config: the config of this setting alone, as a run without a sweep would have it.
  """

  name: str
  config: config_dict.ConfigDict


def points(config: config_dict.ConfigDict) -> list[Point]:
  """The P settings of `config`: all combinations of the values in config.sweep.

  Raises:
    ConfigError: a value twice, out of range or no number, or dropout for a model without it.
  """
  swept = {name: values for name, values in sorted(config.sweep.items()) if values}
  found = []
  for combination in itertools.product(*swept.values()):
    point = config.copy_and_resolve_references()
    point.sweep = settings.default().sweep
    for name, value in zip(swept, combination, strict=True):
      _set(point, name, value)
    settings.check(point)
    name = ",".join(f"{n}={float(v):g}" for n, v in zip(swept, combination, strict=True))
    found.append(Point(name, point))
  names = [point.name for point in found]
  if len(set(names)) < len(names):
    twice = next(name for name in names if names.count(name) > 1)
    raise ConfigError(f"config.sweep holds {twice} twice; name every value once.")
  return found


def results(config: config_dict.ConfigDict) -> list[Point]:
  """The settings that leave a folder of results each; one where an inner split chooses among them.

  Raises:
    ConfigError: as `points`.
  """
  found = points(config)
  return [Point("", config)] if config.selection.name == INNER else found


def hyper(found: Sequence[Point]) -> dict[str, list[float]]:
  """P values of each hyper-parameter that a program must know, see training.fold.Fold.

  One that is 0 everywhere is left out; so is a dropout rate that does not vary, which is the
  model's own.
  """
  values = {
    name: [float(settings.field(point.config, field)) for point in found]
    for name, field in FIELDS.items()
    if name != "dropout" or _varies_dropout(found)
  }
  return {n: v for n, v in values.items() if n in ("learning_rate", "dropout") or any(v)}


def _varies_dropout(found: Sequence[Point]) -> bool:
  return len({point.config.model.get("dropout") for point in found}) > 1


def _set(point: config_dict.ConfigDict, name: str, value: float) -> None:
  section, key = FIELDS[name].split(".")
  if key not in point[section]:
    raise ConfigError(
      f"config.sweep.{name} varies config.{FIELDS[name]}, which this config does not have. Sweep"
      " something else, or add the field to the config."
    )
  if isinstance(value, bool) or not isinstance(value, int | float):
    raise ConfigError(f"config.sweep.{name} holds {value!r}; its values must be numbers.")
  if name == "dropout" and not 0 <= value < 1:
    raise ConfigError(f"config.sweep.dropout holds {value!r}; a rate lies in [0, 1).")
  point[section][key] = float(value)
