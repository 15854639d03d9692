"""Optimisers of optax by name, schedules and clipping, for folds that differ in their numbers.

Hyper-parameters (learning_rate, momentum, weight_decay) are traced scalars, so that every fold of a
program may have its own. One that is absent from the dict is 0 and costs neither time nor state.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from mer_jax import checks
from mer_jax.errors import ConfigError, unknown
from mer_jax.training import start

Hyper = Mapping[str, jax.Array]
SCHEDULES = ("constant", "step", "cosine", "warmup_cosine")
# They ask for more than gradients at a step (the loss along a line, a key), or are deprecated.
_LEFT_OUT = ("lbfgs", "noisy_sgd", "optimistic_adam")
# Set by hyper-parameters that a sweep may vary, not by options.
_HYPER = ("learning_rate", "momentum", "b1", "weight_decay")


class Schedule(NamedTuple):
  """How the learning rate goes over the steps in which a fold learns.

  Attributes:
    name: one of `SCHEDULES`. constant; step: multiplied by `decay_rate` after every `decay_steps`;
      cosine: falls to 0 along half a cosine (Loshchilov, Hutter, "SGDR", ICLR 2017) over `steps`;
      warmup_cosine: first rises from 0 in `warmup_steps`, which are among `steps`.
    decay_steps, decay_rate: of step; 0 steps: never.
    warmup_steps: of warmup_cosine.
    steps: of a whole training; 0: not known yet, and then there is no transformation to make.
  """

  name: str = "constant"
  decay_steps: int = 0
  decay_rate: float = 0.1
  warmup_steps: int = 0
  steps: int = 0

  def __call__(self, first: jax.Array) -> optax.ScalarOrSchedule:
    """The rate over the steps for one that begins with, or rises to, `first`, a float scalar."""
    if self.name == "step" and self.decay_steps:
      return lambda step: first * jnp.power(self.decay_rate, jnp.asarray(step) // self.decay_steps)
    if self.name == "cosine":
      return optax.cosine_decay_schedule(first, self.steps)
    if self.name == "warmup_cosine":
      rise = optax.linear_schedule(0.0, first, self.warmup_steps)
      fall = optax.cosine_decay_schedule(first, self.steps - self.warmup_steps)
      return optax.join_schedules([rise, fall], [self.warmup_steps])
    return first


CONSTANT = Schedule()


class Optimizer(NamedTuple):
  """From a fold's hyper-parameters to an optax transformation.

  Attributes:
    name: one of `names()`.
    schedule: of the learning rate.
    clip_norm: gradients of a larger norm, over all parameters of a fold, are scaled down to it; 0:
      none are.
    options: further arguments of the optax factory, sorted by name.
    factors: on the updates of layers, see start.scaled_by_layer.
  """

  name: str
  schedule: Schedule = CONSTANT
  clip_norm: float = 0.0
  options: tuple[tuple[str, Any], ...] = ()
  factors: tuple[tuple[str, float], ...] = ()

  def __call__(self, hyper: Hyper) -> optax.GradientTransformation:
    """The transformation for learning_rate, momentum and weight_decay, float32 scalars.

    `momentum` is the factory's momentum or, where it has none, its b1 (Adam's decay of the first
    moment), so that a config's other fields stay valid when only the name changes. `weight_decay`
    is the factory's own, which is decoupled (adamw), or else L2 added to the gradient.
    """
    factory = _factory(self.name)
    known, given = inspect.signature(factory).parameters, dict(self.options)
    if "momentum" in known:
      given["momentum"] = hyper.get("momentum", known["momentum"].default and 0.0)
    elif "b1" in known:
      given["b1"] = hyper.get("momentum", 0.0)
    before = [optax.clip_by_global_norm(self.clip_norm)] if self.clip_norm else []
    if "weight_decay" in known:
      given["weight_decay"] = hyper.get("weight_decay", 0.0)
    elif "weight_decay" in hyper:
      before.append(optax.add_decayed_weights(hyper["weight_decay"]))
    after = [start.scaled_by_layer(self.factors)] if self.factors else []
    return optax.chain(*before, factory(self.schedule(hyper["learning_rate"]), **given), *after)


def build(
  name: str,
  schedule: Schedule = CONSTANT,
  clip_norm: float = 0.0,
  options: Mapping[str, Any] | None = None,
) -> Optimizer:
  """The optimiser `name`, checked.

  Args:
    name: a factory of optax, as "sgd", "adam", "adamw", "lamb".
    schedule: of the learning rate.
    clip_norm: the largest norm of the gradients of a fold; 0: any.
    options: further arguments of the factory, as {"b2": 0.99}.

  Raises:
    ConfigError: no such optimiser, option or schedule, or a value out of range.
  """
  if name not in names():
    raise ConfigError(unknown("optimizer", name, names()))
  given = dict(sorted((options or {}).items()))
  allowed = [
    option for option in inspect.signature(_factory(name)).parameters if option not in _HYPER
  ]
  checks.check_names(f"optimizer {name}", allowed, given)
  _check_options(name, given)
  checks.check_choice("config.optimizer.schedule", schedule.name, SCHEDULES)
  checks.check_at_least("config.optimizer.decay_steps", schedule.decay_steps, 0)
  checks.check_at_least("config.optimizer.warmup_steps", schedule.warmup_steps, 0)
  if not 0 < schedule.decay_rate <= 1:
    raise ConfigError(
      f"config.optimizer.decay_rate is {schedule.decay_rate}; it must be above 0 and at most 1."
    )
  for field, of, value in (
    ("decay_steps", "step", schedule.decay_steps),
    ("warmup_steps", "warmup_cosine", schedule.warmup_steps),
  ):
    if value and schedule.name != of:
      raise ConfigError(
        f"config.optimizer.{field} is {value}, but the schedule is {schedule.name}. Set"
        f" config.optimizer.schedule={of}, or {field} to 0."
      )
  if schedule.warmup_steps >= schedule.steps > 0:
    raise ConfigError(
      f"config.optimizer.warmup_steps is {schedule.warmup_steps}, and the whole training has"
      f" {schedule.steps} steps. Warm up for fewer, or train for more epochs."
    )
  return Optimizer(name, schedule, clip_norm, tuple(given.items()))


def _check_options(name: str, given: Mapping[str, Any]) -> None:
  """Raises ConfigError where an option is no number, or no switch, and its default is one."""
  known = inspect.signature(_factory(name)).parameters
  for option, value in given.items():
    default = known[option].default
    if isinstance(default, bool | int | float):
      kind = bool if isinstance(default, bool) else float
      checks.check_value(f"config.optimizer.{option}", kind, value)


@functools.cache
def names() -> list[str]:
  """Names of the optimisers of optax that need nothing but gradients, parameters and a rate."""
  return [name for name in dir(optax) if name not in _LEFT_OUT and _takes_rate(name)]


def _takes_rate(name: str) -> bool:
  factory = getattr(optax, name)
  if name.startswith(("_", "scale_by_")) or not _is_function(factory):
    return False
  return next(iter(inspect.signature(factory).parameters), "") == "learning_rate"


def _is_function(value: Any) -> bool:
  return inspect.isfunction(value) or isinstance(value, functools.partial)


def _factory(name: str) -> Callable[..., optax.GradientTransformation]:
  return getattr(optax, name)
