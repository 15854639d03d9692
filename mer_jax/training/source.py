"""Examples that are drawn afresh for every batch, beside clips or in place of them."""

from typing import NamedTuple, Protocol

import jax


class Examples(NamedTuple):
  """Drawn examples.

  Attributes:
    inputs: float32 [B, ...] each, with the names and the shapes behind B of the inputs of clips.
    labels: int32 [B], 0..K-1.
    action_units: float32 [B, A], 1 where an action unit is active, else 0; A may be 0.
  """

  inputs: dict[str, jax.Array]
  labels: jax.Array
  action_units: jax.Array


class Source(Protocol):
  """What draws examples: pure, jit-able and hashable, as a NamedTuple is.

  Equal sources share a compiled program.
  """

  def __call__(self, key: jax.Array, count: int) -> Examples:
    """Draws `count` examples; they depend on the typed key alone."""
    ...

  def __hash__(self) -> int: ...
