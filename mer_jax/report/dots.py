"""A dot per run and score: mean, spread over seeds, and what the majority class gets."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mer_jax.report import style

_LINE = 0.3  # inches
_BELOW = 0.22  # single seeds below the line of their mean, in lines
_LONGEST = 48  # letters of a name


class Score(NamedTuple):
  """One score of a run, all 0..1.

  Attributes:
    mean: over the seeds.
    std: its standard deviation over the seeds; 0 with one seed.
    seeds: of each seed.
    majority: what naming the most frequent class gets.
    interval: its ends; None where it has none.
  """

  mean: float
  std: float
  seeds: Sequence[float]
  majority: float
  interval: Sequence[float] | None = None


class Line(NamedTuple):
  """A run: its name, its scores by label (None where it has no result), and a remark or ""."""

  name: str
  scores: Mapping[str, Score] | None
  remark: str


def draw(lines: Sequence[Line], level: str = "") -> bytes:
  """Draws one panel per score, one line per run, from top to bottom in the order given.

  A full dot is the mean, the thin line through it its interval, the thick one a standard deviation
  over the seeds to either side; pale dots below are single seeds. A run with a remark has a hollow
  dot and the remark beside its name. Dashes are the majority class.

  Args:
    lines: at least one.
    level: of the intervals, "95 %"; "" where there is none.

  Returns:
    A PNG.
  """
  labels = next((list(line.scores) for line in lines if line.scores), [])
  height = 1.15 + _LINE * max(len(lines), 3)
  with style.house_style():
    figure = Figure(figsize=(10, height), layout="constrained")
    panels = figure.subplots(1, max(len(labels), 1), sharey=True, squeeze=False)[0]
    for label, axes in zip(labels, panels, strict=False):
      _panel(axes, [line.scores[label] if line.scores else None for line in lines], lines, level)
      axes.set_title(label)
    panels[0].set_yticks(range(len(lines)), [_name(line) for line in lines], fontsize=8)
    panels[0].set_ylim(len(lines) - 0.4, -0.6)
    for axes in panels:
      axes.tick_params(axis="y", length=0)
    if labels:
      handles, names = panels[0].get_legend_handles_labels()
      figure.legend(handles, names, loc="outside lower right", ncols=5, fontsize=8)
    return style.png(figure)


def shortened(name: str) -> str:
  """`name` with a gap in its middle where it is too long for a line of a figure."""
  half = _LONGEST // 2
  return f"{name[:half]}…{name[-half:]}" if len(name) > _LONGEST else name


def _name(line: Line) -> str:
  name = shortened(line.name)
  return f"{name} ({line.remark})" if line.remark else name


def _panel(axes: Axes, scores: Sequence[Score | None], lines: Sequence[Line], level: str) -> None:
  known = [(place, score) for place, score in enumerate(scores) if score is not None]
  for place in range(len(lines)):
    axes.axhline(place, color="#efefef", linewidth=0.8, zorder=0)
  several = any(len(score.seeds) > 1 for _, score in known)
  # Empty lines for the legend: it must not depend on what kind of dot comes first.
  label = "mean, thick line: std over seeds" if several else "score"
  axes.plot([], [], "o", color=style.BLUE, ms=6, label=label)
  if several:
    seeds = [(value, place + _BELOW) for place, score in known for value in score.seeds]
    axes.plot(
      *zip(*seeds, strict=True), "o", color=style.BLUE, alpha=0.45, ms=3.5, mew=0, label="one seed"
    )
  if any(lines[place].remark for place, _ in known):
    axes.plot([], [], "o", color=style.BLUE, ms=6, mfc="white", label="with a gap")
  if level:
    axes.plot([], [], "-", color=style.BLUE, linewidth=1, label=f"{level} interval over people")
  for place, score in known:
    if score.interval is not None:
      axes.plot(score.interval, [place, place], "-", color=style.BLUE, linewidth=1)
    axes.errorbar(
      score.mean,
      place,
      xerr=score.std or None,
      fmt="o",
      color=style.BLUE,
      markersize=6,
      markerfacecolor="white" if lines[place].remark else style.BLUE,
      elinewidth=3,
    )
  _majority(axes, known, len(lines))
  style.faint_grid(axes, "x")


def _majority(axes: Axes, known: Sequence[tuple[int, Score]], count: int) -> None:
  levels = sorted({score.majority for _, score in known})
  style_of_line = {"color": style.VERMILION, "linestyle": "--", "linewidth": 1.2}
  if len(levels) == 1:
    axes.axvline(levels[0], label="majority class", **style_of_line)
    return
  for place, score in known:
    first = place == known[0][0]
    ends = (place - 0.45, place + 0.45)
    axes.vlines(score.majority, *ends, label="majority class" if first else "", **style_of_line)
  axes.set_ylim(count - 0.4, -0.6)
