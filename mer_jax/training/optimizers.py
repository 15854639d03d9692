"""The table of optimisers: from hyper-parameters to an optax transformation.

Hyper-parameters are traced scalars, so that every fold of a program may have its own. One that is
absent from the dict is 0 and costs neither time nor state.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from mer_jax import checks
from mer_jax.errors import ConfigError, unknown

Hyper = Mapping[str, jax.Array]


class Optimizer(NamedTuple):
  """From a fold's hyper-parameters to an optax transformation.

  Attributes:
    name: a key of `OPTIMIZERS`.
    decay_steps, decay_rate: after every so many steps in which the fold learnt, its learning rate
      is multiplied by this; 0 steps: never.
  """

  name: str
  decay_steps: int = 0
  decay_rate: float = 0.1

  def __call__(self, hyper: Hyper) -> optax.GradientTransformation:
    """The transformation for learning_rate, momentum and weight_decay, float32 scalars."""
    return OPTIMIZERS[self.name](hyper, self._rate(hyper["learning_rate"]))

  def _rate(self, first: jax.Array) -> optax.ScalarOrSchedule:
    if not self.decay_steps:
      return first

    def after(step: jax.typing.ArrayLike) -> jax.Array:
      return first * jnp.power(self.decay_rate, jnp.asarray(step) // self.decay_steps)

    return after


def build(name: str, decay_steps: int = 0, decay_rate: float = 0.1) -> Optimizer:
  """The optimiser `name` ("sgd", "adam") with a learning rate that falls in steps.

  Args:
    name: a key of `OPTIMIZERS`.
    decay_steps: optimisation steps after which the learning rate is multiplied by `decay_rate`,
      again and again; 0: it stays.
    decay_rate: that factor, above 0 and at most 1.

  Raises:
    ConfigError: no such optimiser, or a value out of range.
  """
  if name not in OPTIMIZERS:
    raise ConfigError(unknown("optimizer", name, OPTIMIZERS))
  checks.check_at_least("config.optimizer.decay_steps", decay_steps, 0)
  if not 0 < decay_rate <= 1:
    raise ConfigError(
      f"config.optimizer.decay_rate is {decay_rate}; it must be above 0 and at most 1."
    )
  return Optimizer(name, decay_steps, decay_rate)


def _sgd(hyper: Hyper, rate: optax.ScalarOrSchedule) -> optax.GradientTransformation:
  return optax.chain(_l2(hyper), optax.sgd(rate, momentum=hyper.get("momentum")))


def _adam(hyper: Hyper, rate: optax.ScalarOrSchedule) -> optax.GradientTransformation:
  # `momentum` is beta_1, so that a config's other fields stay valid when only the name changes.
  return optax.chain(_l2(hyper), optax.adam(rate, b1=hyper.get("momentum", 0.0)))


def _l2(hyper: Hyper) -> optax.GradientTransformation:
  # Into the gradient, not decoupled: what `weight_decay` of the peers' optimisers means.
  if "weight_decay" not in hyper:
    return optax.identity()
  return optax.add_decayed_weights(hyper["weight_decay"])


OPTIMIZERS: dict[str, Callable[[Hyper, optax.ScalarOrSchedule], optax.GradientTransformation]] = {
  "sgd": _sgd,
  "adam": _adam,
}
