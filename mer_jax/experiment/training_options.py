"""config.training: its fields and their checks."""

import math
from typing import Any

from ml_collections import config_dict

from mer_jax import checks
from mer_jax.errors import ConfigError, unknown


def default() -> config_dict.ConfigDict:
  """The fields of config.training, each with its default."""
  training = config_dict.ConfigDict()
  # Passes over the clips.
  training.epochs = 100
  # Clips in a step.
  training.batch_size = 25
  # shared: every fold sees the same batches; per_fold: every batch full; balanced: over-sampling.
  training.schedule = "shared"
  # What is learnt of a clip: a name in mer_jax.targets.
  training.target = "single_class"
  # none or class_weights (from each fold's own training clips).
  training.balance = "none"
  # Exponent of the focal loss; 0: plain cross-entropy.
  training.focal_gamma = 0.0
  # Probability that the target spreads evenly over all classes, in [0, 1).
  training.label_smoothing = 0.0
  # Factor of the loss on the action units of drawn examples, for models with logits for them.
  training.action_unit_loss = 0.0
  # What is minimised: pairs of a loss in mer_jax.training.losses and its factor.
  training.losses = (("class", 1.0),)
  # Prefixes of the flax names of the parameters that are trained, as ("lstm",); empty: all.
  training.trained = ()
  # Of those that are not, though a prefix above fits.
  training.frozen = ()
  # Names of stages that train one after another, each a section of config.stages; empty: no stages.
  training.stages = ()
  # Which mean of the parameters over the steps predicts: none (the last do), ema or swa.
  training.average = "none"
  # Of ema: what a further step leaves of the mean.
  training.average_decay = 0.999
  # Of swa: the share of the steps after which the mean begins.
  training.average_from = 0.5
  # Whether a prediction is the mean over a clip and its mirror image.
  training.mirror_at_test = False
  # Epochs in one call of the program, and between two points of the learning curve.
  training.chunk_epochs = 1
  # Most folds trained side by side on a device; 0: automatic.
  training.fold_block = 0
  # How convolutions are computed: auto, fused, product or grouped, see
  # mer_jax.models.layers.convolution.
  training.convolution = "auto"
  return training


def check(training: config_dict.ConfigDict) -> None:
  """Raises ConfigError where a name is unknown or a value out of range; says what is allowed."""
  # Here, so that reading a config, or finding a mistyped flag, needs no jax.
  from mer_jax.models.layers import convolution
  from mer_jax.targets import single_class
  from mer_jax.training import average, schedule

  for name, least in (
    ("epochs", 0),
    ("batch_size", 1),
    ("chunk_epochs", 1),
    ("fold_block", 0),
    ("focal_gamma", 0),
    ("action_unit_loss", 0),
  ):
    if not least <= training[name] < math.inf:
      raise ConfigError(
        f"config.training.{name} is {training[name]}; it must be >= {least} and finite."
      )
  _check_losses(training.losses)
  for field in ("trained", "frozen"):
    if not all(isinstance(prefix, str) and prefix for prefix in training[field]):
      raise ConfigError(
        f"config.training.{field} is {training[field]!r}; it holds prefixes of names, as ('lstm',)."
      )
  for name in ("label_smoothing", "average_decay", "average_from"):
    if not 0 <= training[name] < 1:
      raise ConfigError(
        f"config.training.{name} is {training[name]}; it must be at least 0 and below 1."
      )
  for name, allowed in (
    ("schedule", schedule.SCHEDULES),
    ("balance", single_class.BALANCES),
    ("average", average.AVERAGES),
    ("convolution", convolution.IMPLEMENTATIONS),
  ):
    if training[name] not in allowed:
      raise ConfigError(unknown(f"config.training.{name}", training[name], allowed))


def _check_losses(given: Any) -> None:
  from mer_jax.training import losses

  for pair in given:
    name, factor = pair if isinstance(pair, tuple | list) and len(pair) == 2 else (pair, None)
    if factor is None or not _is_factor(factor):
      raise ConfigError(
        f"config.training.losses is {given!r}; it holds pairs of a loss and a finite factor above"
        " 0, as (('class', 1.0),)."
      )
    checks.check_choice("config.training.losses", name, tuple(losses.LOSSES))
  names = [name for name, _ in given]
  if not names or len(set(names)) < len(names):
    raise ConfigError(f"config.training.losses is {given!r}; name at least one loss, each once.")


def _is_factor(value: Any) -> bool:
  return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
