"""The table of models. A new one is one new file and one line in `MODELS`."""

import dataclasses
import math
from collections.abc import Collection, Mapping
from typing import Any

import flax.linen as nn
import jax

from mer_jax.errors import ConfigError, unknown
from mer_jax.models.atnet import Atnet
from mer_jax.models.micro_attention import MicroAttention
from mer_jax.models.parallel_cnn_lstm import ParallelCnnLstm
from mer_jax.models.ststnet import Ststnet

MODELS: dict[str, type[nn.Module]] = {
  "parallel_cnn_lstm": ParallelCnnLstm,
  "ststnet": Ststnet,
  "micro_attention": MicroAttention,
  "atnet": Atnet,
}

# Inputs of mer_jax.inputs by an array that they give, to be named where another was chosen.
INPUTS_GIVING: dict[str, tuple[str, ...]] = {
  "frames": ("padded_frames", "onset_difference", "flow_sequence"),
  "image": ("flow", "flow_maps", "apex_frame", "apex_and_pooled_flow"),
  "motion": ("pooled_flow", "apex_and_pooled_flow"),
}


def build(name: str, num_classes: int, options: Mapping[str, Any]) -> nn.Module:
  """The module `name` for K = `num_classes`, with `options` as its fields.

  A module maps (inputs, weights [B], train) to logits [B, K]; its `takes` names the key of the
  inputs it reads ("frames", "image"), or several keys.

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
  """Raises ConfigError if `model` reads something that is not among the arrays `given` by an input.

  It may leave arrays aside.
  """
  # Every model has it; flax's Module does not declare it.
  takes: str | tuple[str, ...] = getattr(model, "takes")  # noqa: B009
  takes = (takes,) if isinstance(takes, str) else takes
  if not set(takes) <= set(given):
    first, *others = (INPUTS_GIVING.get(array, ()) for array in takes)
    fitting = [name for name in first if all(name in names for names in others)]
    raise ConfigError(
      f"Model {model_name!r} reads {_listed(takes)} and input {input_name!r} gives"
      f" {_listed(sorted(given))}. Inputs that fit: {', '.join(fitting)}."
    )


def _listed(names: Collection[str]) -> str:
  return ", ".join(map(repr, names))


def count_parameters(variables: Any) -> int:
  """How many numbers `variables` (a tree of arrays or shapes) hold."""
  return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(variables))
