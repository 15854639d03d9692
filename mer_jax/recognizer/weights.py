"""Weights by flax name, "params/streams/conv/kernel", and as the nested dicts that flax reads."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import flax.traverse_util
import jax

from mer_jax.models.shapes import of_variables

COLLECTIONS = ("params", "batch_stats")


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
  """{"params": {...}, "batch_stats": {...}} of leaves by name."""
  return flax.traverse_util.unflatten_dict(dict(flat), sep="/")


def flat(variables: Mapping[str, Any]) -> dict[str, Any]:
  """The leaves of parameters and batch statistics by name."""
  kept = {name: dict(variables[name]) for name in COLLECTIONS if variables.get(name)}
  return flax.traverse_util.flatten_dict(kept, sep="/")


def shapes_of(
  model: nn.Module, example: Mapping[str, jax.ShapeDtypeStruct]
) -> dict[str, tuple[int, ...]]:
  """The shape of every parameter and statistic of `model` by name; nothing is computed.

  Args:
    model: a module of mer_jax.models.
    example: the arrays of one clip, [1, ...] each.
  """
  variables = of_variables(model, example)
  return {name: tuple(leaf.shape) for name, leaf in flat(variables).items()}
