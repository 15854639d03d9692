"""The report's sections on selection: what inner folds selected, or the held-out clips would."""

import collections
import json
import os
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from mer_jax.errors import DataError
from mer_jax.evaluation.predictions import Predictions, order, read_csv, select
from mer_jax.evaluation.summary import summarise
from mer_jax.experiment.selection import leaky_curve, snapshots
from mer_jax.experiment.selection.leaky_curve import SCORES
from mer_jax.experiment.selection.options import INNER, LEAKY
from mer_jax.report import score_table
from mer_jax.report.templates import Figure, Section, template
from mer_jax.targets import single_class
from mer_jax.targets.single_class import NO_PREDICTION

WARNING = (
  f"{LEAKY}: beside the honest results of the last epoch this run holds those of the epoch that is"
  " best for each fold on the very clips it holds out. They explain numbers that were published in"
  " that way and estimate nothing; every name that belongs to them says leaky. Do not report them"
  " as results."
)


class Gain(NamedTuple):
  """A table that compares the last epoch with the leaky selection.

  Attributes:
    rows: a name and the cells in the order of `SCORES`, formatted; three rows over all clips and,
      with several corpora, three for each.
    epochs: in a sentence, which epochs the leaky selection took.
  """

  rows: list[tuple[str, list[str]]]
  epochs: str


def sections(
  folder: str | os.PathLike[str], predictions: Predictions, summary: dict[str, Any]
) -> list[Section]:
  """The sections of report.html that a run in `folder` has; none of the last epoch.

  Args:
    folder: the workdir.
    predictions: of its predictions.csv.
    summary: of the predictions, see `evaluation.summarise`.
  """
  page = template("section.html", __package__)
  gained, scores, selected = gain(folder, summary), curve(folder, predictions), inner(folder)
  made = []
  if gained:
    figure = Figure(leaky_curve.draw(scores), leaky_curve.alt(scores)) if scores else None
    html = page.render(gain=gained, figure=figure, columns=SCORES.values(), inner=None)
    made.append(Section(html, WARNING, {LEAKY: figure} if figure else {}))
  if selected:
    html = page.render(
      gain=None,
      inner=selected,
      sentence=selected_sentence(selected),
      rows=selected_rows(selected),
    )
    made.append(Section(html))
  return made


def console(folder: str | os.PathLike[str], summary: dict[str, Any]) -> str:
  """Selection in a run in `folder`, for the console; "" of the last epoch.

  Args:
    summary: of its predictions.csv, see `evaluation.summarise`.
  """
  if gained := gain(folder, summary):
    lines = [["", *SCORES.values()], *([name, *cells] for name, cells in gained.rows)]
    return "\n\n".join([score_table.aligned(lines), gained.epochs, f"Note: {WARNING}"])
  selected = inner(folder)
  return selected_sentence(selected) if selected else ""


def gain(folder: str | os.PathLike[str], summary: dict[str, Any]) -> Gain | None:
  """The gain of the leaky selection; None in a run that does not look at held-out clips."""
  folder = pathlib.Path(folder)
  file = folder / f"{LEAKY}_predictions.csv"
  if not file.is_file():
    return None
  leaky = summarise(read_csv(file))
  rows = _rows("", summary["pooled"], leaky["pooled"], summary, leaky)
  if len(summary["per_dataset"]) > 1:
    for name, entry in summary["per_dataset"].items():
      rows += _rows(f"{name}, ", entry, leaky["per_dataset"][name], {}, {})
  return Gain(
    rows, _epochs_sentence(f"{LEAKY} took", _selected(folder / f"{LEAKY}_selection.json"))
  )


