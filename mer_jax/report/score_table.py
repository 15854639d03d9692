"""The table a run ends with, as plain text; `rows` and `notes` also feed the page."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from mer_jax.evaluation.summary import stopped

COLUMNS = {"accuracy": "accuracy", "precision": "precision", "uar": "UAR", "uf1": "UF1"}
# Those that are compared and shown large.
HEADLINE = {"uf1": "UF1", "uar": "UAR", "accuracy": "accuracy"}
FOLD_MEANS = {
  "absent_as_0": "fold mean, absent class = 0",
  "absent_skipped": "fold mean, absent class skipped",
  "absent_as_1": "fold mean, absent class = 1",
}


class HeldOut(NamedTuple):
  """What the folds of a run hold out, in words.

  Attributes:
    method: its name.
    singular, many: what folds are called.
    single: what an average over folds averages over.
    people: whom a bootstrap draws.
    others: what an interval cannot know.
  """

  method: str
  singular: str
  many: str
  single: str
  people: str
  others: str


# By `held_out` of a summary; without it, subjects.
HELD_OUT = {
  "subject": HeldOut(
    "Leave-one-subject-out",
    singular="held-out subject",
    many="held-out subjects",
    single="subjects",
    people="held-out subjects",
    others="a training on other people",
  ),
  "dataset": HeldOut(
    "Leave-one-corpus-out",
    singular="held-out corpus",
    many="held-out corpora",
    single="corpora",
    people="subjects of the held-out corpora",
    others="what other corpora would give",
  ),
  "fold": HeldOut(
    "Cross-validation",
    singular="fold",
    many="folds",
    single="folds",
    people="subjects",
    others="a training on other people",
  ),
}
# The keys of a table of scores that say how many clips it is over.
_COUNTS = ("clips", "clips_in_all", "clips_missing")
_NAMED = 8  # stopped folds that are named one by one; metrics.json lists them all


class Row(NamedTuple):
  """One line of the table of scores.

  Attributes:
    name: what stands before the numbers.
    kind: "pooled", "ensemble", "dataset", "interval" (of the line above), "majority" or
      "fold_mean".
    clips: how many clips the scores are over, "430 of 442" where not all of them have a prediction;
      "" where that is not a count of clips.
    cells: the scores in the order of `COLUMNS`, formatted: ".7353", or ".7353 ±.0120" over seeds;
      "–" where no clip has a prediction; an interval is ".668–.775".
  """

  name: str
  kind: str
  clips: str
  cells: list[str]


def console(
  summary: dict[str, Any], class_names: Sequence[str], remarks: Sequence[str] = ()
) -> str:
  """The table printed at the end of a run.

  Args:
    summary: what `evaluation.summary.summarise` returns.
    class_names: the K names in the order of the class indices.
    remarks: what a reader must know besides; they stand last, where the eye is.

  Returns:
    Lines of plain text without a trailing line break: scores pooled, of the seeds together, per
    dataset, of always naming the majority class, and averaged over folds; then scores per class;
    then the confusion matrix.
  """
  scores = [["", "clips", *COLUMNS.values()]]
  for row in rows(summary):
    indent = "  " if row.kind in ("dataset", "interval") else ""
    scores.append([indent + row.name, row.clips, *row.cells])
  by_class = [["class (pooled)", "clips", "precision", "recall", "F1"]]
  for name in class_names:
    entry = summary["pooled"]["per_class"][name]
    numbers = [number(entry[key]) for key in ("precision", "recall", "f1")]
    by_class.append([name, str(entry["support"]), *numbers])
  counts = [["truth \\ prediction", *class_names]]
  for name, line in zip(class_names, summary["pooled"]["confusion"], strict=True):
    counts.append([name, *map(str, line)])
  tables = (aligned(table) for table in (scores, by_class, counts))
  gap_text = gap(summary)
  lines = [*notes(summary), *interval_note(summary), *([f"Gap: {gap_text}"] if gap_text else [])]
  lines += [f"Note: {remark}" for remark in remarks]
  return "\n\n".join([heading(summary), *tables, *lines])


def heading(summary: dict[str, Any]) -> str:
  """What the scores are over: "442 clips, 68 held-out subjects, 3 classes, 1 seed".

  Or "442 clips, 3 held-out corpora, ...", where those are the folds.
  A run in which folds were stopped adds that it is incomplete.
  """
  words = held_out(summary)
  parts = [
    _count(summary["clips"], "clip"),
    _count(summary["folds"], words.singular, words.many),
    _count(len(summary["classes"]), "class", "classes"),
    _count(len(summary["seeds"]), "seed"),
  ]
  return ", ".join([*parts, *(["with a gap"] if summary["missing"] else [])])


def held_out(summary: dict[str, Any]) -> HeldOut:
  """What the folds hold out, in words."""
  return HELD_OUT[summary.get("held_out", "subject")]


def gap(summary: dict[str, Any]) -> str | None:
  """Which clips have no prediction and what that does to the scores; None in a complete run."""
  if not summary["missing"]:
    return None
  seeds = len(summary["seeds"])
  folds = [f"{fold} (seed {seed})" if seeds > 1 else fold for seed, fold in stopped(summary)]
  more = f" and {len(folds) - _NAMED} more" if len(folds) > _NAMED else ""
  counts = [n for n in summary["pooled"]["clips_missing"].values() if n]
  without = str(counts[0]) if len(set(counts)) == 1 else f"{min(counts)} to {max(counts)}"
  where = "" if seeds == 1 else f", in {len(counts)} of {seeds} seeds,"
  lost = [str(seed) for seed in summary["seeds"] if seed not in summary["seeds_scored"]]
  return " ".join(
    [
      f"{without} of {summary['clips']} clips{where} have no prediction, because training was"
      f" stopped in {_count(len(folds), 'fold')}: {', '.join(folds[:_NAMED])}{more}.",
      "Every score is over the other clips, so it cannot be compared with that of a complete run;"
      " a log in the format of MEGC2019 lacks these clips.",
      *([f"No fold of seed {', '.join(lost)} ended, so that seed counts nowhere."] if lost else []),
    ]
  )


def rows(summary: dict[str, Any]) -> list[Row]:
  """The lines of the table of scores, the headline first."""
  pooled, datasets = summary["pooled"], summary["per_dataset"]
  only = f" ({next(iter(datasets))})" if len(datasets) == 1 else ""
  table = _with_interval(f"pooled{only}", "pooled", pooled)
  if "ensemble" in summary:
    name = f"ensemble of {len(summary['seeds'])} seeds"
    table += _with_interval(name, "ensemble", summary["ensemble"])
  if not only:
    for name, entry in datasets.items():
      table += _with_interval(name, "dataset", entry)
  majority = {**summary["majority"], **{key: pooled[key] for key in _COUNTS}}
  table.append(_row(f"always {majority['class']!r}", "majority", majority))
  for convention, label in FOLD_MEANS.items():
    table.append(_row(label, "fold_mean", summary["fold_mean"][convention]))
  return table


def notes(summary: dict[str, Any]) -> list[str]:
  """What a reader of the table has to know, one sentence or two each."""
  lines = []
  if len(summary["seeds"]) > 1:
    lines.append(
      "Scores are means over the seeds, ± their standard deviation; counts are sums over the seeds."
    )
  if "ensemble" in summary:
    lines.append(
      "The ensemble names the class whose probability, as a mean over the seeds, is the highest."
    )
  tables = {"the pooled table": summary["pooled"], **summary["per_dataset"]}
  if len(summary["per_dataset"]) == 1:
    tables = {"the pooled table": summary["pooled"]}
  for name, table in tables.items():
    absent = [c for c, entry in table["per_class"].items() if entry["support"] == 0]
    if absent and table["clips"]:
      predicted = "predicted " if any(table["clips_missing"].values()) else ""
      lines.append(
        f"No {predicted}clip of {', '.join(absent)} in {name}: an absent class counts as 0 in its"
        " precision, UAR and UF1."
      )
  return lines


def interval_note(summary: dict[str, Any]) -> list[str]:
  """The sentences that say what the intervals are; none where there is no interval."""
  interval = summary["pooled"]["interval"]
  if interval is None:
    return []
  words = held_out(summary)
  return [
    f"{percent(interval['level'])} intervals are from a bootstrap over the"
    f" {interval['subjects']} {words.people} ({interval['resamples']} resamples): how far a"
    f" score depends on which people were tested. Neither the spread over seeds nor {words.others}"
    " is in them."
  ]


def over(entry: dict[str, Any]) -> str:
  """How many clips a table of scores is over: "442", "430 of 442", "430–442 of 442" by seed."""
  missing = list(entry["clips_missing"].values())
  if not any(missing):
    return str(entry["clips"])
  total = entry["clips_in_all"]
  # A seed without any prediction takes no part; all of them lack it where no clip is scored.
  counts = [total - n for n in missing if n < total] or [0]
  low, high = min(counts), max(counts)
  return f"{low} of {total}" if low == high else f"{low}–{high} of {total}"


def number(value: float | None, std: float | None = None) -> str:
  """A score of 0..1 with four decimals as the field prints it: ".7353"; "1.0000" keeps its 1.

  "–" stands for None, a score over no clip.
  """
  if value is None:
    return "–"
  text = f"{value:.4f}"
  text = text[1:] if text.startswith("0") else text
  return text if std is None else f"{text} ±{number(std)}"


def span(ends: Sequence[float]) -> str:
  """An interval with three decimals, all that so many resamples settle: ".668–.775"."""
  low, high = (f"{end:.3f}" for end in ends)
  return f"{low.removeprefix('0')}–{high.removeprefix('0')}"


def ends(entry: dict[str, Any]) -> tuple[dict[str, float], dict[str, float]]:
  """The low and the high ends of the intervals of a table of scores; empty where it has none."""
  interval = entry.get("interval") or {}
  low, high = ({key: interval[key][i] for key in COLUMNS if interval} for i in (0, 1))
  return low, high


def percent(level: float) -> str:
  """ "95 %"; 0.995 is "99.5 %"."""
  return f"{round(100 * level, 6):g} %"


def aligned(table: list[list[str]]) -> str:
  """Lines of text with columns of one width, the first to the left; a rule under the first line."""
  widths = [max(map(len, column)) for column in zip(*table, strict=True)]
  lines = [
    "  ".join(
      [
        line[0].ljust(widths[0]),
        *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True)),
      ]
    ).rstrip()
    for line in table
  ]
  rule = "-" * max(map(len, lines))
  return "\n".join([lines[0], rule, *lines[1:]])


def _with_interval(name: str, kind: str, entry: dict[str, Any]) -> list[Row]:
  interval = entry["interval"]
  if interval is None:
    return [_row(name, kind, entry)]
  cells = [span(interval[key]) for key in COLUMNS]
  return [
    _row(name, kind, entry),
    Row(f"{percent(interval['level'])} interval", "interval", "", cells),
  ]


def _row(name: str, kind: str, entry: dict[str, Any]) -> Row:
  std = entry.get("std") or {}
  cells = [number(entry[key], std.get(key)) for key in COLUMNS]
  return Row(name, kind, over(entry) if "clips" in entry else "", cells)


def _count(n: int, singular: str, many: str = "") -> str:
  return f"{n} {singular if n == 1 else many or singular + 's'}"
