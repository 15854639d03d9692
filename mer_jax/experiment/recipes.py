"""From a config to the recipe of a training: optimiser, target, batches, averages."""

import inspect
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import numpy as np
from ml_collections import config_dict

from mer_jax import checks, targets, training
from mer_jax.errors import ConfigError
from mer_jax.experiment import drawn_source, examples, settings, start_options
from mer_jax.protocols import Split
from mer_jax.training import optimizers


def build(
  config: config_dict.ConfigDict,
  split: Split,
  arrays: dict[str, np.ndarray],
  network: nn.Module,
) -> training.Recipe:
  """The recipe of `config` for the clips of `split`.

  Args:
    config: resolved; of a stage where there are any.
    split: N clips, K classes.
    arrays: the inputs, [N, ...] each.
    network: the model, for K classes.

  Raises:
    ConfigError: fields of the config that do not go together, or not with the input.
  """
  size, drawn = examples.batch(config, len(split.labels))
  return training.Recipe(
    model=network,
    optimizer=optimizer(config, len(split.labels)),
    target=_target(config, len(split.class_names)),
    batch_size=size,
    schedule=config.training.schedule,
    source=drawn_source.of(config, split.class_names, arrays),
    drawn=drawn,
    epoch_steps=config.drawn.epoch_steps if drawn == size else 0,
    augment=examples.augment(config, arrays),
    average=_average(config, len(split.labels)),
    action_unit_loss=config.training.action_unit_loss,
    mirror_at_test=config.training.mirror_at_test,
    losses=tuple((str(name), float(factor)) for name, factor in config.training.losses),
    trained=tuple(config.training.trained),
    frozen=tuple(config.training.frozen),
  )


def optimizer(config: config_dict.ConfigDict, clips: int = 0) -> optimizers.Optimizer:
  """The optimiser of a training on so many clips; without them it is only checked."""
  section = config.optimizer
  per_epoch = examples.steps_per_epoch(config, clips) if clips or config.drawn.share == 1 else 0
  steps = per_epoch * config.training.epochs
  if clips and steps > checks.INT32:
    raise ConfigError(
      f"config.training.epochs is {config.training.epochs}, which are {steps:,} steps; a training"
      " has fewer than 2^31."
    )
  built = optimizers.build(
    section.name,
    optimizers.Schedule(
      section.schedule,
      section.decay_steps,
      section.decay_rate,
      section.warmup_steps,
      # Only where it counts: a program is compiled again for another number.
      steps if section.schedule.endswith("cosine") else 0,
    ),
    section.clip_norm,
    settings.options_of_optimizer(config),
  )._replace(factors=start_options.factors(config))
  # Without an epoch there is nothing along which a schedule could go.
  return built if config.training.epochs else built._replace(schedule=optimizers.CONSTANT)


def _target(config: config_dict.ConfigDict, num_classes: int) -> Any:
  """The target of `config`; smoothing is asked only of targets that have it."""
  name, smoothing = config.training.target, config.training.label_smoothing
  target: Callable[..., Any] = targets.find(name)
  if not smoothing:
    return target(num_classes, config.training.balance)
  if "smoothing" not in inspect.signature(target).parameters:
    raise ConfigError(
      f"config.training.label_smoothing is {smoothing}, but the target {name!r} takes no argument"
      " smoothing. Set it to 0, or give the target that argument."
    )
  return target(num_classes, config.training.balance, smoothing=smoothing)


def _average(config: config_dict.ConfigDict, clips: int) -> training.Average | None:
  options = config.training
  if options.average == "none":
    return None
  steps = examples.steps_per_epoch(config, clips) * options.epochs
  # What one mean does not use must not make two programs of one.
  if options.average == "ema":
    return training.Average("ema", decay=options.average_decay)
  return training.Average("swa", first_step=int(options.average_from * steps))
