"""comparison.html, .csv and .json: runs compared clip by clip, with figures."""

import csv
import io
import json
import os
import pathlib
from typing import Any, NamedTuple

from mer_jax.report import comparison, ranges, score_table
from mer_jax.report.templates import Figure, template
from mer_jax.runtime import atomic


class Section(NamedTuple):
  """A table of the page, its first row the head, and the figure under it.

  Attributes:
    note: what stands above the table.
    is_text: whether its columns are text, which may be long, and can be sorted.
  """

  name: str
  rows: list[list[str]]
  figure: Figure | None = None
  note: str = ""
  is_text: bool = False


def write(folder: str | os.PathLike[str], content: dict[str, Any]) -> pathlib.Path:
  """Writes comparison.html, .csv, .json and figures/comparison_*.png, each atomically.

  Args:
    folder: any folder; other files in it stay as they are.
    content: what `experiment.comparison.compare` returns.

  Returns:
    The path of comparison.html.

  Raises:
    WorkdirError: the folder cannot be written.
  """
  folder = pathlib.Path(folder)
  scores, differences = _scores_figure(content), _differences_figure(content)
  sections = [Section("Scores", comparison.scores(content), scores)]
  if rows := comparison.differences(content):
    sections.append(Section("Differences", rows, differences))
  if rows := comparison.chance(content):
    sections.append(Section("Chance", rows))
  sections += _what_differs(content)
  runs = content["runs"]
  page = template("comparison.html").render(
    title=f"{len(runs)} runs compared" if len(runs) > 1 else runs[0]["name"],
    heading=comparison.heading(content),
    remarks=content["remarks"],
    sections=sections,
    explanations=comparison.explanations(content),
    paths=[(run["name"], run["path"]) for run in runs],
  )
  atomic.write_bytes(folder / "figures" / "comparison_scores.png", scores.png)
  if differences:
    atomic.write_bytes(folder / "figures" / "comparison_differences.png", differences.png)
  atomic.write_text(folder / "comparison.csv", _csv(content))
  atomic.write_text(
    folder / "comparison.json", json.dumps(content, indent=2, allow_nan=False) + "\n"
  )
  path = folder / "comparison.html"
  atomic.write_text(path, page)
  return path


def _what_differs(content: dict[str, Any]) -> list[Section]:
  """The sections on config fields and on single clips; none where there is one run."""
  if len(content["runs"]) < 2:
    return []
  fields, note = comparison.config_fields(content), comparison.config_note(content)
  sections = [Section("What differs in the configs", fields, note=note, is_text=True)]
  for pair in content["comparisons"]:
    name = f"Clips that changed sides: {pair['b']} and {pair['a']}"
    rows, note = comparison.changed_sides(pair), comparison.changed_note(content, pair)
    sections.append(Section(name, rows, note=note, is_text=True))
  return sections


def _scores_figure(content: dict[str, Any]) -> Figure:
  lines = [
    ranges.Line(
      run["name"],
      {
        label: ranges.Range(
          run["scores"][key]["mean"],
          run["scores"][key]["interval"],
          run["chance"]["clips"][key]["quantile"] if run["chance"] else None,
        )
        for key, label in score_table.HEADLINE.items()
      },
    )
    for run in content["runs"]
  ]
  png = ranges.draw(
    lines, score_table.percent(content["level"]), mark="95 % of shuffled labels below"
  )
  return Figure(png, _alt("Scores with their intervals", lines, score_table.number))


def _differences_figure(content: dict[str, Any]) -> Figure | None:
  lines = [
    ranges.Line(
      f"{pair['b']} minus {pair['a']}",
      {
        label: ranges.Range(pair["scores"][key]["difference"], pair["scores"][key]["interval"])
        for key, label in score_table.HEADLINE.items()
      },
    )
    for pair in content["comparisons"]
  ]
  if not lines:
    return None
  png = ranges.draw(lines, score_table.percent(content["level"]), zero=True)
  return Figure(png, _alt("Differences with their intervals", lines, comparison.signed))


def _alt(what: str, lines: list[ranges.Line], text) -> str:
  lines_of_text = [
    f"{name}: " + ", ".join(f"{label} {text(entry.value)}" for label, entry in entries.items())
    for name, entries in lines
  ]
  return f"{what}. {'; '.join(lines_of_text)}."


def _csv(content: dict[str, Any]) -> str:
  """A row for each score of each run, then one for each score of each pair."""
  text = io.StringIO()
  writer = csv.writer(text, lineterminator="\n")
  writer.writerow(
    [*("run", "minus", "score", "value", "std", "low", "high", "p", "p_holm")]
    + [f"{name}_{scheme}" for scheme in comparison.SCHEMES for name in ("chance", "p_chance")]
  )
  for run in content["runs"]:
    for key, entry in run["scores"].items():
      chance = [
        run["chance"][scheme][key][name] if run["chance"] else None
        for scheme in comparison.SCHEMES
        for name in ("mean", "p")
      ]
      ends = entry["interval"] or [None, None]
      writer.writerow([run["name"], "", key, entry["mean"], entry["std"], *ends, "", "", *chance])
  for pair in content["comparisons"]:
    for key, entry in pair["scores"].items():
      ends = entry["interval"] or [None, None]
      row = [pair["b"], pair["a"], key, entry["difference"], "", *ends, entry["p"], entry["p_holm"]]
      writer.writerow([*row, *[""] * (2 * len(comparison.SCHEMES))])
  return text.getvalue()
