"""A dot with its interval per line and score: scores of runs, or differences between them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mer_jax.report import dots, style

_LINE = 0.3  # inches


class Range(NamedTuple):
  """A value, its interval (None where there is none), and a mark of reference or None."""

  value: float
  interval: Sequence[float] | None
  mark: float | None = None


class Line(NamedTuple):
  """What a line is of, and its ranges by the label of the score."""

  name: str
  ranges: Mapping[str, Range]


def draw(lines: Sequence[Line], level: str, *, mark: str = "", zero: bool = False) -> bytes:
  """Draws one panel per score, one line per run or pair, from top to bottom in the order given.

  Args:
    lines: at least one, all with the same labels.
    level: of the intervals, "95 %".
    mark: what the marks of reference are; "" without any.
    zero: whether 0 is of interest, where neither of two runs is better.

  Returns:
    A PNG.
  """
  labels = list(lines[0].ranges)
  with style.house_style():
    figure = Figure(figsize=(10, 1.2 + _LINE * max(len(lines), 2)), layout="constrained")
    panels = figure.subplots(1, len(labels), sharey=True, squeeze=False)[0]
    for label, axes in zip(labels, panels, strict=True):
      _panel(axes, [line.ranges[label] for line in lines], level, mark, zero)
      axes.set_title(label)
    names = [dots.shortened(line.name) for line in lines]
    panels[0].set_yticks(range(len(lines)), names, fontsize=8)
    panels[0].set_ylim(len(lines) - 0.4, -0.6)
    figure.legend(
      *panels[0].get_legend_handles_labels(), loc="outside lower right", ncols=3, fontsize=8
    )
    return style.png(figure)


def _panel(axes: Axes, ranges: Sequence[Range], level: str, mark: str, zero: bool) -> None:
  if zero:
    axes.axvline(0, color=style.VERMILION, linestyle="--", linewidth=1.2, label="no difference")
  axes.plot([], [], "o-", color=style.BLUE, ms=6, label=f"{level} interval over subjects")
  for place, (value, interval, _) in enumerate(ranges):
    axes.axhline(place, color="#efefef", linewidth=0.8, zorder=0)
    if interval is not None:
      axes.plot(interval, [place, place], color=style.BLUE, linewidth=1.6)
    axes.plot(value, place, "o", color=style.BLUE, ms=6)
  marks = [(value.mark, place) for place, value in enumerate(ranges) if value.mark is not None]
  if marks:
    axes.plot(*zip(*marks, strict=True), "|", color=style.VERMILION, ms=11, mew=2, label=mark)
  style.faint_grid(axes, "x")
  axes.tick_params(axis="y", length=0)
  axes.margins(x=0.08)
