"""Starting from given weights in place of random ones, leaf by leaf, by flax name."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax


def replaced(variables: Any, weights: Mapping[str, jax.Array] | None) -> Any:
  """`variables` of one fold with the leaves that `weights` has by name.

  Args:
    variables: what the init of a model returned: {"params": {...}, "batch_stats": {...}}.
    weights: arrays of the leaves' shapes by name, "params/logits/kernel"; None: there are none.
  """
  if not weights:
    return variables
  return jax.tree.map_with_path(lambda path, leaf: weights.get(name_of(path), leaf), variables)


def scaled_by_layer(factors: Sequence[tuple[str, float]]) -> optax.GradientTransformation:
  """Multiplies the updates of parameters; the last link of a chain, behind weight decay.

  Args:
    factors: (prefix of a parameter's name, factor) pairs; of several that fit the longest counts,
      and parameters that none fits are updated as they are. 0.0 leaves parameters bit by bit.
  """

  def scaled(path, update):
    fitting = [(len(p), f) for p, f in factors if name_of(path).startswith(p)]
    factor = max(fitting)[1] if fitting else 1.0
    # -0.0 is what leaves every number as it is when it is added: 0.0 would turn -0.0 into 0.0.
    return jnp.full_like(update, -0.0) if factor == 0 else update * factor if fitting else update

  return optax.stateless(lambda updates, _: jax.tree.map_with_path(scaled, updates))


def name_of(path: Sequence[Any]) -> str:
  """ "logits/kernel" of a path in a tree of dicts."""
  return jax.tree_util.keystr(tuple(path), simple=True, separator="/")
