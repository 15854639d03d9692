"""Figure: scores on the held-out clips over epochs, and the score of the leaky selection."""

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mer_jax.report import style

SCORES = {"accuracy": "accuracy", "uf1": "UF1", "uar": "UAR"}


class Curve(NamedTuple):
  """Scores on the held-out clips as training went on, every fold at the same epoch.

  Attributes:
    epochs: the E epochs of the snapshots.
    scores: by name, float64 [E, S], NaN where no fold has a prediction.
    leaky: by name, float64 [S], where every fold stops at the epoch that is best for it.
  """

  epochs: list[int]
  scores: dict[str, np.ndarray]
  leaky: dict[str, np.ndarray]


def draw(curve: Curve) -> bytes:
  """Draws a panel for each score: a line per seed, the last epoch, and the leaky selection.

  Returns:
    A PNG.
  """
  with style.house_style():
    figure = Figure(figsize=(10, 3.4), layout="tight")
    for axes, (name, label) in zip(figure.subplots(1, len(SCORES)), SCORES.items(), strict=True):
      _panel(axes, curve, name)
      axes.set_title(label)
    return style.png(figure)


def alt(curve: Curve) -> str:
  """The same in words."""
  parts = [
    f"{label} {np.nanmean(curve.scores[name][-1]):.3f} after the last epoch,"
    f" {np.nanmean(curve.leaky[name]):.3f} with the leaky selection"
    for name, label in SCORES.items()
    if np.isfinite(curve.scores[name][-1]).any()
  ]
  return f"Scores on the held-out clips over {curve.epochs[-1]} epochs: " + "; ".join(parts) + "."


def _panel(axes: Axes, curve: Curve, name: str) -> None:
  marker = "o" if len(curve.epochs) == 1 else None
  lines = curve.scores[name]
  thin = {"color": style.BLUE, "linewidth": 1, "alpha": max(0.3, 1 / lines.shape[1])}
  for s, line in enumerate(lines.T):
    label = "all folds at one epoch" + ", a line per seed" * (lines.shape[1] > 1)
    axes.plot(curve.epochs, line, marker=marker, label=None if s else label, **thin)
  last = curve.epochs[-1]
  axes.plot(
    [last] * lines.shape[1], lines[-1], "o", color=style.GREEN, markersize=5, label="last, honest"
  )
  known = curve.leaky[name][np.isfinite(curve.leaky[name])]
  if known.size:
    mean = float(known.mean())
    text = f"leaky, each fold's best: {mean:.2f}"
    axes.axhline(mean, color=style.VERMILION, linestyle="--", linewidth=1.2, label=text)
  axes.set_ylim(0, 1.35)  # room for the legend
  axes.set_yticks(np.linspace(0, 1, 6))
  axes.set_xlabel("epoch")
  axes.xaxis.set_major_locator(MaxNLocator(integer=True))
  axes.legend(loc="upper left", fontsize=7)
  style.faint_grid(axes, "y")
