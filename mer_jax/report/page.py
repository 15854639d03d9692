"""report.html: one self-contained page of a run, and its figures as PNG files."""

import json
import os
import pathlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from mer_jax.clips import FLOW_MAPS, Clips
from mer_jax.errors import WorkdirError
from mer_jax.evaluation.predictions import Predictions, read_csv
from mer_jax.evaluation.summary import summarise
from mer_jax.report import (
  clip_rows,
  config_groups,
  confusion,
  curves,
  history,
  score_table,
  strips,
  subjects,
)
from mer_jax.report.templates import Figure, Section, flat, template
from mer_jax.runtime import atomic

NO_HISTORY = "There is no history.jsonl in this workdir, or no line of it can be read."
NOT_TRAINED = "Nothing was trained: given weights are evaluated as they are."


def write(
  workdir: str | os.PathLike[str],
  *,
  clips: Clips | None = None,
  remarks: Sequence[str] = (),
  title: str | None = None,
  sections: Sequence[Section] = (),
  defaults: Mapping[str, Any] | None = None,
  leaky: Collection[tuple[str, str]] = (),
) -> pathlib.Path:
  """Writes `workdir/report.html` and `workdir/figures/*.png`, each atomically.

  Every score comes from predictions.csv, so the page cannot contradict it. config.json,
  environment.json and history.jsonl are shown where they exist; a section says so where not.

  Args:
    workdir: of a run whose predictions.csv is written.
    clips: the clips of the run, for the film strips; None leaves that section out.
    remarks: what a reader must know before the numbers (synthetic data, an incomplete corpus,
      anything chosen on held-out subjects), shown in a banner on top. Before them stands which
      clips have no prediction, where folds were stopped.
    title: what ran; by default the model of the config and the datasets.
    sections: further sections, behind those on training.
    defaults: every config field with its default, to show first what differs; None: unknown.
    leaky: (dataset, subject) pairs that the model had learned from before; the title and their
      clips say so.

  Returns:
    The path of report.html.

  Raises:
    DataError: predictions.csv is absent or damaged.
    WorkdirError: config.json or environment.json is not JSON.
  """
  workdir = pathlib.Path(workdir)
  predictions = read_csv(workdir / "predictions.csv")
  summary = summarise(predictions)
  trained = history.read(workdir / "history.jsonl")
  reference = curves.prior(predictions, trained.subjects) if trained else None
  config, environment = (_read_json(workdir / f"{name}.json") for name in ("config", "environment"))
  figures = _figures(predictions, summary, clips, trained, reference)
  page = template("page.html").render(
    title=("leaky: " if leaky else "") + (title or _title(config, summary)),
    remarks=[
      *([gap] if (gap := score_table.gap(summary)) else []),
      *(section.remark for section in sections if section.remark),
      *remarks,
    ],
    summary=summary,
    table=score_table,
    headline=_headline(summary),
    seed_rows=_seed_rows(summary),
    figures=figures,
    further_sections=sections,
    training_note=_training_note(trained, reference) if trained and reference else None,
    without_curves=NOT_TRAINED if _is_untrained(config) else NO_HISTORY,
    clips_note=_clips_note(clips) if clips is not None else None,
    clip_table=clip_rows.table(predictions, leaky),
    text_columns=clip_rows.NAMES,
    most_missed=strips.MISSED,
    config=config_groups.groups(config, environment, defaults),
    environment=[
      (name, text)
      for name, text in flat(environment)
      if not name.startswith("sources.")  # a digest for every file of the code
    ],
  )
  for section in sections:
    figures |= section.figures
  for name, figure in figures.items():
    atomic.write_bytes(workdir / "figures" / f"{name}.png", figure.png)
  path = workdir / "report.html"
  atomic.write_text(path, page)
  return path


def _read_json(path: pathlib.Path) -> Any:
  if not path.is_file():
    return None
  try:
    return json.loads(path.read_text(encoding="utf-8"))
  except (ValueError, RecursionError) as error:  # also of text that is not UTF-8
    raise WorkdirError(
      f"{path} is not JSON ({error}). The run writes it whole; take it from a copy, or run again."
    ) from error


def _figures(
  predictions: Predictions,
  summary: dict[str, Any],
  clips: Clips | None,
  trained: history.History | None,
  reference: curves.Prior | None,
) -> dict[str, Figure]:
  figures = {
    "confusion": Figure(confusion.draw(summary), _confusion_alt(summary)),
    "subjects": Figure(subjects.draw(predictions), _subjects_alt(predictions)),
  }
  if trained and reference:
    figures["curves"] = Figure(curves.draw(trained, reference), _curves_alt(trained))
  if clips is None:
    return figures
  for name, strip, what in (
    ("clips", strips.draw(clips, predictions), "single clips"),
    ("missed", strips.draw_missed(clips, predictions), "misclassified clips"),
  ):
    if strip:
      figures[name] = Figure(
        strip, f"Film strips of {what}, frames from onset over apex to offset."
      )
  return figures


