"""Binary F1 of each of several labels that a clip may have at once, as CD6ME scores action units.

For label a with TP, FP, FN counted over everything that is pooled: F1_a = 2 TP / (2 TP + FP + FN).
The mean over the A labels is the score of a set of clips; CD6ME prints it pooled over all folds,
and as the mean over the held-out corpora of each one's own. The macro variant also scores "not
shown" as a class of its own: (F1 + F1 of the absence) / 2. Varanka, Li, Peng and Zhao, IEEE
Transactions on Affective Computing, 2023.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mer_jax.errors import DataError
from mer_jax.targets.single_class import CONVENTIONS


def summarise(
  labels: np.ndarray, predictions: np.ndarray, datasets: Sequence[str], names: Sequence[str]
) -> dict[str, Any]:
  """All scores of predictions of A labels.

  Args:
    labels: bool [N, A].
    predictions: bool [N, A], of clip n from the fold that held it out.
    datasets: N names of the corpora that the clips are of.
    names: A names of the labels.

  Returns:
    labels: the names.
    pooled: the `score` of all clips together.
    per_dataset: dataset -> the `score` of its clips.
    dataset_mean: convention (metrics.CONVENTIONS) -> the mean over datasets of their f1 and
      macro_f1, where a label that a dataset neither has nor predicts counts as the convention says.
    constant: what saying "shown" for every clip and label would get: the `score` pooled, and the
      dataset_mean. A system below it has learnt nothing.

  Raises:
    DataError: the shapes differ, or there is no clip or label.
  """
  labels, predictions = _checked(labels, predictions, datasets, names)
  constant = np.ones_like(labels)
  return {
    "labels": list(names),
    "pooled": score(labels, predictions, names),
    "per_dataset": _per_dataset(labels, predictions, datasets, names),
    "dataset_mean": _dataset_mean(labels, predictions, datasets),
    "constant": {
      **score(labels, constant, names),
      "dataset_mean": _dataset_mean(labels, constant, datasets),
    },
  }


def score(labels: np.ndarray, predictions: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
  """Scores of labels bool [N, A] and predictions bool [N, A] of one set of clips.

  Returns:
    clips: N.
    f1, macro_f1: means over the labels, one that is neither there nor predicted counting as 0, as
      in scikit-learn with zero_division=0.
    per_label: name -> f1, macro_f1 and support (clips that show it).
  """
  shown = f1(labels, predictions)
  macro = (shown + f1(~labels, ~predictions)) / 2
  return {
    "clips": len(labels),
    "f1": float(shown.mean()),
    "macro_f1": float(macro.mean()),
    "per_label": {
      name: {"f1": float(shown[a]), "macro_f1": float(macro[a]), "support": int(labels[:, a].sum())}
      for a, name in enumerate(names)
    },
  }


def f1(labels: np.ndarray, predictions: np.ndarray, absent: float = 0.0) -> np.ndarray:
  """float64 [A]: F1 of each column of labels bool [N, A] and predictions bool [N, A].

  Args:
    labels: True where the clip has the label.
    predictions: True where it is said to.
    absent: the F1 of a label that no clip has and that is never predicted.
  """
  hits = np.sum(labels & predictions, axis=0)
  either = labels.sum(axis=0) + predictions.sum(axis=0)
  return np.where(either > 0, 2 * hits / np.maximum(either, 1), absent)


def _checked(
  labels: np.ndarray, predictions: np.ndarray, datasets: Sequence[str], names: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
  labels, predictions = np.asarray(labels), np.asarray(predictions)
  expected = (len(datasets), len(names))
  for what, array in (("labels", labels), ("predictions", predictions)):
    if array.shape != expected or array.dtype != bool:
      raise DataError(
        f"The {what} are {array.dtype} {array.shape}; expected bool {expected}: clips, labels."
      )
  if 0 in expected:
    raise DataError(f"There are {expected[0]} clips and {expected[1]} labels; nothing to score.")
  return labels, predictions


def _per_dataset(
  labels: np.ndarray, predictions: np.ndarray, datasets: Sequence[str], names: Sequence[str]
) -> dict[str, Any]:
  owner = np.asarray(datasets)
  return {
    str(dataset): score(labels[owner == dataset], predictions[owner == dataset], names)
    for dataset in np.unique(owner)
  }


def _dataset_mean(
  labels: np.ndarray, predictions: np.ndarray, datasets: Sequence[str]
) -> dict[str, dict[str, float | None]]:
  owner = np.asarray(datasets)
  parts = [(labels[owner == d], predictions[owner == d]) for d in np.unique(owner)]
  means: dict[str, dict[str, float | None]] = {}
  for convention, absent in CONVENTIONS.items():
    shown = np.stack([f1(truth, predicted, absent) for truth, predicted in parts])
    not_shown = np.stack([f1(~truth, ~predicted, absent) for truth, predicted in parts])
    macro = _mean(np.stack([shown, not_shown]), axis=0)
    means[convention] = {
      name: _number(_mean(_mean(values, axis=1), axis=0))
      for name, values in (("f1", shown), ("macro_f1", macro))
    }
  return means


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
  """The mean along `axis` of what is no NaN; NaN where nothing is."""
  known = ~np.isnan(values)
  total = np.where(known, values, 0).sum(axis=axis)
  return np.where(known.any(axis=axis), total / np.maximum(known.sum(axis=axis), 1), np.nan)


def _number(value: np.ndarray) -> float | None:
  return None if np.isnan(value) else float(value)
