"""history.jsonl read back: how loss and accuracy went, fold by fold."""

import json
import os
import pathlib
import types
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

_COUNTS = ("chunk", "epoch", "seed", "fold")
_SCORES = ("loss", "accuracy")  # null where a fold saw no clip in a chunk


class History(NamedTuple):
  """Training of S seeds and F folds over E chunks.

  Attributes:
    epochs: int64 [E], the last epoch of each chunk, rising.
    loss: float64 [S, F, E], mean training loss over the chunk; NaN where no line tells.
    accuracy: float64 [S, F, E], training accuracy over the chunk, 0..1; NaN likewise.
    subjects: the F held-out subjects, "casme2/sub01"; or corpora, "casme2".
    unreadable: how many lines could not be read (a killed run leaves half a line).
    stopped: (s, f) -> the step at which the training was stopped, its loss no longer finite.
    ended: (s, f) -> the index of the chunk in which the training ended, where that was chosen.
  """

  epochs: np.ndarray
  loss: np.ndarray
  accuracy: np.ndarray
  subjects: list[str]
  unreadable: int
  stopped: Mapping[tuple[int, int], int] = types.MappingProxyType({})
  ended: Mapping[tuple[int, int], int] = types.MappingProxyType({})

  @property
  def last_loss(self) -> np.ndarray:
    """float64 [S, F], the loss of the chunk in which each training ended."""
    at = np.full(self.loss.shape[:2], self.loss.shape[2] - 1)
    for training, chunk in self.ended.items():
      at[training] = chunk
    return np.take_along_axis(self.loss, at[..., None], axis=-1)[..., 0]


def read(path: str | os.PathLike[str]) -> History | None:
  """Reads history.jsonl; None where it is absent or holds no line that can be read.

  A run that was killed and resumed may have written the line of a (chunk, seed, fold) twice: the
  last one counts. A line that is cut off, alone or with the next one run into it, is left out.
  """
  path = pathlib.Path(path)
  if not path.is_file():
    return None
  lines: dict[tuple[int, int, int], dict[str, Any]] = {}
  unreadable = 0
  for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
    line = _line(text)
    if line is None:
      unreadable += 1
    else:
      lines[line["chunk"], line["seed"], line["fold"]] = line
  return _history(list(lines.values()), unreadable) if lines else None


def _line(text: str) -> dict[str, Any] | None:
  try:
    line = json.loads(text)
    known = (
      all(isinstance(line[key], int) and 0 <= line[key] < 2**63 for key in _COUNTS)
      and all(isinstance(line[key], int | float | None) for key in _SCORES)
      and isinstance(line["subject"], str)
    )
    return line if known else None
  except (ValueError, KeyError, TypeError, RecursionError):
    return None


def _history(lines: list[dict[str, Any]], unreadable: int) -> History:
  epochs = np.unique([line["epoch"] for line in lines]).astype(np.int64)
  seeds = np.unique([line["seed"] for line in lines])
  folds = {line["fold"]: line["subject"] for line in sorted(lines, key=lambda e: e["fold"])}
  place = {fold: i for i, fold in enumerate(folds)}
  stopped, ended = {}, {}
  values = np.full((2, len(seeds), len(folds), len(epochs)), np.nan)
  for line in lines:
    s, e = np.searchsorted(seeds, line["seed"]), np.searchsorted(epochs, line["epoch"])
    f = place[line["fold"]]
    values[:, s, f, e] = [np.nan if line[key] is None else line[key] for key in _SCORES]
    if isinstance(line.get("stopped_at"), int):
      stopped[int(s), f] = line["stopped_at"]
    if isinstance(line.get("ended_at"), int):
      ended[int(s), f] = int(e)
  return History(epochs, values[0], values[1], list(folds.values()), unreadable, stopped, ended)
