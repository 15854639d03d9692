"""The table of optimisers, from a config to an optax transformation."""

from collections.abc import Mapping
from typing import Any

import optax

from mer_jax.errors import ConfigError, unknown


def _sgd(learning_rate: float, momentum: float = 0.0, weight_decay: float = 0.0):
  return optax.chain(
    optax.add_decayed_weights(weight_decay) if weight_decay else optax.identity(),
    optax.sgd(learning_rate, momentum=momentum or None),
  )


def _adam(learning_rate: float, momentum: float = 0.9, weight_decay: float = 0.0):
  # `momentum` is beta_1, so that a config's other fields stay valid when only the name changes.
  # L2 goes into the gradient, not decoupled: what `weight_decay` of the peers' Adam means.
  return optax.chain(
    optax.add_decayed_weights(weight_decay) if weight_decay else optax.identity(),
    optax.adam(learning_rate, b1=momentum),
  )


OPTIMIZERS = {"sgd": _sgd, "adam": _adam}
OPTIONS = ("learning_rate", "momentum", "weight_decay")


def build(name: str, options: Mapping[str, Any]) -> optax.GradientTransformation:
  """The transformation `name` ("sgd", "adam") with `options` (learning_rate, momentum,
  weight_decay).

  Raises:
    ConfigError: no such optimiser or option.
  """
  if name not in OPTIMIZERS:
    raise ConfigError(unknown("optimizer", name, OPTIMIZERS))
  for option in options:
    if option not in OPTIONS:
      raise ConfigError(f"Optimizer {name!r}: {unknown('option', option, OPTIONS)}")
  return OPTIMIZERS[name](**options)
