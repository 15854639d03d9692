"""The page of a grid: scores of systems and corpora, published ones in columns of their own."""

import json
import os
import pathlib
import urllib.parse
from collections.abc import Sequence
from typing import Any

from mer_jax.report import grid_figure, grid_sizes, ranges, score_table
from mer_jax.report.grid_columns import Column, columns
from mer_jax.report.grid_latex import tabular
from mer_jax.report.grid_results import Result, as_csv, record
from mer_jax.report.published import Number, Published
from mer_jax.report.templates import Figure, template
from mer_jax.runtime import atomic

DATASETS = {
  "casme2": "CASME II",
  "samm": "SAMM",
  "smic": "SMIC",
  "megc2019": "MEGC2019",
  "casme2_maps": "CASME II, maps",
  "megc2019_maps": "MEGC2019, maps",
}
TIMES = "Times include what a system computed from the clips first; later ones share that."


class Results:
  """Results as they come in; everything that is written or printed is of those that are there."""

  def __init__(
    self,
    folder: str | os.PathLike[str],
    systems: Sequence[str],
    published: Published | None = None,
    remarks: Sequence[str] = (),
  ):
    """Empty results.

    Args:
      folder: where `write` leaves it; the results' folders lie in it.
      systems: names, in their order.
      published: the published numbers that stand beside the measured ones.
      remarks: what must be read before the numbers.
    """
    self._folder = pathlib.Path(folder)
    self._systems, self._datasets = list(systems), list[str]()
    self._published = published
    self._remarks = [*remarks, *(published.doubts if published else ()), TIMES]
    self._results: dict[tuple[str, str], Result] = {}

  def add(self, system: str, dataset: str, result: Result) -> None:
    """Puts `result` into its place; a dataset is a column from its first result on."""
    if dataset not in self._datasets:
      self._datasets.append(dataset)
    self._results[system, dataset] = result

  def summaries(self) -> dict[str, dict[str, Any]]:
    """For each system and dataset what `evaluation.summarise` returned, or None."""
    return {
      system: {
        d: self._results[system, d].summary for d in self._datasets if (system, d) in self._results
      }
      for system in self._systems
    }

  def label(self, system: str) -> str:
    """The system as published: "HOOF N = 4, TIM = 10"; its name where it is not."""
    return " ".join(self._label(system)).strip()

  def line(self, system: str, dataset: str) -> str:
    """A result in one line: "accuracy .4480 (published .448), UF1 .4012, UAR .4102, 12 s"."""
    names = [column.name for column in self._columns()]
    cells = dict(zip(names, self._cells(system, dataset), strict=True))
    printed, time = cells.pop("published", ""), cells.pop("time")
    parts = [f"{name} {cell}" for name, cell in cells.items()]
    parts[0] += f" (published {printed})" if printed else ""
    text = ", ".join([*parts, time])
    reason = self._results[system, dataset].reason
    return f"{text}. {reason}" if reason else text

  def gaps(self) -> list[str]:
    """The cells without a result or with a gap in it: "atnet_fusion/smic", with the reason."""
    gaps = []
    for (system, dataset), result in self._results.items():
      gap = score_table.gap(result.summary) if result.summary else (result.reason or "no result")
      if gap:
        gaps.append(f"{system}/{dataset}: {result.reason or gap}")
    return gaps

  def console(self) -> str:
    """The table as lines of plain text, a block of columns for each corpus."""
    blocks = []
    for dataset in self._datasets:
      lines = [[DATASETS.get(dataset, dataset), *(column.name for column in self._columns())]]
      lines += [[self.label(system), *self._cells(system, dataset)] for system in self._systems]
      lines.append(self._majority(dataset))
      blocks.append(score_table.aligned(lines))
    return "\n\n".join([*blocks, *(f"Note: {remark}" for remark in self._remarks)])

  def write(self) -> pathlib.Path:
    """Writes results.csv, .json, .tex, .html and figures/results.png, each atomically.

    Returns:
      The path of results.html.
    """
    page = self._folder / "results.html"
    picture = Figure(grid_figure.draw(self._panels(), self._level(), self._score()), self._alt())
    atomic.write_bytes(self._folder / "figures" / "results.png", picture.png)
    atomic.write_text(self._folder / "results.csv", as_csv(self._records()))
    content = {
      "source_of_published": self._published.source if self._published else None,
      "remarks": self._remarks,
      "notes_on_published": self._published.notes if self._published else (),
      "results": self._records(),
    }
    text = json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    atomic.write_text(self._folder / "results.json", text)
    atomic.write_text(self._folder / "results.tex", self.latex())
    atomic.write_text(page, self._html(picture))
    return page

  def latex(self) -> str:
    """A tabular for LaTeX with the package booktabs; times are left out."""
    names = [column.name for column in self._columns()][:-1]  # without the time
    count = len(names)
    groups = [DATASETS.get(dataset, dataset) for dataset in self._datasets]
    rows = [
      [self.label(system), *(c for d in self._datasets for c in self._cells(system, d)[:count])]
      for system in self._systems
    ]
    majority = [c for d in self._datasets for c in self._majority(d)[1 : 1 + count]]
    return tabular(groups, names, rows, ["majority class", *majority], self._remarks)

  def _columns(self) -> tuple[Column, ...]:
    return columns(
      self._score(),
      leaky=any(result.leaky for result in self._results.values()),
      published=any(self._number(*key) for key in self._results),
    )

  def _score(self) -> str:
    """What published numbers are."""
    return self._published.score if self._published else "accuracy"

  def _label(self, system: str) -> tuple[str, str]:
    return self._published.rows.get(system, (system, "")) if self._published else (system, "")

  def _number(self, system: str, dataset: str) -> Number | None:
    return self._published.numbers.get((system, dataset)) if self._published else None

  def _cells(self, system: str, dataset: str) -> list[str]:
    """A cell for each of `_columns`."""
    return [self._cell(system, dataset, column) for column in self._columns()]

  def _cell(self, system: str, dataset: str, column: Column) -> str:
    result = self._results.get((system, dataset))
    if column.kind == "published":
      return self._printed(system, dataset)
    if column.kind == "time":
      return duration(result.seconds) if result else ""
    if result is None:
      return "–"
    summary = result.leaky if column.kind == "leaky" else result.summary
    if summary is None:
      return "–"
    pooled = summary["pooled"]
    text = score_table.number(pooled[column.score], (pooled["std"] or {}).get(column.score))
    return text + (" (gap)" if column == self._columns()[0] and summary["missing"] else "")

  def _printed(self, system: str, dataset: str) -> str:
    """The published number; a star marks an accuracy that cannot be a pooled one."""
    number = self._number(system, dataset)
    if number is None:
      return ""
    if self._score() != "accuracy":
      return score_table.number(number.value)
    return score_table.number(number.value)[:4] + ("*" if number.correct is None else "")

  def _intervals(self, system: str, dataset: str) -> list[str]:
    """The interval below each of `_cells`, ".448–.511"; "" where there is none."""
    pooled = self._pooled(system, dataset) or {}
    interval = pooled.get("interval") or {}
    return [
      score_table.span(interval[c.score]) if c.kind == "measured" and c.score in interval else ""
      for c in self._columns()
    ]

  def _pooled(self, system: str, dataset: str) -> dict[str, Any] | None:
    result = self._results.get((system, dataset))
    return result.summary["pooled"] if result and result.summary else None

  def _level(self) -> str:
    """The level of the intervals, "95 %"; "" where there is none."""
    every = (self._pooled(*key) for key in self._results)
    intervals = (pooled["interval"] for pooled in every if pooled)
    return next((score_table.percent(i["level"]) for i in intervals if i), "")

  def _majority(self, dataset: str) -> list[str]:
    summaries = [self._results[key].summary for key in self._results if key[1] == dataset]
    majority = next((summary["majority"] for summary in summaries if summary), {})
    cells = [
      score_table.number(majority.get(c.score)) if c.kind == "measured" else ""
      for c in self._columns()
    ]
    return ["majority class", *cells]

  def _records(self) -> list[dict[str, Any]]:
    return [
      record(self._folder, key, self._label(key[0]), self._results[key], number, self._score())
      for key in ((s, d) for s in self._systems for d in self._datasets)
      if key in self._results
      for number in [self._number(*key)]
    ]

  def _html(self, picture: Figure) -> str:
    rows = []
    for system in self._systems:
      cells = []
      for dataset in self._datasets:
        result = self._results.get((system, dataset))
        page = result.folder / "report.html" if result else None
        link = page.relative_to(self._folder).as_posix() if page and page.is_file() else None
        pairs = zip(self._cells(system, dataset), self._intervals(system, dataset), strict=True)
        cells.append({"link": urllib.parse.quote(link) if link else None, "values": list(pairs)})
      rows.append({"label": self._label(system), "cells": cells})
    return template("grid.html").render(
      title=f"{len(self._systems)} systems on {_count(len(self._datasets))}",
      remarks=self._remarks,
      source=self._published.source if self._published else None,
      datasets=[DATASETS.get(dataset, dataset) for dataset in self._datasets],
      columns=self._columns(),
      notes=self._published.notes if self._published else (),
      rows=rows,
      majority=[self._majority(dataset)[1:] for dataset in self._datasets],
      gaps=self.gaps(),
      level=self._level(),
      sizes=grid_sizes.lines(self._results, {s: self._label(s) for s in self._systems}, DATASETS),
      picture=picture,
    )

  def _panels(self) -> list[grid_figure.Panel]:
    panels = []
    for dataset in self._datasets:
      dots = [self._dot(system, dataset) for system in self._systems]
      summaries = [
        result.summary
        for (_, where), result in self._results.items()
        if where == dataset and result.summary
      ]
      majority = summaries[0]["majority"]["accuracy"] if summaries else None
      panels.append(grid_figure.Panel(DATASETS.get(dataset, dataset), dots, majority))
    return panels

  def _dot(self, system: str, dataset: str) -> grid_figure.Dot:
    pooled, printed = self._pooled(system, dataset), self._number(system, dataset)
    interval = (pooled and pooled["interval"]) or {}
    accuracy, uf1 = (
      ranges.Range(pooled[key], interval.get(key)) if pooled else None
      for key in ("accuracy", "uf1")
    )
    return grid_figure.Dot(self.label(system), accuracy, uf1, printed.value if printed else None)

  def _alt(self) -> str:
    lines = [
      f"{self.label(system)} on {DATASETS.get(d, d)}: {self.line(system, d)}"
      for system, d in self._results
    ]
    return f"Accuracy and UF1 of each system, published {self._score()} beside them. " + "; ".join(
      lines
    )


def duration(seconds: float | None) -> str:
  """ "12 s", "3 min 5 s", "2 h 4 min"; "" for None."""
  if seconds is None:
    return ""
  rounded = round(seconds)
  if rounded < 60:
    return f"{rounded} s"
  if rounded < 3600:
    return f"{rounded // 60} min {rounded % 60} s"
  return f"{rounded // 3600} h {rounded % 3600 // 60} min"


def _count(corpora: int) -> str:
  return "one corpus" if corpora == 1 else f"{corpora} corpora"
