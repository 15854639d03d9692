"""history.jsonl: one line for each chunk, seed and fold; readable while the run goes on.

Every setting of a sweep has such a file of its own.
"""

import json
import os
import pathlib
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from mer_jax.errors import TrainingError
from mer_jax.runtime import atomic
from mer_jax.training.fold import NEVER, Sums


class History:
  """The training log of a run."""

  def __init__(
    self,
    paths: Sequence[str | os.PathLike[str]],
    seeds: Sequence[int],
    subjects: Sequence[str],
    ends: np.ndarray | None = None,
    stages: Sequence[tuple[str, int]] = (),
  ):
    """A log at each of P `paths` of S `seeds` and F folds named after the held-out `subjects`.

    `ends` (int [S, F]) says after which epoch each fold trains no more; None: all go on. `stages`
    are names of stages and the epochs at which they end; every line then names its own.
    """
    self._paths = [pathlib.Path(path) for path in paths]
    self._seeds, self._subjects, self._ends, self._stages = seeds, subjects, ends, stages

  def rewind(self, epoch: int) -> None:
    """Drops everything after `epoch`, and a last line that was cut off: those epochs come again."""
    for path in self._paths:
      atomic.write_text(path, "".join(lines_until(path, epoch)))

  def append(self, chunk: int, epoch: int, step: int, sums: Sums) -> None:
    """Adds a chunk.

    Args:
      chunk: counted from 0; a stage that ends within one makes two lines of it.
      epoch: epochs done at its end.
      step: steps done at its end.
      sums: leaves [S, P F] on the host.

    Raises:
      TrainingError: the loss of no fold is finite any more; names the first that was not.
      WorkdirError: the disk is full.
    """
    for path, part in zip(self._paths, _split(sums, len(self._paths)), strict=True):
      rows = self._rows(part, {"chunk": chunk, "epoch": epoch, "step": step, **self._stage(epoch)})
      atomic.append_text(path, "".join(json.dumps(row) + "\n" for row in rows))
    if np.all(sums.stopped != NEVER):
      s, u = map(int, np.unravel_index(np.argmin(sums.stopped), sums.stopped.shape))
      raise TrainingError(
        "No fold's training loss is finite any more. The first to leave the finite numbers was"
        f" {self._subjects[u % len(self._subjects)]} (seed {self._seeds[s]}) at step"
        f" {sums.stopped[s, u]}; by the end of epoch {epoch} all had. Lower"
        " config.optimizer.learning_rate or change config.model.norm."
      )

  def synchronise(self) -> None:
    """Returns when everything that was added would outlast a power loss.

    Raises:
      WorkdirError: the disk failed.
    """
    for path in self._paths:
      synchronise_log(path)

  def _stage(self, epoch: int) -> dict[str, str]:
    return next(({"stage": name} for name, end in self._stages if epoch <= end), {})

  def _rows(self, sums: Sums, when: dict[str, Any]) -> Iterable[dict]:
    loss = np.where(sums.steps > 0, sums.loss / np.maximum(sums.steps, 1), np.nan)
    accuracy = np.where(sums.seen > 0, sums.correct / np.maximum(sums.seen, 1), np.nan)
    for s, seed in enumerate(self._seeds):
      for f, subject in enumerate(self._subjects):
        stopped = int(sums.stopped[s, f])
        end = when["epoch"] if self._ends is None else int(self._ends[s, f])
        if when["epoch"] > end:
          continue
        yield {
          **when,
          "seed": int(seed),
          "fold": f,
          "subject": subject,
          "loss": _number(loss[s, f]),
          "accuracy": _number(accuracy[s, f]),
          **({} if stopped == NEVER else {"stopped_at": stopped}),
          **({"ended_at": when["step"]} if self._ends is not None and when["epoch"] == end else {}),
        }


def synchronise_log(path: pathlib.Path) -> None:
  """`atomic.synchronise` of a log; raises WorkdirError where the disk failed."""
  try:
    atomic.synchronise(path)
  except OSError as error:
    raise atomic.cannot_write(path, error) from error


def lines_until(path: pathlib.Path, epoch: int) -> list[str]:
  """The whole lines of a log up to `epoch`, which every line names.

  Lines that are none, but for a last one that was cut off, are named on standard error.
  """
  if not path.is_file():
    return []
  kept, damaged = [], []
  for number, line in enumerate(path.read_bytes().splitlines(keepends=True), 1):
    try:
      text = line.decode("utf-8")
      if json.loads(text)["epoch"] <= epoch and text.endswith("\n"):
        kept.append(text)
    except (ValueError, KeyError, TypeError, RecursionError):
      damaged += [number] if line.endswith(b"\n") else []
  if damaged:
    print(
      f"warning: {len(damaged)} lines of {path} cannot be read, the first of them line"
      f" {damaged[0]}; they are left out.",
      file=sys.stderr,
    )
  return kept


def _split(sums: Sums, parts: int) -> list[Sums]:
  """Leaves [S, P F] -> P times leaves [S, F]."""
  columns = [np.split(leaf, parts, axis=1) for leaf in sums]
  return [Sums(*leaves) for leaves in zip(*columns, strict=True)]


def _number(value: np.floating) -> float | None:
  """JSON has no NaN: a fold that saw nothing in a chunk has no loss."""
  return float(value) if np.isfinite(value) else None
