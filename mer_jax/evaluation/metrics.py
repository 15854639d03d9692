"""Accuracy, precision, recall and F1 from confusion counts, as MEGC2019 defines them.

For class c with TP_c, FP_c, FN_c counted over everything that is pooled:
  precision_c = TP_c / (TP_c + FP_c), recall_c = TP_c / (TP_c + FN_c),
  F1_c = 2 TP_c / (2 TP_c + FP_c + FN_c).
Unweighted means over the K classes give precision, UAR (= recall) and UF1. See et al., "MEGC
2019 - The Second Facial Micro-Expressions Grand Challenge", FG 2019.

A class is *absent* from a ratio whose denominator is 0: from recall where it has no clip, from
precision where it is never predicted, from F1 where it is neither. In a pooled table an absent
class counts as 0, as in scikit-learn with zero_division=0. In the mean over folds the choice moves
the result by tens of points, so all three are computed.
"""

from typing import NamedTuple

import numpy as np

from mer_jax.errors import DataError

# What an absent class counts as; NaN stands for "left out of the mean".
CONVENTIONS = {"absent_as_0": 0.0, "absent_skipped": float("nan"), "absent_as_1": 1.0}
# The keys of every table of scores; recall and uar are one number under its two names.
SCORES = ("accuracy", "precision", "recall", "uf1", "uar")


class PerClass(NamedTuple):
  """Scores of each class: float64 [..., K] in 0..1, or NaN; support, int64 [..., K], in clips."""

  precision: np.ndarray
  recall: np.ndarray
  f1: np.ndarray
  support: np.ndarray


def confusion(labels: np.ndarray, predictions: np.ndarray, num_classes: int) -> np.ndarray:
  """Counts how often each true class was taken for each class.

  Args:
    labels: int [N], true classes, 0..K-1.
    predictions: int [N], predicted classes, 0..K-1.
    num_classes: K.

  Returns:
    int64 [K, K]; entry [i, j] counts the clips of class i that were predicted as j.

  Raises:
    DataError: the lengths differ, or a class is outside 0..K-1.
  """
  labels, predictions = np.asarray(labels), np.asarray(predictions)
  if labels.shape != predictions.shape or labels.ndim != 1:
    raise DataError(
      f"There are labels {labels.shape} and predictions {predictions.shape}; expected two [N]."
    )
  both = np.concatenate([labels, predictions])
  if both.size and (both.min() < 0 or both.max() >= num_classes):
    raise DataError(
      f"Classes run from {both.min()} to {both.max()}; expected 0..{num_classes - 1}."
    )
  flat = labels.astype(np.int64) * num_classes + predictions.astype(np.int64)
  return np.bincount(flat, minlength=num_classes**2).reshape(num_classes, num_classes)


def per_class(confusion: np.ndarray, absent: float = 0.0) -> PerClass:
  """Precision, recall and F1 of each class from counts [..., K, K], rows truth.

  Args:
    confusion: int [..., K, K] as `confusion` returns it, any number of axes in front.
    absent: the value of a ratio whose denominator is 0.
  """
  counts = np.asarray(confusion, np.int64)
  hits = np.einsum("...kk->...k", counts)
  predicted, support = counts.sum(-2), counts.sum(-1)
  return PerClass(
    precision=_ratio(hits, predicted, absent),
    recall=_ratio(hits, support, absent),
    f1=_ratio(2 * hits, predicted + support, absent),
    support=support,
  )


def scores(confusion: np.ndarray, absent: float = 0.0) -> dict[str, float]:
  """Accuracy, macro precision, recall (= uar) and uf1 of one confusion matrix.

  Args:
    confusion: int [K, K], rows truth, with at least one clip.
    absent: what an absent class counts as (module docstring); NaN leaves it out of the mean.

  Returns:
    The keys of `SCORES`, each 0..1.

  Raises:
    DataError: the matrix is not square or holds no clip.
  """
  counts = np.asarray(confusion, np.int64)
  if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or counts.sum() == 0:
    raise DataError(f"Scores need counts [K, K] of at least one clip; got {counts.tolist()}.")
  return {name: float(value) for name, value in score_arrays(counts, absent).items()}


def score_arrays(confusions: np.ndarray, absent: float = 0.0) -> dict[str, np.ndarray]:
  """`scores` of many confusion matrices at once.

  Args:
    confusions: whole numbers [..., K, K], rows truth.
    absent: as for `scores`; NaN needs a clip in every matrix.

  Returns:
    The keys of `SCORES`, each float64 [...], 0..1; NaN for a matrix without a clip.
  """
  by_class = per_class(confusions, absent)
  clips = by_class.support.sum(-1)
  hits = np.einsum("...kk->...", confusions)
  # One clip is enough for each of the three to be defined for some class, so no mean is empty.
  recall = np.nanmean(by_class.recall, axis=-1)
  values = {
    "accuracy": hits / np.maximum(clips, 1),
    "precision": np.nanmean(by_class.precision, axis=-1),
    "recall": recall,
    "uf1": np.nanmean(by_class.f1, axis=-1),
    "uar": recall,
  }
  return {name: np.where(clips > 0, value, np.nan) for name, value in values.items()}


def fold_means(confusions: np.ndarray) -> dict[str, dict[str, float]]:
  """The mean over folds of the scores of each fold, under each of `CONVENTIONS`.

  Not what MEGC2019 asks for, but what many papers print. Accuracy is the same under all three.

  Args:
    confusions: int [F, K, K], the counts of each fold's held-out clips.

  Returns:
    Convention -> the keys of `SCORES`.

  Raises:
    DataError: there is no fold, or one holds no clip.
  """
  return {
    name: mean([scores(fold, absent) for fold in confusions])
    for name, absent in CONVENTIONS.items()
  }


def mean(rows: list[dict[str, float]]) -> dict[str, float]:
  """The mean of each of `SCORES` over several tables of them (folds or seeds)."""
  if not rows:
    raise DataError("There is nothing to average: no fold or seed was evaluated.")
  return {name: float(np.mean([row[name] for row in rows])) for name in SCORES}


def _ratio(numerator: np.ndarray, denominator: np.ndarray, absent: float) -> np.ndarray:
  values = numerator / np.maximum(denominator, 1)
  return np.where(denominator > 0, values, absent)