def curve(folder: str | os.PathLike[str], honest: Predictions) -> leaky_curve.Curve | None:
  """Scores over epochs of a run that looked at its held-out clips; None of any other.

  Args:
    honest: the predictions of the last epoch, which stand in for the last snapshot.

  Raises:
    DataError: the snapshots are of other clips.
  """
  folder = pathlib.Path(folder)
  epochs, arrays = snapshots.read(folder / f"{LEAKY}_snapshots.jsonl")
  file = folder / f"{LEAKY}_predictions.csv"
  if not epochs or not file.is_file():
    return None
  seeds, k = len(np.unique(honest.seed)), len(honest.class_names)
  probabilities = arrays["probabilities"]
  if probabilities.shape[1:] != (seeds, len(honest.clip) // seeds, k):
    raise DataError(
      f"{folder / f'{LEAKY}_snapshots.jsonl'} is about {probabilities.shape[1:]} seeds, clips and"
      " classes, unlike predictions.csv beside it. Run the experiment again in a new workdir."
    )
  predicted = single_class.predicted(probabilities).reshape(len(epochs), -1)
  honest, leaky = (select(p, order(p)) for p in (honest, read_csv(file)))
  predicted[-1] = honest.prediction
  rows = np.concatenate([predicted, leaky.prediction[None]])
  scores = _scores(rows.reshape(len(rows), seeds, -1), honest.label.reshape(seeds, -1), k)
  return leaky_curve.Curve(
    epochs,
    {name: scores[name][:-1] for name in SCORES},
    {name: scores[name][-1] for name in SCORES},
  )


def inner(folder: str | os.PathLike[str]) -> dict[str, Any] | None:
  """selection.json of a run whose epoch and setting inner folds selected; else None."""
  content = _read(pathlib.Path(folder) / "selection.json")
  if not content or content.get("name") != INNER or not {"inner_folds", "metric"} <= set(content):
    return None
  known = all(
    isinstance(entry.get("setting"), str) and isinstance(entry.get("score"), float | int | None)
    for entry in content["selected"]
  )
  return content if known else None


def selected_sentence(content: dict[str, Any]) -> str:
  """selection.json in a sentence or two."""
  text = _epochs_sentence(
    f"Selected for every fold on {content['inner_folds']} inner folds of its training subjects, by"
    f" {content['metric']}:",
    content["selected"],
  )
  settings = collections.Counter(entry["setting"] for entry in content["selected"])
  if set(settings) == {""}:
    return text
  total = len(content["selected"])
  counts = ", ".join(f"{name} in {n}" for name, n in settings.most_common())
  return f"{text} Of {total} selections: {counts}."


def selected_rows(content: dict[str, Any]) -> list[list[str]]:
  """A line for each seed and fold: seed, fold, epoch, setting, score on the inner folds."""
  return [
    [
      str(entry["seed"]),
      entry["fold"],
      str(entry["epoch"]),
      entry["setting"],
      "–" if entry["score"] is None else f"{abs(entry['score']):.4f}",
    ]
    for entry in content["selected"]
  ]


def _selected(path: pathlib.Path) -> list[dict[str, Any]]:
  """The rows of a selection file; none where it is absent or damaged."""
  return (_read(path) or {}).get("selected", [])


_ENTRY = {"seed": int, "fold": str, "epoch": int}


def _read(path: pathlib.Path) -> dict[str, Any] | None:
  """A selection file; None where it is absent or damaged."""
  try:
    content = json.loads(path.read_text(encoding="utf-8"))
    whole = all({n: type(entry.get(n)) for n in _ENTRY} == _ENTRY for entry in content["selected"])
  except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
    return None
  return content if whole else None


def _rows(
  prefix: str, honest: dict, leaky: dict, of_honest: dict, of_leaky: dict
) -> list[tuple[str, list[str]]]:
  rows = []
  for name, entry in ((f"{prefix}last epoch, honest", honest), (f"{prefix}{LEAKY}", leaky)):
    std = entry["std"] or {}
    rows.append((name, [score_table.number(entry[key], std.get(key)) for key in SCORES]))
  return [
    *rows,
    (f"{prefix}leaky gain", [_gain(honest[k], leaky[k], k, of_honest, of_leaky) for k in SCORES]),
  ]


def _gain(honest: float | None, leaky: float | None, key: str, a: dict, b: dict) -> str:
  if honest is None or leaky is None:
    return "–"
  seeds = [b["per_seed"][s][key] - own[key] for s, own in a.get("per_seed", {}).items()]
  std = float(np.std(seeds, ddof=1)) if len(seeds) > 1 else None
  difference = leaky - honest
  return ("-" if difference < 0 else "+") + score_table.number(abs(difference), std)


def _epochs_sentence(begin: str, rows: Sequence[dict[str, Any]]) -> str:
  if not rows:
    return f"{begin} epochs that are not recorded."
  epochs = np.array([entry["epoch"] for entry in rows])
  low, high = int(epochs.min()), int(epochs.max())
  if low == high:
    return f"{begin} epoch {low} everywhere."
  return f"{begin} epochs {low} to {high}, median {np.median(epochs):g}."


def _scores(predicted: np.ndarray, labels: np.ndarray, k: int) -> dict[str, np.ndarray]:
  """Pooled scores of predictions [E, S, N] against labels [S, N]; float64 [E, S] by name."""
  count, seeds, _ = predicted.shape
  table_of = np.arange(count * seeds).reshape(count, seeds, 1)
  cells = (table_of * k + np.broadcast_to(labels, predicted.shape)) * k + predicted
  counts = np.bincount(cells[predicted != NO_PREDICTION], minlength=count * seeds * k * k)
  return single_class.score_arrays(counts.reshape(count, seeds, k, k))
