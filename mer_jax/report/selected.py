"""What was chosen by an inner split, or would be by the held-out clips, and what that changes."""

import collections
import json
import os
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from mer_jax.errors import DataError
from mer_jax.evaluation import metrics
from mer_jax.evaluation.choice import INNER, LEAKY
from mer_jax.evaluation.predictions import NO_PREDICTION, Predictions, order, read_csv, select
from mer_jax.evaluation.summary import summarise
from mer_jax.report import table
from mer_jax.training import watch

SCORES = {"accuracy": "accuracy", "uf1": "UF1", "uar": "UAR"}
WARNING = (
  f"{LEAKY}: beside the honest results of the last epoch this run holds those of the epoch that is"
  " best for each fold on the very clips it holds out. They explain numbers that were published in"
  " that way and estimate nothing; every name that belongs to them says leaky. Do not report them"
  " as results."
)


class Gain(NamedTuple):
  """A table that compares the last epoch with the leaky choice.

  Attributes:
    rows: a name and the cells in the order of `SCORES`, formatted; three rows over all clips and,
      with several corpora, three for each.
    epochs: in one sentence, which epochs the leaky choice took.
  """

  rows: list[tuple[str, list[str]]]
  epochs: str


class Curve(NamedTuple):
  """Scores on the held-out clips as training went on, every fold at the same epoch.

  Attributes:
    epochs: the E epochs of the looks.
    scores: by name of `SCORES`, float64 [E, S], NaN where no fold has a prediction.
    leaky: by name, float64 [S], where every fold stops at the epoch that is best for it.
  """

  epochs: list[int]
  scores: dict[str, np.ndarray]
  leaky: dict[str, np.ndarray]


def console(folder: str | os.PathLike[str], summary: dict[str, Any]) -> str:
  """What a run in `folder` says at its end about selection; "" of the last epoch.

  Args:
    summary: of its predictions.csv, see `evaluation.summarise`.
  """
  if found := gain(folder, summary):
    lines = [["", *SCORES.values()], *([name, *cells] for name, cells in found.rows)]
    return "\n\n".join([table.aligned(lines), found.epochs, f"Note: {WARNING}"])
  chosen = inner(folder)
  return chosen_sentence(chosen) if chosen else ""


def gain(folder: str | os.PathLike[str], summary: dict[str, Any]) -> Gain | None:
  """The gain of the leaky choice; None in a run that does not look at held-out clips."""
  folder = pathlib.Path(folder)
  file = folder / f"{LEAKY}_predictions.csv"
  if not file.is_file():
    return None
  leaky = summarise(read_csv(file))
  rows = _rows("", summary["pooled"], leaky["pooled"], summary, leaky)
  if len(summary["per_dataset"]) > 1:
    for name, entry in summary["per_dataset"].items():
      rows += _rows(f"{name}, ", entry, leaky["per_dataset"][name], {}, {})
  return Gain(rows, _epochs_sentence(f"{LEAKY} took", choices(folder / f"{LEAKY}_selection.json")))


