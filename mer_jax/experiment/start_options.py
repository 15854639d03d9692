"""config.start: its fields and their checks."""

import math
from typing import Any

from ml_collections import config_dict

from mer_jax.errors import ConfigError
from mer_jax.recognizer.provenance import LEAKY_WEIGHTS

# The field that lets weights start folds which hold out people whom the weights have learned from.
# The word goes into everything that comes of it.
LEAKY = LEAKY_WEIGHTS


def default() -> config_dict.ConfigDict:
  """The fields of config.start."""
  start = config_dict.ConfigDict()
  # A trained model, a folder or a name of `mer_jax models`, whose weights every fold begins with;
  # empty: random ones. With config.training.epochs=0 they are evaluated as they are.
  start.weights = ""
  # Its digest, which the run fills in; one that is given is checked.
  start.digest = ""
  # What is taken over, as prefixes of flax names: ("streams",). Empty: everything, but for the last
  # layer where the classes are others.
  start.layers = ()
  # Factors on the learning rate of layers, as (("streams", 0.1),); 0.0 leaves a layer as it is.
  start.learning_rates = ()
  # Of an SVM: whether its features are joined with the input of the weights.
  start.join_input = True
  # Whether weights may have learned from subjects that folds hold out; all results then say so.
  start[LEAKY] = False
  return start


def check(config: config_dict.ConfigDict) -> None:
  """Checks config.start beside the other sections.

  Raises:
    ConfigError: fields that do not fit each other, or a value out of range.
  """
  start, epochs = config.start, config.training.epochs
  if epochs < 1 and not (epochs == 0 and start.weights):
    raise ConfigError(
      f"config.training.epochs is {epochs}; it must be >= 1, or 0 with config.start.weights, which"
      " are then evaluated as they are."
    )
  if epochs == 0 and config.selection.name != "last":
    raise ConfigError(
      f"config.training.epochs is 0, so config.selection.name={config.selection.name} has nothing"
      " to select from. Use last."
    )
  if epochs == 0 and config.training.stages:
    raise ConfigError(
      "config.training.epochs is 0, which evaluates weights as they are, but config.training.stages"
      f" names {config.training.stages}. Leave one of them out."
    )
  known = default()
  given = [name for name in known if name != "weights" and start[name] != known[name]]
  if given and not start.weights:
    raise ConfigError(
      f"config.start.{given[0]} is {start[given[0]]!r}, but there are no weights to start from."
      " Name a model in config.start.weights, or leave that field as it is."
    )
  if not all(isinstance(prefix, str) and prefix for prefix in start.layers):
    raise ConfigError(
      f"config.start.layers is {start.layers!r}; it holds prefixes of names, as ('streams',)."
    )
  if not all(map(_is_pair, start.learning_rates)):
    raise ConfigError(
      f"config.start.learning_rates is {start.learning_rates!r}; it holds pairs of a prefix and a"
      " factor of at least 0, as (('streams', 0.1),)."
    )


def factors(config: config_dict.ConfigDict) -> tuple[tuple[str, float], ...]:
  """config.start.learning_rates as an optimiser takes them, see optimizers.Optimizer."""
  return tuple((str(prefix), float(factor)) for prefix, factor in config.start.learning_rates)


def _is_pair(pair: Any) -> bool:
  if not isinstance(pair, tuple | list) or len(pair) != 2:
    return False
  prefix, factor = pair
  is_number = isinstance(factor, int | float) and not isinstance(factor, bool)
  return isinstance(prefix, str) and is_number and 0 <= factor < math.inf
