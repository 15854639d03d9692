"""Accuracy and UF1 of each system, a panel per corpus, with the published accuracy beside them."""

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mer_jax.report import style

_LINE = 0.3  # inches


class Dot(NamedTuple):
  """One system: its label, and scores of 0..1, None where there is none."""

  label: str
  accuracy: float | None
  uf1: float | None
  published: float | None


class Panel(NamedTuple):
  """One corpus: its title, its systems from top to bottom, accuracy of the majority class."""

  title: str
  dots: Sequence[Dot]
  majority: float | None


def draw(panels: Sequence[Panel]) -> bytes:
  """Draws the panels side by side; they name the systems in the same order.

  Returns:
    A PNG.
  """
  count = max((len(panel.dots) for panel in panels), default=1)
  with style.house_style():
    figure = Figure(figsize=(3.2 + 2.9 * max(len(panels), 1), 1.3 + _LINE * count))
    figure.set_layout_engine("constrained")
    axes = figure.subplots(1, max(len(panels), 1), sharey=True, squeeze=False)[0]
    for place, panel in zip(axes, panels, strict=False):
      _draw_panel(place, panel)
    if panels:
      labels = [dot.label for dot in panels[0].dots]
      axes[0].set_yticks(range(len(labels)), labels, fontsize=8)
      axes[0].set_ylim(count - 0.4, -0.6)
      handles, names = axes[0].get_legend_handles_labels()
      figure.legend(handles, names, loc="outside lower right", ncols=4, fontsize=8)
    for place in axes:
      place.tick_params(axis="y", length=0)
    return style.png(figure)


def _draw_panel(axes: Axes, panel: Panel) -> None:
  axes.set_title(panel.title)
  for place in range(len(panel.dots)):
    axes.axhline(place, color="#efefef", linewidth=0.8, zorder=0)
  for values, form, color, fill, label in (
    ([dot.accuracy for dot in panel.dots], "o", style.BLUE, style.BLUE, "accuracy"),
    ([dot.uf1 for dot in panel.dots], "s", style.GREEN, style.GREEN, "UF1"),
    ([dot.published for dot in panel.dots], "D", style.FAINT, "white", "published accuracy"),
  ):
    known = [(value, place) for place, value in enumerate(values) if value is not None]
    places = zip(*known, strict=True) if known else ([], [])
    axes.plot(*places, form, ms=5.5, color=color, mfc=fill, label=label)
  if panel.majority is not None:
    dashes = {"color": style.VERMILION, "linestyle": "--", "linewidth": 1.2}
    axes.axvline(panel.majority, label="accuracy of the majority class", **dashes)
  axes.set_xlim(0, 1)
  style.faint_grid(axes, "x")
