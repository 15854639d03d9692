"""config.training: its fields and their checks."""

import math

from ml_collections import config_dict

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
