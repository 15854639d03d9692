"""config.stages: a training in stages, each with what it learns, by which losses and optimiser.

A stage is the config with some fields changed, so that everything that a stage does not name holds
for it too.
"""

from collections.abc import Sequence
from typing import NamedTuple

from ml_collections import config_dict

from mer_jax.errors import ConfigError, unknown
from mer_jax.experiment import settings, sweep

# Fields of config.training that a stage may change, beside those of config.optimizer.
OF_TRAINING = ("epochs", "losses", "trained", "frozen")
OPTIMIZER = "optimizer"


class Stage(NamedTuple):
  """One stage.

  Attributes:
    name: of its section in config.stages; empty where a training has no stages.
    config: the config of this stage alone, as a training without stages would have it.
  """

  name: str
  config: config_dict.ConfigDict


def of(config: config_dict.ConfigDict) -> list[Stage]:
  """The stages of `config` in their order; without any, the config as the only one."""
  names = config.training.stages
  if not names:
    return [Stage("", config)]
  return [Stage(name, _config_of(config, name, name == names[-1])) for name in names]


def ends(config: config_dict.ConfigDict) -> list[tuple[str, int]]:
  """Name of each stage and the epoch at which it ends, counted over all of them."""
  end, named = 0, []
  for stage in of(config):
    end += stage.config.training.epochs
    named.append((stage.name, end))
  return named


def named_ends(config: config_dict.ConfigDict) -> list[tuple[str, int]]:
  """`ends` for a log, which names stages only where there are any."""
  return ends(config) if config.training.stages else []


def hyper(varied: Sequence[sweep.Setting], place: int) -> dict[str, list[float]]:
  """P values of each hyper-parameter of the stage at `place`, see sweep.hyper."""
  return sweep.hyper([s._replace(config=of(s.config)[place].config) for s in varied])


def about(config: config_dict.ConfigDict) -> str:
  """How `config` trains, for the announcement: "60 epochs, batches of 32, adam 0.001"."""
  parts = []
  for name, stage in of(config):
    optimizer = stage.optimizer
    size = "" if name else f"batches of {config.training.batch_size}, "
    rate = f"{optimizer.name} {optimizer.learning_rate:g}"
    parts.append(f"{f'{name} ' if name else ''}{stage.training.epochs} epochs, {size}{rate}")
  together = "; ".join(parts)
  return f"{together}; batches of {config.training.batch_size}" if len(parts) > 1 else together


def check(config: config_dict.ConfigDict) -> None:
  """Checks the stages of `config`, each as a config of its own.

  Raises:
    ConfigError: a name or field that is unknown, a value out of range, or what stages exclude.
  """
  names = list(config.training.stages)
  for name in sorted({*names} ^ {*config.stages}) or [n for n in names if names.count(n) > 1]:
    raise ConfigError(
      f"config.training.stages is {tuple(names)} and config.stages has the sections"
      f" {', '.join(config.stages) or 'none'}: {name!r} must stand in both, once."
    )
  if not names:
    return
  for name in names:
    for key in config.stages[name]:
      if key not in (*OF_TRAINING, OPTIMIZER):
        raise ConfigError(unknown(f"field of config.stages.{name}", key, [*OF_TRAINING, OPTIMIZER]))
  _check_excluded(config)
  for name, stage in of(config):
    try:
      settings.check(stage)
    except ConfigError as error:
      raise ConfigError(f"Stage {name!r}: {error}") from error
    if stage.training.epochs < 1:
      raise ConfigError(f"config.stages.{name}.epochs is {stage.training.epochs}; it must be >= 1.")


def _check_excluded(config: config_dict.ConfigDict) -> None:
  if config.training.action_unit_loss:
    raise ConfigError(
      "config.training.action_unit_loss is of a training without stages: no stage says whether it"
      " takes part. Set it to 0, or leave config.training.stages empty."
    )
  own = [config.stages[name].get(OPTIMIZER, {}) for name in config.training.stages]
  for field, values in config.sweep.items():
    section, key = sweep.FIELDS[field].split(".")
    if values and section == OPTIMIZER and all(key in optimizer for optimizer in own):
      raise ConfigError(
        f"config.sweep.{field} varies config.{section}.{key}, which every stage sets for itself."
        " Leave it out of the stages that the sweep is for."
      )


def _config_of(config: config_dict.ConfigDict, name: str, last: bool) -> config_dict.ConfigDict:
  own = config.copy_and_resolve_references()
  changes = own.stages[name]
  with own.unlocked():
    own.training.stages, own.stages = (), config_dict.ConfigDict()
    for key in OF_TRAINING:
      if key in changes:
        own.training[key] = changes[key]
    optimizer = changes.get(OPTIMIZER, {})
    if optimizer.get("name", own.optimizer.name) != own.optimizer.name:
      for option in settings.options_of_optimizer(own):  # those of another factory
        del own.optimizer[option]
    for key, value in optimizer.items():
      own.optimizer[key] = value
    # A mean over the steps is there to predict with.
    if not last:
      own.training.average = "none"
  return own
