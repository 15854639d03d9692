"""Checkpoints: a thin wrapper around orbax that saves the real folds, wherever they lay.

States are saved from host memory without the dummy folds, so that a run can go on with another
number of devices. Orbax writes to a temporary folder and renames it, so a killed run finds the
last checkpoint that was finished; digests of its files tell when the disk gives back something
else. A checkpoint is synchronised before an older one goes, so that a power loss finds one too.
"""

import bisect
import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import jax
import numpy as np
import orbax.checkpoint as ocp

from mer_jax.errors import DataError
from mer_jax.runtime import atomic, distributed
from mer_jax.training.fold import FoldState
from mer_jax.training.layout import Layout

# A stage of a training: the epoch at which it begins, and its first state after one of the last.
Later = tuple[int, Callable[[FoldState], FoldState]]

_ITEM = "state"
_DIGESTS = "digests.json"
_EPOCH = "epoch"  # beside the arrays of a state, whose names are numbers


class Sealed(ocp.StandardCheckpointHandler):
  """Orbax's handler of arrays; adds the sha256 of every file before the checkpoint is committed."""

  def finalize(self, directory) -> None:
    """Called in the background thread that saves, once everything is in the temporary folder."""
    super().finalize(directory)
    content = json.dumps(_digests(pathlib.Path(directory)), indent=2)
    pathlib.Path(directory, _DIGESTS).write_text(content, encoding="utf-8")


@ocp.args.register_with_handler(Sealed, for_save=True)
@dataclasses.dataclass
class SealedSave(ocp.args.StandardSave):
  """What to save with `Sealed`."""


@ocp.args.register_with_handler(Sealed, for_restore=True)
@dataclasses.dataclass
class SealedRestore(ocp.args.StandardRestore):
  """What to restore with `Sealed`."""


class Checkpoints:
  """Checkpoints of a run, by epoch; leaving its context waits for what is being written."""

  def __init__(self, directory: str | os.PathLike[str], keep: int = 2):
    """Opens `directory`, creating it if absent; the newest `keep` checkpoints stay.

    What a killed writer left half done is removed.

    Raises:
      WorkdirError: the folder cannot be created or read.
    """
    self._directory, self._keep = pathlib.Path(os.path.abspath(directory)), keep
    if not distributed.is_main():
      return
    with _writing(self._directory):
      atomic.make_folder(self._directory)
      _remove_half_written(self._directory)
      self._manager = ocp.CheckpointManager(
        self._directory,
        item_names=(_ITEM,),
        item_handlers={_ITEM: Sealed()},
        options=ocp.CheckpointManagerOptions(
          max_to_keep=None,  # see _remove_old
          create=False,
          lightweight_initialize=True,  # one that cannot be read must not be in the way
          multiprocessing_options=_without_others(),
          async_options=ocp.AsyncOptions(post_finalization_callback=self._synchronise),
        ),
      )

  def __enter__(self) -> "Checkpoints":
    return self

  def __exit__(self, kind, error, traceback) -> None:
    if not distributed.is_main():
      return
    # An error that is on its way already says more than those of the writer would.
    with contextlib.suppress(Exception) if error else _writing(self._directory):
      self._remove_old()
      self._manager.close()

  def latest(self) -> int | None:
    """Epochs done at the newest checkpoint that is finished or being written; None without one."""
    return self._manager.latest_step()

  def save(self, epoch: int, state: FoldState, layout: Layout) -> None:
    """Saves `state` (leaves [S, F', ...]) as of `epoch`; returns while the disk is still busy.

    Raises:
      WorkdirError: this checkpoint or the one before it cannot be written; older ones are intact.
    """
    if distributed.on_main(self.latest) == epoch:
      return
    leaves = _leaves(state)
    if not distributed.is_main():
      return
    # Copies: the loop gives the memory of `state` to the next chunk while this is being written.
    real = {name: np.array(x[:, : layout.folds]) for name, x in leaves.items()}
    with _writing(self._directory):
      self._remove_old()
      self._manager.save(epoch, args=ocp.args.Composite(state=SealedSave(real)))

  def wait(self) -> None:
    """Returns when everything saved is on disk.

    Raises:
      WorkdirError: it could not be written.
    """
    if not distributed.is_main():
      return
    with _writing(self._directory):
      self._manager.wait_until_finished()

  def restore(
    self, init: Callable[[], FoldState], layout: Layout, later: Sequence[Later] = ()
  ) -> tuple[int, FoldState]:
    """The newest state that can be read, on the devices of `layout`, and the epochs it has seen.

    A checkpoint that cannot be read is set aside as `unreadable-<epoch>` with a line on standard
    error, and the one before it is tried; without any the run begins: 0 and `init()`.

    Args:
      init: makes a first state; gives the shapes, and the dummy folds their values.
      layout: where the folds go, not necessarily where they were.
      later: of stages after the first, the epoch at which each begins and what makes its first
        state; a state saved at that epoch is still of the stage before.

    Raises:
      WorkdirError: an unreadable checkpoint cannot be set aside.
    """
    starts, begins = [init()], [epoch for epoch, _ in later]
    for _, enter in later:
      starts.append(enter(starts[-1]))
    firsts = [_leaves(start) for start in starts]
    of_stage = partial(bisect.bisect_left, begins)
    newest = None
    if distributed.is_main():
      newest = self._newest(lambda epoch: firsts[of_stage(epoch)], layout)
    saved = dict(distributed.broadcast(newest))
    epoch = int(saved.pop(_EPOCH))
    if not epoch:
      return 0, starts[0]
    first = firsts[of_stage(epoch)]
    leaves, structure = jax.tree.flatten(starts[of_stage(epoch)])
    # On the shardings of a first state, which jit spells in its own way: others would compile anew.
    placed = [
      _place(saved[name], first[name], layout.folds, leaf.sharding)
      for name, leaf in zip(first, leaves, strict=True)
    ]
    return epoch, jax.tree.unflatten(structure, placed)

  def _synchronise(self) -> None:
    """Called when a checkpoint is complete, before it gets its name."""
    for path in _half_written(self._directory):
      atomic.synchronise_tree(path)

  def _remove_old(self) -> None:
    """Waits for the newest checkpoint, and removes all but the newest `keep`.

    Not left to orbax, which removes them before the name of the newest would outlast a power loss.
    """
    self._manager.wait_until_finished()
    atomic.synchronise(self._directory)
    for epoch in sorted(self._manager.all_steps())[: -self._keep]:
      self._manager.delete(epoch)

  def _newest(
    self, first: Callable[[int], dict[str, np.ndarray]], layout: Layout
  ) -> dict[str, np.ndarray]:
    """The arrays of the newest state that can be read, and its epoch; epoch 0 alone without any."""
    epochs = sorted(int(p.name) for p in self._directory.iterdir() if p.name.isdecimal())
    while epochs:
      epoch = epochs.pop()
      try:
        return {**self._read(epoch, first(epoch), layout), _EPOCH: np.array(epoch)}
      except MemoryError:
        raise
      except Exception as error:  # damage surfaces as whatever the library happens to trip over
        self._set_aside(epoch, error, epochs)
    return {_EPOCH: np.array(0)}

  def _read(self, epoch: int, first: dict[str, np.ndarray], layout: Layout):
    target = {
      name: np.empty((x.shape[0], layout.folds, *x.shape[2:]), x.dtype) for name, x in first.items()
    }
    # Before orbax, which tells of damage late and in the words of the libraries below it.
    _check_digests(self._directory / str(epoch) / _ITEM)
    return self._manager.restore(epoch, args=ocp.args.Composite(state=SealedRestore(target)))[_ITEM]

  def _set_aside(self, epoch: int, error: Exception, older: list[int]) -> None:
    aside = self._directory / f"unreadable-{epoch}"
    with _writing(self._directory):
      if aside.exists():
        shutil.rmtree(aside)
      os.rename(self._directory / str(epoch), aside)
    self._manager.reload()
    reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    then = f"goes on from epoch {older[-1]}" if older else "begins again"
    print(
      f"warning: the checkpoint of epoch {epoch} cannot be read ({reason}) and is set aside as"
      f" {aside}; the run {then}.",
      file=sys.stderr,
    )


