"""Blocks of folds train one after another, each in its place within the arrays of all.

So the states of all folds are in memory once; a loop that stacks up what it returns needs them
twice.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax

from mer_jax.training.layout import Layout


def in_place(
  layout: Layout,
  train: Callable[..., tuple[Any, Any]],
  seeds: jax.Array,
  folds: Any,
  state: Any,
  selected: Any,
  sums: Any,
) -> tuple[Any, Any]:
  """States and sums of all blocks of a device, `layout.seeds_at_once` seeds vmapped.

  Args:
    layout: how many folds make a block.
    train: from a seed, and of a block its folds, its states and what was selected for it, to its
      new states and sums.
    seeds: uint32 [S].
    folds: leaves [F, ...], F a multiple of layout.block.
    state, selected, sums: leaves [S, F, ...]; None for `selected` where nothing was.
  """
  count = len(jax.tree.leaves(folds)[0]) // layout.block

  def of_seeds(first, together: int, trained):
    def body(block, trained):
      place, size = (first, block * layout.block), (together, layout.block)
      of_all = _part(seeds, place[:1], size[:1]), _part(folds, place[1:], size[1:])
      own = _part((trained[0], selected), place, size)
      return _with_part(trained, jax.vmap(train, in_axes=(0, None, 0, 0))(*of_all, *own), place)

    return jax.lax.fori_loop(0, count, body, trained)

  together = layout.seeds_at_once
  groups, rest = divmod(len(seeds), together)
  trained = jax.lax.fori_loop(
    0,
    groups,
    lambda group, trained: of_seeds(group * together, together, trained),
    (state, sums),
  )
  return of_seeds(groups * together, rest, trained) if rest else trained


def _part(tree: Any, place: Sequence[Any], size: Sequence[int]) -> Any:
  """Of leaves [n, m, ...] what lies at the first indices `place`, of `size`: [*size, ...]."""

  def part(x):
    return jax.lax.dynamic_slice(x, _padded(place, x), (*size, *x.shape[len(size) :]))

  return jax.tree.map(part, tree)


def _with_part(tree: Any, part: Any, place: Sequence[Any]) -> Any:
  """`tree` with `part` at the first indices `place` of its leaves."""
  return jax.tree.map(
    lambda x, y: jax.lax.dynamic_update_slice(x, y, _padded(place, x)), tree, part
  )


def _padded(place: Sequence[Any], x: jax.Array) -> tuple[Any, ...]:
  return (*place, *[0] * (x.ndim - len(place)))
