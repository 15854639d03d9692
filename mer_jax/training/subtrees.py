"""Which parameters a training changes, by the prefixes of their flax names."""

from collections.abc import Sequence
from typing import Any

import flax.traverse_util


def learns(name: str, trained: Sequence[str], frozen: Sequence[str]) -> bool:
  """Whether the parameter `name` ("lstm/kernel") is trained.

  It is if it begins with one of `trained`, or there is none, and with none of `frozen`.
  """
  return name.startswith(tuple(trained) or "") and not name.startswith(tuple(frozen))


def split(tree: Any, trained: Sequence[str], frozen: Sequence[str]) -> tuple[Any, Any]:
  """The leaves of a tree of dicts that are trained, and the others; `tree` itself where all are."""
  if not trained and not frozen:
    return tree, {}
  flat = flax.traverse_util.flatten_dict(tree, sep="/")
  parts = ({}, {})
  for name, leaf in flat.items():
    parts[not learns(name, trained, frozen)][name] = leaf
  learnt, kept = (flax.traverse_util.unflatten_dict(part, sep="/") for part in parts)
  return learnt, kept


def join(learnt: Any, kept: Any) -> Any:
  """The tree whose parts `split` returned."""
  if not kept:
    return learnt
  flat = [flax.traverse_util.flatten_dict(part, sep="/") for part in (learnt, kept)]
  return flax.traverse_util.unflatten_dict({**flat[0], **flat[1]}, sep="/")
