"""Several runs side by side, those of a sweep or of variants: table, figure, page."""

import csv
import io
import json
import os
import pathlib
import urllib.parse
from collections.abc import Sequence
from typing import Any, NamedTuple

from mer_jax.evaluation.summary import stopped
from mer_jax.report import dots, score_table
from mer_jax.report.templates import Figure, flat, template
from mer_jax.runtime import atomic

SCORES = score_table.HEADLINE
SELECTION_REMARK = (
  "Whoever picks the best row of this table chooses on the held-out subjects, so its score"
  " flatters, and the more so the more rows there are. Report every row, or confirm the choice on"
  " other data."
)


class Run(NamedTuple):
  """One row: a run and its scores.

  Attributes:
    name: what tells it from the others, "model.branch=cnn".
    folder: its workdir, inside the folder of the page.
    config: its config as JSON.
    summary: what `evaluation.summarise` returned; None where there is no result.
    reason: why there is no result, or why there is a gap in it; "" in a complete run.
  """

  name: str
  folder: pathlib.Path
  config: dict[str, Any]
  summary: dict[str, Any] | None
  reason: str = ""


def write(
  folder: str | os.PathLike[str], runs: Sequence[Run], remarks: Sequence[str] = ()
) -> pathlib.Path:
  """Writes variants.csv, .json, .html and figures/variants.png, each atomically.

  Rows stand in the order of `runs`, not of their scores.

  Args:
    folder: of the page; the runs' folders lie in it.
    runs: at least one.
    remarks: what holds for all of them and must be read before the numbers.

  Returns:
    The path of variants.html.
  """
  folder = pathlib.Path(folder)
  remarks = [*_remarks(runs), *remarks]
  picture = Figure(dots.draw(_lines(runs), _level(runs)), _alt(runs))
  shared, own = _configs(runs)
  page = template("variants.html").render(
    title=f"{len(runs)} runs compared",
    remarks=remarks,
    method=_method(runs),
    columns=list(SCORES.values()),
    rows=[_row(run, folder) for run in runs],
    gaps=[(run.name, text) for run in runs if (text := _gap(run))],
    picture=picture,
    level=_level(runs),
    several_seeds=any(run.summary and len(run.summary["seeds_scored"]) > 1 for run in runs),
    shared=shared,
  )
  content = {
    "remarks": remarks,
    "config": dict(shared),
    "rows": [_json(run, folder, own[run.name]) for run in runs],
  }
  atomic.write_bytes(folder / "figures" / "variants.png", picture.png)
  atomic.write_text(folder / "variants.csv", _csv(runs, folder))
  atomic.write_text(folder / "variants.json", json.dumps(content, indent=2, allow_nan=False) + "\n")
  path = folder / "variants.html"
  atomic.write_text(path, page)
  return path


def console(runs: Sequence[Run], remarks: Sequence[str] = ()) -> str:
  """The table as lines of plain text, without a trailing line break."""
  lines = [["", "seeds", *SCORES.values(), "clips", "gap"]]
  for run in runs:
    counts = _counts(run)
    lines.append([run.name, counts["seeds"], *_cells(run), counts["clips"], counts["gap"]])
  notes = [f"{run.name}: {text}" for run in runs if (text := _gap(run))]
  notes += [f"Note: {remark}" for remark in (*_remarks(runs), *remarks)]
  return "\n\n".join([score_table.aligned(lines), *notes])


def line(run: Run) -> str:
  """One run in one line: "model.branch=cnn: UF1 .4153, UAR .4180, accuracy .6250"."""
  if run.summary is None:
    return f"{run.name}: no result"
  scores = zip(SCORES.values(), _cells(run), strict=True)
  gap = f" ({_counts(run)['gap']})" if run.summary["missing"] else ""
  return f"{run.name}: " + ", ".join(f"{label} {cell}" for label, cell in scores) + gap


def _remarks(runs: Sequence[Run]) -> list[str]:
  remarks = [SELECTION_REMARK] if len(runs) > 1 else []
  over = {
    json.dumps([s["clips"], s["classes"], s["majority"], s["missing"]])
    for s in (run.summary for run in runs)
    if s
  }
  if len(over) > 1:
    remarks.append(
      "The rows are over different clips or classes, because of gaps or of what was varied: compare"
      " each with its own majority class only."
    )
  if len(_methods(runs)) > 1:
    remarks.append(
      f"The rows do not hold out the same: {', '.join(_methods(runs))}. They learn from different"
      " clips, so a difference between them is also one of protocols."
    )
  return remarks


def _methods(runs: Sequence[Run]) -> list[str]:
  return sorted({score_table.held_out(run.summary).method for run in runs if run.summary})


def _method(runs: Sequence[Run]) -> str:
  """The head of the page: what the rows have been scored by."""
  words = [score_table.held_out(run.summary) for run in runs if run.summary]
  words = (
    words if len(set(words)) == 1 else [score_table.HELD_OUT["subject" if not words else "fold"]]
  )
  return f"{words[0].method}, scores pooled over the {words[0].many}"


