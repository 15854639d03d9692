"""Snapshots of what the folds predict along the way, a line each, to select an epoch from."""

import base64
import binascii
import json
import os
import pathlib
from collections.abc import Callable, Mapping

import numpy as np

from mer_jax.runtime import atomic
from mer_jax.training.history import lines_until, synchronise_log

Arrays = dict[str, np.ndarray]


class Snapshots:
  """Snapshots of a run, a `training.Recorder`."""

  def __init__(
    self, contents: Mapping[pathlib.Path, Callable[[np.ndarray], Arrays]], every_epochs: int
  ):
    """Files of snapshots.

    Args:
      contents: for each file what is kept of probabilities, float32 [S, P F, M, K], as
        Program.predict gives them, without dummies.
      every_epochs: epochs between two snapshots.
    """
    self._contents, self.every_epochs = contents, every_epochs

  def rewind(self, epoch: int) -> None:
    """Drops everything after `epoch`, and a last line that was cut off: they come again."""
    for path in self._contents:
      atomic.write_text(path, "".join(lines_until(path, epoch)))

  def append(self, epoch: int, probabilities: np.ndarray) -> None:
    """Adds the snapshot at the end of `epoch`.

    Raises:
      WorkdirError: the disk is full.
    """
    for path, content in self._contents.items():
      arrays = {name: _packed(array) for name, array in content(probabilities).items()}
      atomic.append_text(path, json.dumps({"epoch": epoch, **arrays}) + "\n")

  def synchronise(self) -> None:
    """Returns when every snapshot would outlast a power loss.

    Raises:
      WorkdirError: the disk failed.
    """
    for path in self._contents:
      synchronise_log(path)


def read(path: str | os.PathLike[str]) -> tuple[list[int], Arrays]:
  """Reads what `Snapshots` wrote.

  Returns:
    The E epochs, and by name what was kept, arrays [E, ...]. Snapshots from the first
    line on that cannot be read are left out; without any, both are empty.
  """
  path, snapshots = pathlib.Path(path), []
  text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
  for line in text.splitlines(keepends=True):
    try:
      snapshot = json.loads(line)
      arrays = {name: _unpacked(packed) for name, packed in snapshot.items() if name != "epoch"}
      snapshots.append((int(snapshot["epoch"]), arrays))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error):
      break
    if _shapes(arrays) != _shapes(snapshots[0][1]):
      snapshots.pop()
      break
  if not snapshots:
    return [], {}
  names = snapshots[0][1]
  return [e for e, _ in snapshots], {
    name: np.stack([a[name] for _, a in snapshots]) for name in names
  }


def _shapes(arrays: Arrays) -> dict[str, tuple[int, ...]]:
  return {name: array.shape for name, array in arrays.items()}


def _packed(array: np.ndarray) -> dict:
  little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
  data = base64.b64encode(little.tobytes()).decode("ascii")
  return {"dtype": little.dtype.str, "shape": little.shape, "data": data}


def _unpacked(packed: Mapping) -> np.ndarray:
  data = base64.b64decode(packed["data"], validate=True)
  return np.frombuffer(data, np.dtype(packed["dtype"])).reshape(packed["shape"])
