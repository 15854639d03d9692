"""history.jsonl: one line for each chunk, seed and fold; readable while the run goes on."""

import json
import os
import pathlib
from collections.abc import Iterable, Sequence

import numpy as np

from mer_jax import atomic
from mer_jax.errors import TrainingError
from mer_jax.training.fold import NEVER, Sums


class History:
  """The training log of a run."""

  def __init__(self, path: str | os.PathLike[str], seeds: Sequence[int], subjects: Sequence[str]):
    """A log at `path` of S `seeds` and F folds named after the held-out `subjects`."""
    self._path = pathlib.Path(path)
    self._seeds, self._subjects = seeds, subjects

  def rewind(self, epoch: int) -> None:
    """Drops everything after `epoch`, and a last line that was cut off: those epochs come again."""
    atomic.write_text(self._path, "".join(self._lines(epoch)))

  def append(self, chunk: int, epoch: int, step: int, sums: Sums) -> None:
    """Adds a chunk.

    Args:
      chunk: counted from 0.
      epoch: epochs done at its end.
      step: steps done at its end.
      sums: leaves [S, F] on the host.

    Raises:
      TrainingError: a loss was not finite; names seed, fold and step. Nothing is written then.
    """
    self._check(sums, step, epoch)
    loss = np.where(sums.steps > 0, sums.loss / np.maximum(sums.steps, 1), np.nan)
    accuracy = np.where(sums.seen > 0, sums.correct / np.maximum(sums.seen, 1), np.nan)
    rows = [
      {
        "chunk": chunk,
        "epoch": epoch,
        "step": step,
        "seed": int(seed),
        "fold": f,
        "subject": subject,
        "loss": _number(loss[s, f]),
        "accuracy": _number(accuracy[s, f]),
      }
      for s, seed in enumerate(self._seeds)
      for f, subject in enumerate(self._subjects)
    ]
    with open(self._path, "a", encoding="utf-8") as file:
      file.write("".join(json.dumps(row) + "\n" for row in rows))

  def _lines(self, epoch: int) -> Iterable[str]:
    if not self._path.is_file():
      return
    for line in self._path.read_text(encoding="utf-8").splitlines(keepends=True):
      try:
        row = json.loads(line)
      except json.JSONDecodeError:
        return
      if row["epoch"] <= epoch and line.endswith("\n"):
        yield line

  def _check(self, sums: Sums, step: int, epoch: int) -> None:
    if np.all(sums.first_bad == NEVER):
      return
    s, f = map(int, np.unravel_index(np.argmin(sums.first_bad), sums.first_bad.shape))
    others = int(np.sum(sums.first_bad != NEVER)) - 1
    raise TrainingError(
      f"The training loss of fold {self._subjects[f]} (seed {self._seeds[s]}) is not finite from"
      f" step {sums.first_bad[s, f]} on (in the chunk that ends with epoch {epoch}, step {step})"
      + (f"; so are those of {others} other folds" if others else "")
      + ". Lower config.optimizer.learning_rate or change config.model.norm. Checkpoints from"
      " before that chunk are intact."
    )


def _number(value: np.floating) -> float | None:
  """JSON has no NaN: a fold that saw nothing in a chunk has no loss."""
  return float(value) if np.isfinite(value) else None