def _level(runs: Sequence[Run]) -> str:
  """The level of the rows' intervals, "95 %"; "" where no row has one."""
  intervals = (run.summary["pooled"]["interval"] for run in runs if run.summary)
  return next((score_table.percent(i["level"]) for i in intervals if i), "")


def _lines(runs: Sequence[Run]) -> list[dots.Line]:
  lines = []
  for run in runs:
    if run.summary is None:
      lines.append(dots.Line(run.name, None, "no result"))
      continue
    pooled, seeds = run.summary["pooled"], run.summary["per_seed"].values()
    scores = {
      label: dots.Score(
        pooled[key],
        pooled["std"][key] if pooled["std"] else 0.0,
        [seed[key] for seed in seeds],
        run.summary["majority"][key],
        pooled["interval"][key] if pooled["interval"] else None,
      )
      for key, label in SCORES.items()
    }
    lines.append(dots.Line(run.name, scores, "gap" if run.summary["missing"] else ""))
  return lines


def _alt(runs: Sequence[Run]) -> str:
  return "A dot per run for UF1, UAR and accuracy. " + "; ".join(map(line, runs)) + "."


def _configs(
  runs: Sequence[Run],
) -> tuple[list[tuple[str, str]], dict[str, dict[str, str]]]:
  """The settings that all runs share, and by name of the run the others."""
  settings = {run.name: dict(flat(run.config)) for run in runs}
  first = next(iter(settings.values()))
  shared = {
    key: value
    for key, value in first.items()
    if all(other.get(key) == value for other in settings.values())
  }
  own = {
    name: {key: value for key, value in fields.items() if key not in shared}
    for name, fields in settings.items()
  }
  return list(shared.items()), own


def _row(run: Run, folder: pathlib.Path) -> dict[str, Any]:
  report = run.folder / "report.html"
  link = urllib.parse.quote(_relative(report, folder)) if report.is_file() else None
  interval = (run.summary and run.summary["pooled"]["interval"]) or {}
  spans = [score_table.span(interval[key]) if interval else "" for key in SCORES]
  cells = list(zip(_cells(run), spans, strict=True))
  return {"name": run.name, "link": link, "cells": cells, **_counts(run)}


def _cells(run: Run) -> list[str]:
  pooled = run.summary["pooled"] if run.summary else {}
  std = pooled.get("std") or {}
  return [score_table.number(pooled.get(key), std.get(key)) for key in SCORES]


def _counts(run: Run) -> dict[str, str]:
  if run.summary is None:
    return {"seeds": "–", "clips": "–", "gap": "no result"}
  seeds, scored = len(run.summary["seeds"]), len(run.summary["seeds_scored"])
  gap = len(stopped(run.summary))
  return {
    "seeds": str(seeds) if scored == seeds else f"{scored} of {seeds}",
    "clips": score_table.over(run.summary["pooled"]),
    "gap": f"{gap} {'fold' if gap == 1 else 'folds'} stopped" if gap else "",
  }


def _gap(run: Run) -> str:
  """Why a run is not complete; "" for one that is."""
  if run.summary is None:
    return f"There is no result. {run.reason}".strip()
  return score_table.gap(run.summary) or run.reason


def _csv(runs: Sequence[Run], folder: pathlib.Path) -> str:
  text = io.StringIO()
  writer = csv.writer(text, lineterminator="\n")
  columns = ("{}", "{}_std", "{}_low", "{}_high", "majority_{}")
  scores = [column.format(key) for key in SCORES for column in columns]
  writer.writerow(["name", "folder", "seeds", "clips", "missing", *scores, "gap"])
  for run in runs:
    entry = _json(run, folder, {})
    row = [entry["name"], entry["folder"], len(entry["seeds"]), entry["clips"]]
    row.append(sum(entry["clips_missing"].values()))
    for key in SCORES:
      score = entry["scores"].get(key, {})
      low, high = score.get("interval") or (None, None)
      row += [score.get("mean"), score.get("std"), low, high, score.get("majority")]
    writer.writerow([*row, entry["gap"]])
  return text.getvalue()


def _json(run: Run, folder: pathlib.Path, config: dict[str, str]) -> dict[str, Any]:
  entry = {"name": run.name, "folder": _relative(run.folder, folder), "config": config}
  if run.summary is None:
    counts = {"seeds": [], "clips": 0, "clips_in_all": None, "clips_missing": {}}
    return {**entry, **counts, "scores": {}, "gap": _gap(run)}
  pooled = run.summary["pooled"]
  scores = {
    key: {
      "mean": pooled[key],
      "std": pooled["std"][key] if pooled["std"] else None,
      "interval": pooled["interval"][key] if pooled["interval"] else None,
      "majority": run.summary["majority"][key],
      "per_seed": {seed: table[key] for seed, table in run.summary["per_seed"].items()},
    }
    for key in SCORES
  }
  counts = {key: pooled[key] for key in ("clips", "clips_in_all", "clips_missing")}
  return {
    **entry,
    "seeds": run.summary["seeds_scored"],
    **counts,
    "scores": scores,
    "gap": _gap(run),
  }


def _relative(path: pathlib.Path, folder: pathlib.Path) -> str:
  return path.relative_to(folder).as_posix()
