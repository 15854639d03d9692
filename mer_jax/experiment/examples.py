"""config.drawn and config.augment: what a batch holds beside clips, and how its examples change."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from ml_collections import config_dict

from mer_jax.errors import ConfigError

if TYPE_CHECKING:  # reading a config needs no jax
  from mer_jax import training

# The value of config.input.normalise with which inputs hold motion relative to the head's: 0 is no
# motion, and the mirror image of u is -u.
RELATIVE = "relative"


def default_drawn() -> config_dict.ConfigDict:
  """The fields of config.drawn; further ones are options of face.drawn and face.measurement."""
  drawn = config_dict.ConfigDict()
  # Of every batch, the share of examples that are drawn instead of clips; 1: there are no clips.
  drawn.share = 0.0
  # Steps that are called an epoch where no clip is in any batch.
  drawn.epoch_steps = 100
  # The classes, where there are no clips that have them; see mer_jax.face.drawn.CLASSES.
  drawn.classes = ()
  # How often each class is drawn, in the order of the classes; empty: all equally often.
  drawn.shares = ()
  return drawn


def default_augment() -> config_dict.ConfigDict:
  """The fields of config.augment, see training.Augment; all are off."""
  augment = config_dict.ConfigDict()
  # Probability of a mirror image, in which u changes its sign.
  augment.mirror = 0.0
  # Largest shift in each direction, as a share of the width.
  augment.shift = 0.0
  # Largest logarithm of the factor in size.
  augment.scale = 0.0
  # Largest angle, degrees; the vectors turn along.
  augment.rotate = 0.0
  # Standard deviation of what is added to every number.
  augment.noise = 0.0
  # Side of a square that is set to 0, as a share of the width.
  augment.cut_out = 0.0
  # Alpha of the Beta distribution of the share with which two examples are mixed; 0: none are.
  augment.mixup = 0.0
  return augment


def check(config: config_dict.ConfigDict) -> None:
  """Checks shares, and how the two sections go together with config.training.

  Raises:
    ConfigError: a share is none, or what does not go together.
  """
  for name in ("drawn.share", "augment.mirror", "augment.shift", "augment.cut_out"):
    section, key = name.split(".")
    if not 0 <= config[section][key] <= 1:
      raise ConfigError(f"config.{name} is {config[section][key]}; it must lie in 0..1.")
  training = config.training
  if config.drawn.share and training.schedule != "shared":
    raise ConfigError(
      f"config.drawn.share is {config.drawn.share}, but with config.training.schedule"
      f" {training.schedule} every fold has batches of its own. Use schedule=shared."
    )
  if training.action_unit_loss and not config.drawn.share:
    raise ConfigError(
      f"config.training.action_unit_loss is {training.action_unit_loss}, but only drawn examples"
      " know their action units. Draw some (config.drawn.share), or set it to 0."
    )
  batch(config, training.batch_size)
  _check_motion(config)


class Counts(NamedTuple):
  """Examples of a batch: `size` in all, `drawn` of them drawn."""

  size: int
  drawn: int


def batch(config: config_dict.ConfigDict, clips: int) -> Counts:
  """What a batch of a training on so many clips holds: of these, each at most once.

  Raises:
    ConfigError: a share of both kinds leaves none of one.
  """
  size, share = config.training.batch_size, config.drawn.share
  drawn = round(share * size)
  if 0 < share < 1 and drawn in (0, size):
    raise ConfigError(
      f"config.drawn.share is {share}, which is {drawn} of config.training.batch_size={size}"
      " examples. Use a larger batch, or a share of 0 or 1."
    )
  return Counts(min(size - drawn, clips) + drawn, drawn)


def steps_per_epoch(config: config_dict.ConfigDict, clips: int) -> int:
  """Steps in which so many clips are seen once, or config.drawn.epoch_steps without any."""
  from mer_jax.training import schedule

  size, drawn = batch(config, clips)
  if size == drawn:
    return config.drawn.epoch_steps
  return schedule.steps_per_epoch(clips, size - drawn)


def augment(config: config_dict.ConfigDict, arrays: Mapping[str, np.ndarray]) -> "training.Augment":
  """How the examples of a batch change.

  Args:
    config: resolved.
    arrays: the inputs, [N, ...] each.

  Raises:
    ConfigError: examples are to change, or to be mirrored, that are no flow maps.
  """
  from mer_jax import training

  maps = {name: arrays[name].shape[1:] for name in ("image", "frames") if name in arrays}
  others = [name for name in arrays if name not in (*maps, "mask")]
  if _changing(config) and (others or any(shape[-1] != 3 for shape in maps.values())):
    given = ", ".join(f"{name} {array.shape[1:]}" for name, array in arrays.items())
    raise ConfigError(
      f"{_changing(config)} is for flow maps whose channels are u, v and strain, but"
      f" config.input.name {config.input.name!r} gives {given}. Use flow, flow_maps or"
      " flow_sequence, or switch it off."
    )
  return training.Augment(**config.augment.to_dict())


def _check_motion(config: config_dict.ConfigDict) -> None:
  """Gray values would be mirrored and turned as if they were vectors, and nobody would notice."""
  normalise = config.input.get("normalise")
  if _changing(config) and normalise != RELATIVE:
    raise ConfigError(
      f"{_changing(config)} is for inputs in which 0 is no motion, but config.input.normalise is"
      f" {normalise!r}. Use --config.input.normalise={RELATIVE} with flow, flow_maps or"
      " flow_sequence, or switch it off."
    )


def _changing(config: config_dict.ConfigDict) -> str:
  """The fields by which examples change, for a message; empty: they stay as they are."""
  fields = [f"config.augment.{name}" for name, value in config.augment.items() if value]
  mirror = ["config.training.mirror_at_test"] if config.training.mirror_at_test else []
  return " and ".join([*fields, *mirror])
