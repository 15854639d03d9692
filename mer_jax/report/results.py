"""The table of systems and corpora: what was measured, and what is published in its own columns."""

import csv
import io
import json
import os
import pathlib
import urllib.parse
from collections.abc import Sequence
from typing import Any, NamedTuple

from mer_jax import atomic
from mer_jax.report import results_figure, table
from mer_jax.report.published import Number, Published
from mer_jax.report.templates import Figure, template

DATASETS = {"casme2": "CASME II", "samm": "SAMM", "smic": "SMIC"}
COLUMNS = ("accuracy", "published", "UF1", "UAR", "time")
TIMES = (
  "Times include what a row computed from the clips first; later rows of the same kind share that."
)


class Result(NamedTuple):
  """What came of one system on one corpus.

  Attributes:
    folder: workdir of the run.
    summary: what `evaluation.summarise` returned; None where there is no result.
    seconds: that it took, over all sittings; None where nobody knows.
    reason: why there is no result, or a gap in it; "" in a complete run.
  """

  folder: pathlib.Path
  summary: dict[str, Any] | None
  seconds: float | None
  reason: str = ""


class Table:
  """Results as they come in; everything that is written or printed is of those that are there."""

  def __init__(
    self,
    folder: str | os.PathLike[str],
    rows: Sequence[str],
    published: Published | None = None,
    remarks: Sequence[str] = (),
  ):
    """An empty table.

    Args:
      folder: where `write` leaves it; the results' folders lie in it.
      rows: names, in their order.
      published: the published numbers that stand beside the measured ones.
      remarks: what must be read before the numbers.
    """
    self._folder = pathlib.Path(folder)
    self._rows, self._datasets = list(rows), list[str]()
    self._published = published
    self._remarks = [*remarks, *(published.doubts if published else ()), TIMES]
    self._results: dict[tuple[str, str], Result] = {}

  def add(self, row: str, dataset: str, result: Result) -> None:
    """Puts `result` into its place; a dataset is a column from its first result on."""
    if dataset not in self._datasets:
      self._datasets.append(dataset)
    self._results[row, dataset] = result

  def summaries(self) -> dict[str, dict[str, Any]]:
    """For each row and dataset what `evaluation.summarise` returned, or None."""
    return {
      row: {d: self._results[row, d].summary for d in self._datasets if (row, d) in self._results}
      for row in self._rows
    }

  def label(self, row: str) -> str:
    """The row as published: "HOOF N = 4, TIM = 10"; its name where it is not."""
    return " ".join(self._label(row)).strip()

  def line(self, row: str, dataset: str) -> str:
    """A result in one line: "accuracy .4480 (published .448), UF1 .4012, UAR .4102, 12 s"."""
    accuracy, printed, uf1, uar, time = self._cells(row, dataset)
    beside = f" (published {printed})" if printed else ""
    text = f"accuracy {accuracy}{beside}, UF1 {uf1}, UAR {uar}, {time}"
    reason = self._results[row, dataset].reason
    return f"{text}. {reason}" if reason else text

  def gaps(self) -> list[str]:
    """The cells without a result or with a gap in it: "atnet_fusion/smic", with the reason."""
    found = []
    for (row, dataset), result in self._results.items():
      told = table.gap(result.summary) if result.summary else (result.reason or "no result")
      if told:
        found.append(f"{row}/{dataset}: {result.reason or told}")
    return found

  def console(self) -> str:
    """The table as lines of plain text, a block of columns for each corpus."""
    blocks = []
    for dataset in self._datasets:
      lines = [[DATASETS.get(dataset, dataset), *COLUMNS]]
      lines += [[self.label(row), *self._cells(row, dataset)] for row in self._rows]
      lines.append(self._majority(dataset))
      blocks.append(table.aligned(lines))
    return "\n\n".join([*blocks, *(f"Note: {remark}" for remark in self._remarks)])

  def write(self) -> pathlib.Path:
    """Writes results.csv, .json, .tex, .html and figures/results.png, each atomically.

    Returns:
      The path of results.html.
    """
    page = self._folder / "results.html"
    picture = Figure(results_figure.draw(self._panels()), self._alt())
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
    shown = COLUMNS[:-1]
    datasets = self._datasets
    head = " & ".join(
      rf"\multicolumn{{{len(shown)}}}{{c}}{{{DATASETS.get(d, _escaped(d))}}}" for d in datasets
    )
    names = " & ".join(" & ".join(shown) for _ in datasets)
    rows = []
    for row in self._rows:
      cells = [c for d in datasets for c in self._cells(row, d)[: len(shown)]]
      rows.append(" & ".join(map(_escaped, [self.label(row), *cells])) + r" \\")
    majority = [c for d in datasets for c in self._majority(d)[1 : 1 + len(shown)]]
    last = " & ".join(map(_escaped, ["majority class", *majority])) + r" \\"
    notes = [f"% {remark}" for remark in self._remarks]
    return "\n".join(
      [
        *notes,
        rf"\begin{{tabular}}{{l{'r' * len(shown) * len(datasets)}}}",
        r"\toprule",
        rf" & {head} \\",
        rf" & {names} \\",
        r"\midrule",
        *rows,
        r"\midrule",
        last,
        r"\bottomrule",
        r"\end{tabular}",
        "",
      ]
    )

  def _label(self, row: str) -> tuple[str, str]:
    return self._published.rows.get(row, (row, "")) if self._published else (row, "")

  def _number(self, row: str, dataset: str) -> Number | None:
    return self._published.numbers.get((row, dataset)) if self._published else None

  def _cells(self, row: str, dataset: str) -> list[str]:
    """As in COLUMNS. A star marks a published number that cannot be a pooled accuracy."""
    printed, result = self._number(row, dataset), self._results.get((row, dataset))
    there = ""
    if printed:
      there = table.number(printed.accuracy)[:4] + ("" if printed.correct is not None else "*")
    if result is None or result.summary is None:
      return ["–", there, "–", "–", duration(result.seconds) if result else ""]
    pooled = result.summary["pooled"]
    std = pooled["std"] or {}
    accuracy, uf1, uar = (table.number(pooled[k], std.get(k)) for k in ("accuracy", "uf1", "uar"))
    gap = " (gap)" if result.summary["missing"] else ""
    return [accuracy + gap, there, uf1, uar, duration(result.seconds)]

  def _majority(self, dataset: str) -> list[str]:
    for row in self._rows:
      result = self._results.get((row, dataset))
      if result and result.summary:
        majority = result.summary["majority"]
        scores = [table.number(majority[key]) for key in ("accuracy", "uf1", "uar")]
        return ["majority class", scores[0], "", *scores[1:], ""]
    return ["majority class", "–", "", "–", "–", ""]

  def _records(self) -> list[dict[str, Any]]:
    return [
      self._record(row, dataset, self._results[row, dataset])
      for row in self._rows
      for dataset in self._datasets
      if (row, dataset) in self._results
    ]

  def _record(self, row: str, dataset: str, result: Result) -> dict[str, Any]:
    system, setting = self._label(row)
    printed, summary = self._number(row, dataset), result.summary
    pooled = summary["pooled"] if summary else {}
    std, (low, high) = pooled.get("std") or {}, table.ends(pooled)
    parts = {"": pooled, "_std": std, "_low": low, "_high": high}
    return {
      "row": row,
      "system": system,
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
      "gap": result.reason or (table.gap(summary) if summary else None) or "",
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
    for row in self._rows:
      cells = []
      for dataset in self._datasets:
        result = self._results.get((row, dataset))
        page = result.folder / "report.html" if result else None
        link = page.relative_to(self._folder).as_posix() if page and page.is_file() else None
        values = self._cells(row, dataset)
        cells.append({"link": urllib.parse.quote(link) if link else None, "values": values})
      rows.append({"label": self._label(row), "cells": cells})
    return template("results.html").render(
      title=f"{len(self._rows)} systems on {_count(len(self._datasets))}",
      remarks=self._remarks,
      source=self._published.source if self._published else None,
      datasets=[DATASETS.get(dataset, dataset) for dataset in self._datasets],
      columns=COLUMNS,
      rows=rows,
      majority=[self._majority(dataset)[1:] for dataset in self._datasets],
      gaps=self.gaps(),
      picture=picture,
    )

  def _panels(self) -> list[results_figure.Panel]:
    panels = []
    for dataset in self._datasets:
      dots = []
      for row in self._rows:
        result, printed = self._results.get((row, dataset)), self._number(row, dataset)
        pooled = result.summary["pooled"] if result and result.summary else None
        dots.append(
          results_figure.Dot(
            self.label(row),
            pooled["accuracy"] if pooled else None,
            pooled["uf1"] if pooled else None,
            printed.accuracy if printed else None,
          )
        )
      summaries = [
        result.summary
        for (_, where), result in self._results.items()
        if where == dataset and result.summary
      ]
      majority = summaries[0]["majority"]["accuracy"] if summaries else None
      panels.append(results_figure.Panel(DATASETS.get(dataset, dataset), dots, majority))
    return panels

  def _alt(self) -> str:
    said = [
      f"{self.label(row)} on {DATASETS.get(d, d)}: {self.line(row, d)}" for row, d in self._results
    ]
    return "Accuracy and UF1 of each system, published accuracy beside them. " + "; ".join(said)


def duration(seconds: float | None) -> str:
  """ "12 s", "3 min 5 s", "2 h 4 min"; "" for None."""
  if seconds is None:
    return ""
  whole = round(seconds)
  if whole < 60:
    return f"{whole} s"
  if whole < 3600:
    return f"{whole // 60} min {whole % 60} s"
  return f"{whole // 3600} h {whole % 3600 // 60} min"


def _count(corpora: int) -> str:
  return "one corpus" if corpora == 1 else f"{corpora} corpora"


def _escaped(text: str) -> str:
  special = {"&": r"\&", "%": r"\%", "_": r"\_", "{": r"\{", "}": r"\}", "±": r"$\pm$", "–": "--"}
  return "".join(special.get(letter, letter) for letter in text)
