"""Accuracy of every held-out subject."""

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mer_jax.evaluation.predictions import Predictions
from mer_jax.report import style

_PER_LINE = 36


class Subject(NamedTuple):
  """One held-out subject: name, number of clips, accuracy per seed (float64 [S], 0..1)."""

  name: str
  clips: int
  accuracy: np.ndarray


def by_dataset(predictions: Predictions) -> dict[str, list[Subject]]:
  """Dataset -> its subjects, the best first; among equals the one with more clips."""
  seeds = np.unique(predictions.seed)
  right = predictions.label == predictions.prediction
  table: dict[str, list[Subject]] = {}
  for dataset in np.unique(predictions.dataset):
    inside = predictions.dataset == dataset
    subjects = []
    for name in np.unique(predictions.subject[inside]):
      rows = inside & (predictions.subject == name)
      accuracy = np.array([right[rows & (predictions.seed == seed)].mean() for seed in seeds])
      subjects.append(Subject(str(name), int(rows.sum()) // len(seeds), accuracy))
    table[str(dataset)] = sorted(subjects, key=lambda s: (-s.accuracy.mean(), -s.clips, s.name))
  return table


def draw(predictions: Predictions) -> bytes:
  """Draws a bar per subject and dataset, the mean over seeds, with whiskers from worst to best.

  Returns:
    A PNG.
  """
  lines = [
    (dataset, subjects[i : i + _PER_LINE], subjects)
    for dataset, subjects in by_dataset(predictions).items()
    for i in range(0, len(subjects), _PER_LINE)
  ]
  most = max(len(shown) for _, shown, _ in lines)
  with style.house_style():
    figure = Figure(figsize=(10, 0.3 + 2.1 * len(lines)), layout="tight")
    for i, (dataset, shown, subjects) in enumerate(lines):
      axes = figure.add_subplot(len(lines), 1, i + 1)
      _bars(axes, shown, _pooled(subjects), slots=max(most, 12))
      axes.set_title(dataset)
    return style.png(figure)


def _pooled(subjects: list[Subject]) -> float:
  clips = np.array([subject.clips for subject in subjects])
  return float(clips @ [subject.accuracy.mean() for subject in subjects] / clips.sum())


def _bars(axes: Axes, subjects: list[Subject], pooled: float, slots: int) -> None:
  places = np.arange(len(subjects))
  means = np.array([subject.accuracy.mean() for subject in subjects])
  axes.bar(places, means, width=0.72, color=style.BLUE)
  if len(subjects[0].accuracy) > 1:
    # Equal accuracies can have a mean that rounds to below or above all of them.
    low = np.maximum(means - [subject.accuracy.min() for subject in subjects], 0)
    high = np.maximum([subject.accuracy.max() for subject in subjects] - means, 0)
    axes.errorbar(
      places, means, yerr=[low, high], fmt="none", ecolor=style.INK, elinewidth=0.9, capsize=2
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
  rotation = 90 if slots > 16 else 0
  axes.set_xticks(places, [subject.name for subject in subjects], rotation=rotation, fontsize=7.5)
  axes.set_xlim(-0.6, slots - 0.4)
  axes.set_ylim(0, 1.17)
  axes.set_yticks([0, 0.5, 1])
  axes.set_ylabel("accuracy")
  axes.tick_params(axis="x", length=0)
  style.faint_grid(axes, "y")
