"""The page of a grid: scores of systems and corpora, published ones in columns of their own."""

import csv
import io
import json
import os
import pathlib
import urllib.parse
from collections.abc import Sequence
from typing import Any, NamedTuple

from mer_jax.report import grid_figure, ranges, score_table
from mer_jax.report.grid_latex import tabular
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
COLUMNS = ("accuracy", "published", "UF1", "UAR", "time")
# The score of each column, "" where it is none of this run.
KEYS = ("accuracy", "", "uf1", "uar", "")
TIMES = "Times include what a system computed from the clips first; later ones share that."


class Result(NamedTuple):
  """A system on a corpus.

  Attributes:
    folder: workdir of the run.
    summary: what `evaluation.summarise` returned; None where there is no result.
    seconds: that it took, over all sittings; None where it is not known.
    reason: why there is no result, or a gap in it; "" in a complete run.
  """

  folder: pathlib.Path
  summary: dict[str, Any] | None
  seconds: float | None
  reason: str = ""


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
    accuracy, printed, uf1, uar, time = self._cells(system, dataset)
    beside = f" (published {printed})" if printed else ""
    text = f"accuracy {accuracy}{beside}, UF1 {uf1}, UAR {uar}, {time}"
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
      lines = [[DATASETS.get(dataset, dataset), *COLUMNS]]
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
    picture = Figure(grid_figure.draw(self._panels(), self._level()), self._alt())
    atomic.write_bytes(self._folder / "figures" / "results.png", picture.png)
    atomic.write_text(self._folder / "results.csv", self._csv())
    content = {
      "source_of_published": self._published.source if self._published else None,
      "remarks": self._remarks,
      "results": self._records(),
    }
    text = json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    atomic.write_text(self._folder / "results.json", text)
    atomic.write_text(self._folder / "results.tex", self.latex())
    atomic.write_text(page, self._html(picture))
    return page

  def latex(self) -> str:
    """A tabular for LaTeX with the package booktabs; times are left out."""
    count = len(COLUMNS) - 1
    groups = [DATASETS.get(dataset, dataset) for dataset in self._datasets]
    rows = [
      [self.label(system), *(c for d in self._datasets for c in self._cells(system, d)[:count])]
      for system in self._systems
    ]
    majority = [c for d in self._datasets for c in self._majority(d)[1 : 1 + count]]
    return tabular(groups, COLUMNS[:count], rows, ["majority class", *majority], self._remarks)

  def _label(self, system: str) -> tuple[str, str]:
    return self._published.rows.get(system, (system, "")) if self._published else (system, "")

  def _number(self, system: str, dataset: str) -> Number | None:
    return self._published.numbers.get((system, dataset)) if self._published else None

  def _cells(self, system: str, dataset: str) -> list[str]:
    """As in COLUMNS. A star marks a published number that cannot be a pooled accuracy."""
    printed, result = self._number(system, dataset), self._results.get((system, dataset))
    published = ""
    if printed:
      star = "" if printed.correct is not None else "*"
      published = score_table.number(printed.accuracy)[:4] + star
    if result is None or result.summary is None:
      return ["–", published, "–", "–", duration(result.seconds) if result else ""]
    pooled = result.summary["pooled"]
    std = pooled["std"] or {}
    accuracy, uf1, uar = (
      score_table.number(pooled[k], std.get(k)) for k in ("accuracy", "uf1", "uar")
    )
    gap = " (gap)" if result.summary["missing"] else ""
    return [accuracy + gap, published, uf1, uar, duration(result.seconds)]

  def _intervals(self, system: str, dataset: str) -> list[str]:
    """The interval below each of `_cells`, ".448–.511"; "" where there is none."""
    pooled = self._pooled(system, dataset) or {}
    interval = pooled.get("interval") or {}
    return [score_table.span(interval[key]) if key in interval else "" for key in KEYS]

  def _pooled(self, system: str, dataset: str) -> dict[str, Any] | None:
    result = self._results.get((system, dataset))
    return result.summary["pooled"] if result and result.summary else None

  def _level(self) -> str:
    """The level of the intervals, "95 %"; "" where there is none."""
    every = (self._pooled(*key) for key in self._results)
    intervals = (pooled["interval"] for pooled in every if pooled)
    return next((score_table.percent(i["level"]) for i in intervals if i), "")

  def _majority(self, dataset: str) -> list[str]:
    for system in self._systems:
      result = self._results.get((system, dataset))
      if result and result.summary:
        majority = result.summary["majority"]
        scores = [score_table.number(majority[key]) for key in ("accuracy", "uf1", "uar")]
        return ["majority class", scores[0], "", *scores[1:], ""]
    return ["majority class", "–", "", "–", "–", ""]

  def _records(self) -> list[dict[str, Any]]:
    return [
      self._record(system, dataset, self._results[system, dataset])
      for system in self._systems
      for dataset in self._datasets
      if (system, dataset) in self._results
    ]

  def _record(self, system: str, dataset: str, result: Result) -> dict[str, Any]:
    label, setting = self._label(system)
    printed, summary = self._number(system, dataset), result.summary
    pooled = summary["pooled"] if summary else {}
    std, (low, high) = pooled.get("std") or {}, score_table.ends(pooled)
    parts = {"": pooled, "_std": std, "_low": low, "_high": high}
    return {
      "system": system,
      "label": label,
      "setting": setting,
      "dataset": dataset,
      "clips": pooled.get("clips"),
      "clips_missing": sum(pooled["clips_missing"].values()) if summary else None,
      "seeds": len(summary["seeds_scored"]) if summary else 0,
      **{
        f"{key}{end}": part.get(key)
        for key in ("accuracy", "uf1", "uar")
        for end, part in parts.items()
      },
      "fold_mean_accuracy": summary["fold_mean"]["absent_as_0"]["accuracy"] if summary else None,
      "majority_accuracy": summary["majority"]["accuracy"] if summary else None,
      "majority_uf1": summary["majority"]["uf1"] if summary else None,
      "published_accuracy": printed.accuracy if printed else None,
      "published_clips": printed.clips if printed else None,
      "published_correct": printed.correct if printed else None,
      "seconds": result.seconds,
      "folder": result.folder.relative_to(self._folder).as_posix(),
      "gap": result.reason or (score_table.gap(summary) if summary else None) or "",
    }

  def _csv(self) -> str:
    text = io.StringIO()
    records = self._records()
    writer = csv.DictWriter(text, list(records[0]) if records else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()

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
      columns=COLUMNS,
      rows=rows,
      majority=[self._majority(dataset)[1:] for dataset in self._datasets],
      gaps=self.gaps(),
      level=self._level(),
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
    return grid_figure.Dot(self.label(system), accuracy, uf1, printed.accuracy if printed else None)

  def _alt(self) -> str:
    lines = [
      f"{self.label(system)} on {DATASETS.get(d, d)}: {self.line(system, d)}"
      for system, d in self._results
    ]
    return "Accuracy and UF1 of each system, published accuracy beside them. " + "; ".join(lines)


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
