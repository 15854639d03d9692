"""The clips of a run as a table: truth, prediction and probabilities, one row for each."""

from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from mer_jax.evaluation.clip_table import check_same_clips
from mer_jax.evaluation.predictions import Predictions, order, select
from mer_jax.report import score_table
from mer_jax.targets.single_class import NO_PREDICTION

NAMES = 6  # columns of text, before those of numbers


class Row(NamedTuple):
  """A clip: its cells in the order of the head, and whether most seeds that predicted it erred."""

  cells: list[str]
  wrong: bool


class Table(NamedTuple):
  """N clips, sorted by (dataset, subject, clip)."""

  head: list[str]
  rows: list[Row]


def table(predictions: Predictions, leaky: Collection[tuple[str, str]] = ()) -> Table:
  """The clips of a run, also those without a prediction.

  Of one seed: dataset, subject, clip, truth, prediction, "right" or "wrong", and the probability of
  each class. Of several: how often each class was predicted, how many of the seeds that predicted
  the clip were right, and their mean probabilities. "–" stands for what is not there; "leaky" is
  added to the verdict on clips of the (dataset, subject) pairs `leaky`, whom the model knew.

  Raises:
    DataError: the seeds predicted different clips.
  """
  predictions = select(predictions, order(predictions))
  parts = [select(predictions, predictions.seed == seed) for seed in np.unique(predictions.seed)]
  check_same_clips(parts)
  several, names = len(parts) > 1, predictions.class_names
  mean = "mean p" if several else "p"
  head = ["dataset", "subject", "clip", "truth", "predicted"]
  head += ["seeds right" if several else "verdict", *(f"{mean} {name}" for name in names)]
  predicted = np.stack([part.prediction for part in parts])
  probabilities = np.stack([part.probabilities for part in parts]).astype(np.float64)
  rows = []
  for n in range(len(parts[0].clip)):
    known = predicted[:, n] != NO_PREDICTION
    right = int((predicted[known, n] == parts[0].label[n]).sum())
    keys = tuple(str(field[n]) for field in (parts[0].dataset, parts[0].subject, parts[0].clip))
    text = predictions_text(predicted[:, n], names)
    p = probabilities[known, n].mean(axis=0) if known.any() else [None] * len(names)
    verdict = _verdict(right, int(known.sum()), several) + " (leaky)" * (keys[:2] in leaky)
    cells = [*keys, names[parts[0].label[n]], text, verdict, *map(_probability, p)]
    rows.append(Row(cells, bool(2 * right < known.sum())))
  return Table(head, rows)


def predictions_text(predicted: np.ndarray, names: tuple[str, ...]) -> str:
  """What seeds, int [S], predicted of a clip: "positive", or "negative 2, positive 1"; "–"."""
  known = predicted[predicted != NO_PREDICTION]
  if not known.size:
    return "–"
  if len(predicted) == 1:
    return names[known[0]]
  counts = np.bincount(known, minlength=len(names))
  ranked = sorted(np.flatnonzero(counts).tolist(), key=lambda k: -counts[k])
  return ", ".join(f"{names[k]} {counts[k]}" for k in ranked)


def _probability(p: float | None) -> str:
  return score_table.number(p) if p is None else f"{p:.3f}"


def _verdict(right: int, known: int, several: bool) -> str:
  if not known:
    return "–"
  if several:
    return f"{right} of {known}"
  return "right" if right else "wrong"
