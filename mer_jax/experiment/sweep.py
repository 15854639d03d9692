"""Settings of a sweep: values of one number that train side by side in one program.

What may differ between the folds of a program is data to it: the hyper-parameters of the optimiser
and the regularisers. Anything that changes shapes or operations is a variant, see
mer_jax.experiment.variants.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from ml_collections import config_dict

from mer_jax.errors import ConfigError
from mer_jax.experiment import settings
from mer_jax.experiment.selection.options import INNER

# Field of config.sweep -> the field of the config that it varies.
FIELDS = {
  "learning_rate": "optimizer.learning_rate",
  "momentum": "optimizer.momentum",
  "weight_decay": "optimizer.weight_decay",
  "dropout": "model.dropout",
  "focal_gamma": "training.focal_gamma",
}


class Setting(NamedTuple):
  """One setting.

  Attributes:
    name: "learning_rate=0.003", also the name of its folder; empty for a run without a sweep.
    config: the config of this setting alone, as a run without a sweep would have it.
  """

  name: str
  config: config_dict.ConfigDict


def settings_of(config: config_dict.ConfigDict) -> list[Setting]:
  """The P settings of `config`: all combinations of the values in config.sweep.

  Raises:
    ConfigError: a value twice, out of range or no number, or dropout for a model without it.
  """
  swept = {name: values for name, values in sorted(config.sweep.items()) if values}
  combined = []
  for combination in itertools.product(*swept.values()):
    setting = config.copy_and_resolve_references()
    setting.sweep = settings.default().sweep
    for name, value in zip(swept, combination, strict=True):
      _set(setting, name, value)
    settings.check(setting)
    name = ",".join(f"{n}={float(v):g}" for n, v in zip(swept, combination, strict=True))
    combined.append(Setting(name, setting))
  names = [setting.name for setting in combined]
  if len(set(names)) < len(names):
    twice = next(name for name in names if names.count(name) > 1)
    raise ConfigError(f"config.sweep holds {twice} twice; name every value once.")
  return combined


def results(config: config_dict.ConfigDict) -> list[Setting]:
  """The settings that leave a folder of results each; one where an inner split chooses among them.

  Raises:
    ConfigError: as `settings_of`.
  """
  every = settings_of(config)
  return [Setting("", config)] if config.selection.name == INNER else every


def hyper(varied: Sequence[Setting]) -> dict[str, list[float]]:
  """P values of each hyper-parameter that a program must know, see training.fold.Fold.

  One that is 0 everywhere is left out; so is a dropout rate that does not vary, which is the
  model's own.
  """
  values = {
    name: [float(settings.field(setting.config, field)) for setting in varied]
    for name, field in FIELDS.items()
    if name != "dropout" or _varies_dropout(varied)
  }
  return {n: v for n, v in values.items() if n in ("learning_rate", "dropout") or any(v)}


def _varies_dropout(varied: Sequence[Setting]) -> bool:
  return len({setting.config.model.get("dropout") for setting in varied}) > 1


def _set(setting: config_dict.ConfigDict, name: str, value: float) -> None:
  section, key = FIELDS[name].split(".")
  if key not in setting[section] and not _has_option(setting, section, key):
    raise ConfigError(
      f"config.sweep.{name} varies config.{FIELDS[name]}, which this config does not have. Sweep"
      " something else, or add the field to the config."
    )
  if isinstance(value, bool) or not isinstance(value, int | float):
    raise ConfigError(f"config.sweep.{name} holds {value!r}; its values must be numbers.")
  if name == "dropout" and not 0 <= value < 1:
    raise ConfigError(f"config.sweep.dropout holds {value!r}; a rate lies in [0, 1).")
  with setting.unlocked():
    setting[section][key] = float(value)


def _has_option(setting: config_dict.ConfigDict, section: str, key: str) -> bool:
  """Whether the model takes an option that its config does not list."""
  if section != "model" or setting.model.name == "svm":
    return False
  from mer_jax import models  # here: reading a config needs no jax

  return key in models.option_names(setting.model.name)
