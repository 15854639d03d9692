"""Accuracy of every held-out subject."""

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mer_jax.evaluation.predictions import Predictions, made
from mer_jax.report import style

_PER_LINE = 36


class Subject(NamedTuple):
  """One held-out subject.

  Attributes:
    name: unique within its dataset.
    clips: how many it has.
    accuracy: float64 [S], 0..1, of each seed; NaN where the seed predicted none of the clips.
  """

  name: str
  clips: int
  accuracy: np.ndarray

  @property
  def known(self) -> np.ndarray:
    """float64 [<= S]: the accuracies that are no NaN."""
    return self.accuracy[~np.isnan(self.accuracy)]

  @property
  def mean(self) -> float:
    """Mean accuracy over the seeds that predicted this subject; NaN where none did."""
    return float(self.known.mean()) if self.known.size else float("nan")


def by_dataset(predictions: Predictions) -> dict[str, list[Subject]]:
  """Dataset -> its subjects, the best first; among equals the one with more clips.

  Subjects without a prediction stand last.
  """
  seeds = np.unique(predictions.seed)
  table: dict[str, list[Subject]] = {}
  for dataset in np.unique(predictions.dataset):
    inside = predictions.dataset == dataset
    subjects = []
    for name in np.unique(predictions.subject[inside]):
      rows = inside & (predictions.subject == name)
      accuracy = np.array([_accuracy(predictions, rows & (predictions.seed == s)) for s in seeds])
      subjects.append(Subject(str(name), int(rows.sum()) // len(seeds), accuracy))
    table[str(dataset)] = sorted(subjects, key=_rank)
  return table


def draw(predictions: Predictions) -> bytes:
  """Draws a bar per subject and dataset, the mean over seeds, with whiskers from worst to best.

  A subject without a prediction has an empty, hatched place.

  Returns:
    A PNG.
  """
  lines = [
    (dataset, subjects[i : i + _PER_LINE])
    for dataset, subjects in by_dataset(predictions).items()
    for i in range(0, len(subjects), _PER_LINE)
  ]
  most = max(len(shown) for _, shown in lines)
  with style.house_style():
    figure = Figure(figsize=(10, 0.3 + 2.1 * len(lines)), layout="tight")
    for i, (dataset, shown) in enumerate(lines):
      axes = figure.add_subplot(len(lines), 1, i + 1)
      _bars(axes, shown, slots=max(most, 12))
      _reference(axes, _pooled(predictions, dataset))
      _empty_places(axes, shown)
      axes.set_title(dataset)
    return style.png(figure)


def _rank(subject: Subject) -> tuple[float, int, str]:
  return (-subject.mean if subject.known.size else 1.0, -subject.clips, subject.name)


def _accuracy(predictions: Predictions, rows: np.ndarray) -> float:
  rows = rows & made(predictions)
  if not rows.any():
    return float("nan")
  return float((predictions.label[rows] == predictions.prediction[rows]).mean())


def _pooled(predictions: Predictions, dataset: str) -> float:
  """Accuracy over the dataset's clips, mean over the seeds that predicted any; else NaN."""
  inside = predictions.dataset == dataset
  seeds = np.unique(predictions.seed[inside & made(predictions)])
  each = [_accuracy(predictions, inside & (predictions.seed == seed)) for seed in seeds]
  return float(np.mean(each)) if each else float("nan")


def _bars(axes: Axes, subjects: list[Subject], slots: int) -> None:
  places = np.arange(len(subjects))
  drawn = [(place, subject) for place, subject in enumerate(subjects) if subject.known.size]
  means = np.array([subject.mean for _, subject in drawn])
  axes.bar([place for place, _ in drawn], means, width=0.72, color=style.BLUE)
  if len(subjects[0].accuracy) > 1 and drawn:
    # Equal accuracies can have a mean that rounds to below or above all of them.
    low = np.maximum(means - [subject.known.min() for _, subject in drawn], 0)
    high = np.maximum([subject.known.max() for _, subject in drawn] - means, 0)
    axes.errorbar(
      [place for place, _ in drawn],
      means,
      yerr=[low, high],
      fmt="none",
      ecolor=style.INK,
      elinewidth=0.9,
      capsize=2,
    )
  for place, subject in zip(places, subjects, strict=True):
    axes.text(float(place), 1.07, str(subject.clips), ha="center", fontsize=7.5)
  axes.annotate(
    "clips",
    (0.0, 1.07),
    xycoords=("axes fraction", "data"),
    xytext=(-4, 0),
    textcoords="offset points",
    ha="right",
    fontsize=7.5,
  )
  rotation = 90 if slots > 16 else 0
  axes.set_xticks(places, [subject.name for subject in subjects], rotation=rotation, fontsize=7.5)
  axes.set_xlim(-0.6, slots - 0.4)
  axes.set_ylim(0, 1.17)
  axes.set_yticks([0, 0.5, 1])
  axes.set_ylabel("accuracy")
  axes.tick_params(axis="x", length=0)
  style.faint_grid(axes, "y")


def _reference(axes: Axes, pooled: float) -> None:
  if np.isnan(pooled):
    return
  axes.axhline(pooled, color=style.VERMILION, linestyle="--", linewidth=1)
  axes.annotate(
    f"pooled {pooled:.2f}",
    (1.0, pooled),
    xycoords=("axes fraction", "data"),
    xytext=(4, -3),
    textcoords="offset points",
    color=style.VERMILION,
    fontsize=8,
  )


def _empty_places(axes: Axes, subjects: list[Subject]) -> None:
  for place, subject in enumerate(subjects):
    if not subject.known.size:
      axes.bar(place, 1, width=0.72, fill=False, edgecolor=style.FAINT, hatch="///", linewidth=0.6)
      axes.text(
        place,
        0.5,
        "no prediction",
        rotation=90,
        ha="center",
        va="center",
        fontsize=7,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
      )
