"""The table of optimisers: from hyper-parameters to an optax transformation.

Hyper-parameters are traced scalars, so that every fold of a program may have its own. One that is
absent from the dict is 0 and costs neither time nor state.
"""

from collections.abc import Callable, Mapping

import jax
import optax

from mer_jax.errors import ConfigError, unknown

Hyper = Mapping[str, jax.Array]


def _sgd(hyper: Hyper) -> optax.GradientTransformation:
  return optax.chain(_l2(hyper), optax.sgd(hyper["learning_rate"], momentum=hyper.get("momentum")))


def _adam(hyper: Hyper) -> optax.GradientTransformation:
  # `momentum` is beta_1, so that a config's other fields stay valid when only the name changes.
  return optax.chain(_l2(hyper), optax.adam(hyper["learning_rate"], b1=hyper.get("momentum", 0.0)))


def _l2(hyper: Hyper) -> optax.GradientTransformation:
  # Into the gradient, not decoupled: what `weight_decay` of the peers' optimisers means.
  if "weight_decay" not in hyper:
    return optax.identity()
  return optax.add_decayed_weights(hyper["weight_decay"])


OPTIMIZERS = {"sgd": _sgd, "adam": _adam}


def build(name: str) -> Callable[[Hyper], optax.GradientTransformation]:
  """The optimiser `name` ("sgd", "adam") as a function of learning_rate, momentum, weight_decay.

  Raises:
    ConfigError: no such optimiser.
  """
  if name not in OPTIMIZERS:
    raise ConfigError(unknown("optimizer", name, OPTIMIZERS))
  return OPTIMIZERS[name]
