"""Learning curves: what training did in each fold, against what the class prior alone explains."""

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mer_jax.evaluation import folds
from mer_jax.evaluation.predictions import Predictions, select
from mer_jax.report import style
from mer_jax.report.history import History


class Prior(NamedTuple):
  """What knowing only the class frequencies of its training clips gives a fold.

  Attributes:
    loss: float64 [F], cross-entropy in nats of always predicting those frequencies.
    accuracy: float64 [F], share of the most frequent class.
  """

  loss: np.ndarray
  accuracy: np.ndarray


def prior(predictions: Predictions, subjects: list[str]) -> Prior:
  """The prior of each fold: the classes of all clips but those it holds out.

  Args:
    predictions: of any number of seeds.
    subjects: the F held-out subjects, "casme2/sub01"; or corpora, "casme2".
  """
  once = select(predictions, predictions.seed == predictions.seed[0])
  k = len(once.class_names)
  owner = folds.names(once.dataset, once.subject, once.fold)
  counts = np.stack([np.bincount(once.label[owner != s], minlength=k) for s in subjects])
  share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
  logs = np.log(share, out=np.zeros_like(share), where=share > 0)
  return Prior(loss=-(share * logs).sum(axis=1), accuracy=share.max(axis=1))


def learned(history: History, reference: Prior) -> tuple[int, int]:
  """How many of the (seed, fold) trainings ended with a loss below their prior's, and of how many.

  One that ended without a finite loss did not.
  """
  last = history.last_loss
  with np.errstate(invalid="ignore"):
    below = last < reference.loss
  return int(below.sum()), last.size


def draw(history: History, reference: Prior) -> bytes:
  """Draws loss and accuracy over epochs: a thin line per fold (mean over seeds), their median.

  A dashed line marks the prior (median over folds). Values that are not finite are left out; a
  cross marks the last finite one of each training that was stopped.

  Returns:
    A PNG.
  """
  with style.house_style():
    figure = Figure(figsize=(10, 3.6), layout="tight")
    left, right = figure.subplots(1, 2)
    _panel(left, history, history.loss, float(np.median(reference.loss)), "class prior")
    left.set_title("training loss")
    left.set_ylabel("nats")
    _scale(left, history.loss)
    _panel(
      right, history, history.accuracy, float(np.median(reference.accuracy)), "most frequent class"
    )
    right.set_title("training accuracy")
    right.set_ylim(0, 1.02)
    for axes, corner in ((left, "upper right"), (right, "lower right")):
      for handle in axes.legend(loc=corner, fontsize=8).legend_handles:
        if handle is not None:
          handle.set_alpha(1)  # a single thin line is too pale to recognise
    return style.png(figure)


def _panel(axes: Axes, history: History, values: np.ndarray, level: float, what: str) -> None:
  folds = _mean(np.where(np.isfinite(values), values, np.nan))
  # A single chunk has no line to draw, only a point.
  marker = "o" if len(history.epochs) == 1 else None
  thin = {"color": style.BLUE, "linewidth": 0.6, "alpha": max(0.15, min(0.6, 6 / len(folds)))}
  for i, fold in enumerate(folds):
    label = "one line per fold" if i == 0 else None
    axes.plot(history.epochs, fold, marker=marker, markersize=3, label=label, **thin)
  median = _median(folds)
  axes.plot(
    history.epochs, median, marker=marker, color=style.BLUE, linewidth=2, label="median of folds"
  )
  _crosses(axes, history, values)
  axes.axhline(
    level, color=style.VERMILION, linestyle="--", linewidth=1.2, label=f"{what}: {level:.2f}"
  )
  axes.set_xlabel("epoch")
  axes.xaxis.set_major_locator(MaxNLocator(integer=True))
  style.faint_grid(axes, "y")


def _crosses(axes: Axes, history: History, values: np.ndarray) -> None:
  ends = [(np.flatnonzero(np.isfinite(values[s, f])), values[s, f]) for s, f in history.stopped]
  ends = [(history.epochs[finite[-1]], line[finite[-1]]) for finite, line in ends if finite.size]
  if ends:
    epochs, last = zip(*ends, strict=True)
    axes.plot(epochs, last, "x", color=style.VERMILION, markersize=5, label="stopped")


def _scale(axes: Axes, loss: np.ndarray) -> None:
  finite = loss[np.isfinite(loss) & (loss > 0)]
  if finite.size and finite.max() > 30 * np.median(finite):
    axes.set_yscale("log")  # one fold that exploded must not press the others flat
  else:
    axes.set_ylim(0, 1.3 * axes.get_ylim()[1])  # room for the legend


def _mean(values: np.ndarray) -> np.ndarray:
  """Mean over the first axis of what is not NaN; NaN, without a warning, where nothing is."""
  known = ~np.isnan(values)
  total = np.where(known, values, 0).sum(axis=0)
  return np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)


def _median(folds: np.ndarray) -> np.ndarray:
  columns = [column[~np.isnan(column)] for column in folds.T]
  return np.array([np.median(column) if column.size else np.nan for column in columns])
