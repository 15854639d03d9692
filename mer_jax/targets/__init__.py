"""Targets: what is predicted of a clip. A target is one file with its loss, columns and scores.

The engine reads a target's training side (`SingleClass`: the loss, the weights of clips, which
predictions are right, probabilities from logits); predictions.csv reads its columns, evaluation its
scores.
"""

from collections.abc import Callable
from typing import Any

from mer_jax import checks
from mer_jax.targets.single_class import SingleClass

# Name -> from K classes and the balance of their clips to the training side of the target.
TARGETS: dict[str, Callable[[int, str], Any]] = {"single_class": SingleClass}

__all__ = ["TARGETS", "SingleClass", "find"]


def find(name: str) -> Callable[[int, str], Any]:
  """The target `name`: a key of `TARGETS`, or "package.module:Class" with the same methods.

  What it makes must be hashable, as a NamedTuple is: equal targets share a program.

  Raises:
    ConfigError: there is no such target.
  """
  return checks.look_up("target", name, TARGETS)
