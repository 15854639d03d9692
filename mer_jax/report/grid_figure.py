"""Accuracy and UF1 of each system, a panel per corpus, with the published score beside them."""

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mer_jax.report import style
from mer_jax.report.ranges import Range

_LINE = 0.36  # inches
_APART = 0.16  # between two scores on a line, in lines


class Dot(NamedTuple):
  """One system: its label, and scores of 0..1 with their intervals, None where there is none."""

  label: str
  accuracy: Range | None
  uf1: Range | None
  published: float | None


class Panel(NamedTuple):
  """One corpus: its title, its systems from top to bottom, accuracy of the majority class."""

  title: str
  dots: Sequence[Dot]
  majority: float | None


def draw(panels: Sequence[Panel], level: str = "", score: str = "accuracy") -> bytes:
  """Draws the panels side by side; they name the systems in the same order.

  Args:
    panels: one for each corpus.
    level: of the intervals, "95 %"; "" where there is none.
    score: what the published numbers are, "accuracy" or "uf1".

  Returns:
    A PNG.
  """
  count = max((len(panel.dots) for panel in panels), default=1)
  with style.house_style():
    figure = Figure(figsize=(3.2 + 2.9 * max(len(panels), 1), 1.3 + _LINE * count))
    figure.set_layout_engine("constrained")
    axes = figure.subplots(1, max(len(panels), 1), sharey=True, squeeze=False)[0]
    for place, panel in zip(axes, panels, strict=False):
      _draw_panel(place, panel, level, score)
    if panels:
      labels = [dot.label for dot in panels[0].dots]
      axes[0].set_yticks(range(len(labels)), labels, fontsize=8)
      axes[0].set_ylim(count - 0.4, -0.6)
      handles, names = axes[0].get_legend_handles_labels()
      figure.legend(handles, names, loc="outside lower right", ncols=3, fontsize=8)
    for place in axes:
      place.tick_params(axis="y", length=0)
    return style.png(figure)


def _draw_panel(axes: Axes, panel: Panel, level: str, score: str) -> None:
  axes.set_title(panel.title)
  for place in range(len(panel.dots)):
    axes.axhline(place, color="#efefef", linewidth=0.8, zorder=0)
  _draw_scores(axes, [dot.accuracy for dot in panel.dots], -_APART, "o", style.BLUE, "accuracy")
  _draw_scores(axes, [dot.uf1 for dot in panel.dots], _APART, "s", style.GREEN, "UF1")
  if level:
    axes.plot([], [], "-", color=style.INK, linewidth=1.4, label=f"{level} interval")
  shift, name = (_APART, "UF1") if score == "uf1" else (-_APART, "accuracy")
  known = [
    (dot.published, n + shift) for n, dot in enumerate(panel.dots) if dot.published is not None
  ]
  places = zip(*known, strict=True) if known else ([], [])
  axes.plot(*places, "D", ms=5, color=style.FAINT, mfc="white", label=f"published {name}")
  if panel.majority is not None:
    dashes = {"color": style.VERMILION, "linestyle": "--", "linewidth": 1.2}
    axes.axvline(panel.majority, label="accuracy of the majority class", **dashes)
  axes.set_xlim(0, 1)
  style.faint_grid(axes, "x")


def _draw_scores(
  axes: Axes, scores: Sequence[Range | None], shift: float, form: str, color: str, label: str
) -> None:
  """One score of each system, `shift` lines below the middle of its line."""
  axes.plot([], [], form, ms=5, color=color, label=label)
  for place, score in enumerate(scores):
    if score is None:
      continue
    if score.interval is not None:
      axes.plot(score.interval, [place + shift] * 2, "-", color=color, linewidth=1.4)
    axes.plot(score.value, place + shift, form, ms=5, color=color)