def _title(config: Any, summary: dict[str, Any]) -> str:
  model = dict(flat(config)).get("model.name")
  datasets = " + ".join(summary["per_dataset"])
  return (
    f"{model} on {datasets}" if model else f"{score_table.held_out(summary).method} on {datasets}"
  )


def _is_untrained(config: Any) -> bool:
  """Whether a config.json asks for no epoch of a network."""
  fields = dict(flat(config))
  return fields.get("training.epochs") == "0" and fields.get("model.name") != "svm"


def _headline(summary: dict[str, Any]) -> list[tuple[str, str, str, str]]:
  """(name, score, interval or "", what the majority class gets) of the figures in large type."""
  pooled, majority, interval = summary["pooled"], summary["majority"], summary["pooled"]["interval"]
  std = pooled["std"] or {}
  return [
    (
      label,
      score_table.number(pooled[key], std.get(key)),
      f"{score_table.percent(interval['level'])} interval {score_table.span(interval[key])}"
      if interval
      else "",
      score_table.number(majority[key]),
    )
    for key, label in score_table.HEADLINE.items()
  ]


def _seed_rows(summary: dict[str, Any]) -> list[tuple[str, list[str]]]:
  if len(summary["seeds"]) < 2:
    return []
  rows = []
  for seed, missing in summary["pooled"]["clips_missing"].items():
    entry = summary["per_seed"].get(seed, {})
    name = f"{seed} ({summary['clips'] - missing} of {summary['clips']} clips)" if missing else seed
    rows.append((name, [score_table.number(entry.get(key)) for key in score_table.COLUMNS]))
  return rows


def _training_note(trained: history.History, reference: curves.Prior) -> str:
  below, total = curves.learned(trained, reference)
  trainings = "fold" if trained.loss.shape[0] == 1 else "fold and seed"
  note = (
    f"In {below} of {total} trainings (one per {trainings}) the loss of the last chunk lies below"
    " the cross-entropy of the fold's class frequencies; a training above it has learned less than"
    " those frequencies. With a weighted or smoothed loss the line is no such bound."
  )
  if trained.stopped:
    first = min(trained.stopped.values())
    note += (
      f" {len(trained.stopped)} trainings were stopped because their loss was no longer finite, the"
      f" first at step {first}; crosses mark where they end."
    )
  ran = np.ones(trained.loss.shape[:2], bool)
  ran[tuple(np.array([*trained.stopped], int).reshape(-1, 2).T)] = False
  trains = np.repeat(ran[:, :, None], trained.loss.shape[2], axis=2)
  for (s, f), chunk in trained.ended.items():
    trains[s, f, chunk + 1 :] = False
  odd = int((~np.isfinite(trained.loss[trains])).sum())
  if odd:
    note += f" {odd} values of the loss are missing or not finite and are left out."
  if trained.unreadable:
    note += f" {trained.unreadable} lines of history.jsonl could not be read and are left out."
  return note


def _confusion_alt(summary: dict[str, Any]) -> str:
  lines = []
  for name, counts in zip(summary["classes"], summary["pooled"]["confusion"], strict=True):
    parts = zip(counts, summary["classes"], strict=True)
    lines.append(f"{name}: " + ", ".join(f"{n} predicted {other}" for n, other in parts))
  return "Confusion matrix, pooled. Truth " + "; ".join(lines) + "."


def _curves_alt(trained: history.History) -> str:
  last = trained.last_loss
  finite = last[np.isfinite(last)]
  end = f" The median of the last loss is {np.median(finite):.3f}." if finite.size else ""
  return (
    f"Training loss and accuracy of {len(trained.subjects)} folds up to epoch"
    f" {trained.epochs[-1]}.{end}"
  )


def _subjects_alt(predictions: Predictions) -> str:
  parts = []
  for dataset, people in subjects.by_dataset(predictions).items():
    accuracy = [person.mean for person in people if person.known.size]
    part = f"{dataset}: {len(people)} subjects"
    if accuracy:
      part += f", accuracy from {min(accuracy):.2f} to {max(accuracy):.2f}"
      part += f", median {np.median(accuracy):.2f}"
    if len(accuracy) < len(people):
      part += f", {len(people) - len(accuracy)} without a prediction"
    parts.append(part)
  return "Accuracy of every held-out subject. " + "; ".join(parts) + "."


def _clips_note(clips: Clips) -> str:
  if clips.channels == FLOW_MAPS:
    return "Flow maps: u is horizontal and v vertical motion, red positive; strain is light."
  change = (
    "The last picture of a strip is the change from onset to apex in gray levels, red where it grew"
    " brighter."
  )
  if np.all(clips.synthetic):
    return f"{change} Drawn clips: no person is shown."
  return (
    f"{change} Frames of a licensed corpus show people; see what its licence allows before passing"
    " this page on. No more of them are shown than this sample: strips of all misclassified clips"
    " are for drawn clips and flow maps."
  )