def curve(folder: str | os.PathLike[str], honest: Predictions) -> Curve | None:
  """Scores over epochs of a run that looked at its held-out clips; None of any other.

  Args:
    honest: the predictions of the last epoch, which stand in for the last look.

  Raises:
    DataError: the looks are of other clips.
  """
  folder = pathlib.Path(folder)
  epochs, looks = watch.read(folder / f"{LEAKY}_looks.jsonl")
  file = folder / f"{LEAKY}_predictions.csv"
  if not epochs or not file.is_file():
    return None
  seeds, k = len(np.unique(honest.seed)), len(honest.class_names)
  probabilities = looks["probabilities"]
  if probabilities.shape[1:] != (seeds, len(honest.clip) // seeds, k):
    raise DataError(
      f"{folder / f'{LEAKY}_looks.jsonl'} is about {probabilities.shape[1:]} seeds, clips and"
      " classes, unlike predictions.csv beside it. Run the experiment again in a new workdir."
    )
  said = np.where(np.isnan(probabilities).any(axis=-1), NO_PREDICTION, probabilities.argmax(-1))
  said = said.reshape(len(epochs), -1)
  honest, leaky = (select(p, order(p)) for p in (honest, read_csv(file)))
  said[-1] = honest.prediction
  rows = np.concatenate([said, leaky.prediction[None]])
  scores = _scores(rows.reshape(len(rows), seeds, -1), honest.label.reshape(seeds, -1), k)
  return Curve(
    epochs,
    {name: scores[name][:-1] for name in SCORES},
    {name: scores[name][-1] for name in SCORES},
  )


def inner(folder: str | os.PathLike[str]) -> dict[str, Any] | None:
  """selection.json of a run whose epoch and setting were chosen on inner folds; else None."""
  found = _read(pathlib.Path(folder) / "selection.json")
  return found if found and found.get("name") == INNER else None


def chosen_sentence(found: dict[str, Any]) -> str:
  """What inner folds chose, in a sentence or two."""
  text = _epochs_sentence(
    f"Chosen for every fold on {found['inner_folds']} inner folds of its training subjects, by"
    f" {found['metric']}:",
    found["choices"],
  )
  settings = collections.Counter(entry["setting"] for entry in found["choices"])
  if set(settings) == {""}:
    return text
  total = len(found["choices"])
  counts = ", ".join(f"{name} in {n}" for name, n in settings.most_common())
  return f"{text} Of {total} choices: {counts}."


def chosen_rows(found: dict[str, Any]) -> list[list[str]]:
  """A line for each seed and fold: seed, fold, epoch, setting, score on the inner folds."""
  return [
    [
      str(entry["seed"]),
      entry["fold"],
      str(entry["epoch"]),
      entry["setting"],
      "–" if entry["score"] is None else f"{abs(entry['score']):.4f}",
    ]
    for entry in found["choices"]
  ]


def choices(path: pathlib.Path) -> list[dict[str, Any]]:
  """What a file of choices lists; nothing where it is absent or damaged."""
  return (_read(path) or {}).get("choices", [])


def _read(path: pathlib.Path) -> dict[str, Any] | None:
  try:
    return json.loads(path.read_text(encoding="utf-8"))
  except (FileNotFoundError, ValueError):
    return None


def _rows(
  prefix: str, honest: dict, leaky: dict, of_honest: dict, of_leaky: dict
) -> list[tuple[str, list[str]]]:
  rows = []
  for name, entry in ((f"{prefix}last epoch, honest", honest), (f"{prefix}{LEAKY}", leaky)):
    std = entry["std"] or {}
    rows.append((name, [table.number(entry[key], std.get(key)) for key in SCORES]))
  return [
    *rows,
    (f"{prefix}leaky gain", [_gain(honest[k], leaky[k], k, of_honest, of_leaky) for k in SCORES]),
  ]


def _gain(honest: float | None, leaky: float | None, key: str, a: dict, b: dict) -> str:
  if honest is None or leaky is None:
    return "–"
  seeds = [b["per_seed"][s][key] - one[key] for s, one in a.get("per_seed", {}).items()]
  std = float(np.std(seeds, ddof=1)) if len(seeds) > 1 else None
  difference = leaky - honest
  return ("-" if difference < 0 else "+") + table.number(abs(difference), std)


def _epochs_sentence(begin: str, found: Sequence[dict[str, Any]]) -> str:
  if not found:
    return f"{begin} epochs that are not recorded."
  epochs = np.array([entry["epoch"] for entry in found])
  low, high = int(epochs.min()), int(epochs.max())
  if low == high:
    return f"{begin} epoch {low} everywhere."
  return f"{begin} epochs {low} to {high}, median {np.median(epochs):g}."


def _scores(said: np.ndarray, labels: np.ndarray, k: int) -> dict[str, np.ndarray]:
  """Pooled scores of predictions [E, S, N] against labels [S, N]; float64 [E, S] by name."""
  looks, seeds, _ = said.shape
  table_of = np.arange(looks * seeds).reshape(looks, seeds, 1)
  cells = (table_of * k + np.broadcast_to(labels, said.shape)) * k + said
  counts = np.bincount(cells[said != NO_PREDICTION], minlength=looks * seeds * k * k)
  return metrics.score_arrays(counts.reshape(looks, seeds, k, k))