def newest_leaves(directory: str | os.PathLike[str]) -> list[np.ndarray] | None:
  """The leaves [S, F, ...] of the newest state in `directory`, in their order; None without one.

  Nothing in the folder is changed.

  Raises:
    DataError: the checkpoint is damaged.
  """
  directory = pathlib.Path(os.path.abspath(directory))
  epochs = [int(path.name) for path in directory.glob("*") if path.name.isdecimal()]
  if not epochs:
    return None
  folder = directory / str(max(epochs)) / _ITEM
  try:
    _check_digests(folder)
    restored = ocp.StandardCheckpointer().restore(folder)
  except MemoryError:
    raise
  except Exception as error:  # damage surfaces as whatever the library happens to trip over
    raise DataError(
      f"The checkpoint {folder} cannot be read ({type(error).__name__}: {error}). Run the command"
      " of that run again in a new workdir."
    ) from error
  return [np.asarray(restored[name]) for name in sorted(restored)]


def _remove_half_written(directory: pathlib.Path, patience_seconds: float = 5.0) -> None:
  """Removes what killed writers left; one that failed in this process may still be at it."""
  end = time.monotonic() + patience_seconds
  while left := _half_written(directory):
    try:
      for path in left:
        shutil.rmtree(path)
    except OSError:
      if time.monotonic() > end:
        raise
      time.sleep(0.1)


def _half_written(directory: pathlib.Path) -> list[pathlib.Path]:
  """The folders of checkpoints that are being written, or were when their writer was killed."""
  return list(directory.glob("*.orbax-checkpoint-tmp*"))


def _without_others() -> ocp.options.MultiprocessingOptions:
  """Orbax is not to wait for the other processes: they do not come."""
  return ocp.options.MultiprocessingOptions(primary_host=0, active_processes={0})


@contextlib.contextmanager
def _writing(directory: pathlib.Path) -> Iterator[None]:
  """Names `directory` only: the error of a save in the background may come out at the next one."""
  try:
    yield
  except (OSError, ValueError, RuntimeError) as error:
    raise atomic.cannot_write(directory, error) from error


def _leaves(state: FoldState) -> dict[str, np.ndarray]:
  """The leaves of `state` on the host by their position, whatever classes hold them."""
  return {f"{i:04d}": leaf for i, leaf in enumerate(distributed.fetch(jax.tree.leaves(state)))}


def _place(
  real: np.ndarray, first: np.ndarray, folds: int, sharding: jax.sharding.Sharding
) -> jax.Array:
  padded = np.array(first)
  padded[:, :folds] = real
  return distributed.put(padded, sharding)


def _check_digests(directory: pathlib.Path) -> None:
  written = json.loads((directory / _DIGESTS).read_text(encoding="utf-8"))
  now = _digests(directory)
  for name, digest in written.items():
    if name not in now:
      raise FileNotFoundError(f"its file {name} is gone")
    if now[name] != digest:
      raise ValueError(f"its file {name} is not what was written")


def _digests(directory: pathlib.Path) -> dict[str, str]:
  """sha256 of every file of a checkpoint that it needs to be restored, by its path."""
  digests = {}
  for path in sorted(directory.rglob("*")):
    if path.is_file():
      with open(path, "rb") as file:
        name = path.relative_to(directory).as_posix()
        digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
  return digests
