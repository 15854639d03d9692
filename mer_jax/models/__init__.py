"""The table of models. A new one is one new file and one line in `MODELS`."""

import dataclasses
import math
from collections.abc import Collection, Mapping
from typing import Any

import flax.linen as nn
import jax

from mer_jax.errors import ConfigError, unknown
from mer_jax.models.parallel_cnn_lstm import ParallelCnnLstm
from mer_jax.models.ststnet import Ststnet

MODELS: dict[str, type[nn.Module]] = {
  "parallel_cnn_lstm": ParallelCnnLstm,
  "ststnet": Ststnet,
}


def build(name: str, num_classes: int, options: Mapping[str, Any]) -> nn.Module:
  """The module `name` for K = `num_classes`, with `options` as its fields.

  A module maps (inputs, weights [B], train) to logits [B, K]; its `takes` names the key of the
  inputs it reads ("frames" or "image").

  Raises:
    ConfigError: no such model, or no such field of it.
  """
  if name not in MODELS:
    raise ConfigError(unknown("model", name, MODELS))
  allowed = {f.name for f in dataclasses.fields(MODELS[name])}
  allowed -= {"num_classes", "parent", "name"}
  for option in options:
    if option not in allowed:
      raise ConfigError(f"Model {name!r}: {unknown('field', option, allowed)}")
  return MODELS[name](num_classes=num_classes, **options)


def check_input(model_name: str, model: nn.Module, input_name: str, given: Collection[str]) -> None:
  """Raises ConfigError if `model` reads something else than the arrays `given` by an input."""
  takes = getattr(model, "takes")  # noqa: B009  every model has it; flax's Module does not declare it
  if takes not in given:
    raise ConfigError(
      f"Model {model_name!r} reads {takes!r} and input {input_name!r} gives"
      f" {', '.join(map(repr, sorted(given)))}. Sequence inputs (padded_frames,"
      " onset_difference, flow_sequence) give 'frames'; flow and flow_maps give 'image'."
    )


def count_parameters(variables: Any) -> int:
  """How many numbers `variables` (a tree of arrays or shapes) hold."""
  return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(variables))
