"""Checkpoints: a thin wrapper around orbax that saves the real folds, wherever they lay.

States are saved from host memory without the dummy folds, so that a run can go on with another
number of devices. Orbax writes to a temporary folder and renames it: a killed run finds the last
checkpoint that was finished.
"""

import os
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from mer_jax.training.fold import FoldState
from mer_jax.training.layout import Layout


class Checkpoints:
  """Checkpoints of a run, by epoch; leaving its context waits for what is being written."""

  def __init__(self, directory: str | os.PathLike[str], keep: int = 2):
    """Opens `directory`, creating it if absent; the newest `keep` checkpoints stay."""
    self._manager = ocp.CheckpointManager(
      os.path.abspath(directory),
      options=ocp.CheckpointManagerOptions(max_to_keep=keep, create=True),
    )

  def __enter__(self) -> "Checkpoints":
    return self

  def __exit__(self, *exception) -> None:
    self._manager.wait_until_finished()
    self._manager.close()

  def latest(self) -> int | None:
    """Epochs done at the newest finished checkpoint; None if there is none."""
    return self._manager.latest_step()

  def save(self, epoch: int, state: FoldState, layout: Layout) -> None:
    """Saves `state` (leaves [S, F', ...]) as of `epoch`; returns while the disk is still busy."""
    if self._manager.latest_step() == epoch:
      return
    real = jax.tree.map(lambda x: np.array(x[:, : layout.folds]), state)
    self._manager.save(epoch, args=ocp.args.StandardSave(_plain(real)))

  def restore(self, epoch: int, init: Callable[[], FoldState], layout: Layout) -> FoldState:
    """The state as of `epoch`, on the devices of `layout`.

    Args:
      epoch: from `latest`.
      init: makes a first state; gives the shapes, and the dummy folds their values.
      layout: where the folds go, not necessarily where they were.
    """
    start = init()
    target = jax.tree.map(
      lambda x: np.empty((x.shape[0], layout.folds, *x.shape[2:]), x.dtype), _plain(start)
    )
    saved = self._manager.restore(epoch, args=ocp.args.StandardRestore(target))

    def place(real, first):
      whole = np.array(first)
      whole[:, : layout.folds] = real
      return jax.device_put(whole, layout.by_seed_and_fold)

    return jax.tree.unflatten(
      jax.tree.structure(start),
      [place(r, f) for r, f in zip(jax.tree.leaves(saved), jax.tree.leaves(start), strict=True)],
    )


def _plain(state: FoldState) -> dict[str, Any]:
  """The leaves of `state` by their position: a tree that does not depend on anyone's classes."""
  return {f"{i:04d}": leaf for i, leaf in enumerate(jax.tree.leaves(state))}
