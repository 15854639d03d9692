"""Predictions as a table: a row for each clip, a column for each seed, and counts by subject."""

from typing import NamedTuple

import numpy as np

from mer_jax.errors import DataError
from mer_jax.evaluation import folds
from mer_jax.evaluation.predictions import Predictions, check, order, select
from mer_jax.targets.single_class import NO_PREDICTION


class ClipTable(NamedTuple):
  """N clips that S seeds predicted, sorted by (dataset, subject, clip).

  Attributes:
    seeds: int64 [S], ascending.
    dataset, subject, clip: str [N], together the key of the clip.
    label: int64 [N], the true class, 0..K-1.
    prediction: int64 [S, N], the class each seed predicted, or `NO_PREDICTION`.
    class_names: the K names, in the order of the indices.
    fold: str [N], the fold that held the clip out; None where subjects were held out.
  """

  seeds: np.ndarray
  dataset: np.ndarray
  subject: np.ndarray
  clip: np.ndarray
  label: np.ndarray
  prediction: np.ndarray
  class_names: tuple[str, ...]
  fold: np.ndarray | None = None


def clip_table(predictions: Predictions) -> ClipTable:
  """Puts the seeds' predictions of the same clips side by side.

  Raises:
    DataError: the predictions contradict each other, or the seeds predicted different clips.
  """
  check(predictions)
  predictions = select(predictions, order(predictions))
  seeds = np.unique(predictions.seed)
  parts = [select(predictions, predictions.seed == seed) for seed in seeds]
  check_same_clips(parts)
  first = parts[0]
  return ClipTable(
    seeds=seeds,
    dataset=first.dataset,
    subject=first.subject,
    clip=first.clip,
    label=first.label,
    prediction=np.stack([part.prediction for part in parts]),
    class_names=first.class_names,
    fold=folds.unless_subjects(first.dataset, first.subject, first.fold),
  )


def check_same_clips(parts: list[Predictions]) -> None:
  """Raises DataError unless the sorted predictions of each seed are about the same clips.

  The same folds must have held them out.
  """
  first = parts[0]
  for part in parts[1:]:
    for name in ("dataset", "subject", "clip", "label"):
      if not np.array_equal(getattr(first, name), getattr(part, name)):
        raise DataError(
          f"The seeds {first.seed[0]} and {part.seed[0]} predicted different clips or labels"
          f" ({len(first.clip)} and {len(part.clip)} rows; they differ in {name}). Every seed must"
          " predict every clip once: finish the run before its scores are computed."
        )
    held = [folds.names(each.dataset, each.subject, each.fold) for each in (first, part)]
    if not np.array_equal(held[0], held[1]):
      raise DataError(
        f"The seeds {first.seed[0]} and {part.seed[0]} held out different folds. All seeds of a run"
        " have the same folds: evaluate runs under different protocols apart."
      )


def scored(table: ClipTable) -> ClipTable:
  """Without the seeds that predicted nothing, and without the clips that no seed predicted."""
  predicted = table.prediction != NO_PREDICTION
  return rows(table, predicted.any(axis=0), predicted.any(axis=1))


def rows(table: ClipTable, clips: np.ndarray, seeds: np.ndarray | slice = slice(None)) -> ClipTable:
  """The clips at `clips` (bool [N]) and the predictions of the seeds at `seeds` (bool [S])."""
  return table._replace(
    seeds=table.seeds[seeds],
    dataset=table.dataset[clips],
    subject=table.subject[clips],
    clip=table.clip[clips],
    label=table.label[clips],
    prediction=table.prediction[seeds][:, clips],
    fold=None if table.fold is None else table.fold[clips],
  )


def fold_ids(clips: ClipTable | Predictions) -> np.ndarray:
  """int64 [N]: which fold held out each row, 0..F-1 in sorted order."""
  if clips.fold is None:
    return subject_ids(clips)
  return np.unique(clips.fold, return_inverse=True)[1].reshape(-1)


def subject_ids(clips: ClipTable | Predictions) -> np.ndarray:
  """int64 [N]: which subject each row is of, 0.. in sorted order, whatever the folds are.

  A subject's name is unique only within its dataset.
  """
  keys = np.stack([clips.dataset, clips.subject])
  return np.unique(keys, axis=1, return_inverse=True)[1].reshape(-1)


class BySubject(NamedTuple):
  """F subjects, each held out, alone or with its whole corpus.

  Attributes:
    dataset: str [F], of each subject.
    confusions: int64 [S, F, K, K], the confusion counts of each seed and subject, rows truth.
  """

  dataset: np.ndarray
  confusions: np.ndarray


def by_subject(table: ClipTable) -> BySubject:
  """Counts the predictions of each subject apart; their sum over F are the pooled counts."""
  owner, k = subject_ids(table), len(table.class_names)
  s, f = len(table.seeds), int(owner.max()) + 1 if len(owner) else 0
  predicted = table.prediction != NO_PREDICTION
  place = (np.arange(s)[:, None] * f + owner) * k + table.label
  flat = (place * k + table.prediction)[predicted]
  counts = np.bincount(flat, minlength=s * f * k * k).reshape(s, f, k, k)
  first = np.unique(owner, return_index=True)[1]
  return BySubject(table.dataset[first], counts)
