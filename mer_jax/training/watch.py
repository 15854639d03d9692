"""What the folds predict along the way: looks, one line each, from which an epoch can be chosen."""

import base64
import binascii
import json
import os
import pathlib
from collections.abc import Callable, Mapping

import numpy as np

from mer_jax import atomic
from mer_jax.training.history import lines_until

Arrays = dict[str, np.ndarray]


class Watch:
  """Looks of a run at the clips that its program predicts."""

  def __init__(
    self, notes: Mapping[pathlib.Path, Callable[[np.ndarray], Arrays]], every_epochs: int
  ):
    """Files of looks.

    Args:
      notes: for each file what is noted of probabilities, float32 [S, P F, M, K], as
        Program.predict gives them, without dummies.
      every_epochs: epochs between two looks.
    """
    self._notes, self.every_epochs = notes, every_epochs

  def rewind(self, epoch: int) -> None:
    """Drops everything after `epoch`, and a last line that was cut off: those looks come again."""
    for path in self._notes:
      atomic.write_text(path, "".join(lines_until(path, epoch)))

  def append(self, epoch: int, probabilities: np.ndarray) -> None:
    """Adds a look at the end of `epoch`.

    Raises:
      WorkdirError: the disk is full.
    """
    for path, note in self._notes.items():
      arrays = {name: _packed(array) for name, array in note(probabilities).items()}
      atomic.append_text(path, json.dumps({"epoch": epoch, **arrays}) + "\n")


def read(path: str | os.PathLike[str]) -> tuple[list[int], Arrays]:
  """Reads what a Watch wrote.

  Returns:
    The E epochs of the looks, and by name what was noted, arrays [E, ...]. Looks from the first
    line on that cannot be read are left out; without any, both are empty.
  """
  path, looks = pathlib.Path(path), []
  text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
  for line in text.splitlines(keepends=True):
    try:
      look = json.loads(line)
      arrays = {name: _unpacked(packed) for name, packed in look.items() if name != "epoch"}
      looks.append((int(look["epoch"]), arrays))
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
      break
  if not looks:
    return [], {}
  names = looks[0][1]
  return [e for e, _ in looks], {name: np.stack([a[name] for _, a in looks]) for name in names}


def _packed(array: np.ndarray) -> dict:
  little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
  data = base64.b64encode(little.tobytes()).decode("ascii")
  return {"dtype": little.dtype.str, "shape": little.shape, "data": data}


def _unpacked(packed: Mapping) -> np.ndarray:
  data = base64.b64decode(packed["data"], validate=True)
  return np.frombuffer(data, np.dtype(packed["dtype"])).reshape(packed["shape"])
