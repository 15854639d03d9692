"""Comparison of finished runs, clip by clip: scores, paired differences, the level of chance."""

import itertools
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from mer_jax import errors
from mer_jax.errors import ConfigError, DataError
from mer_jax.evaluation import common_clips, folds, intervals, paired, permutation
from mer_jax.evaluation.clip_table import ClipTable, by_subject, clip_table, rows
from mer_jax.evaluation.predictions import read_csv
from mer_jax.experiment import run_differences
from mer_jax.report import score_table
from mer_jax.targets import single_class
from mer_jax.targets.single_class import NO_PREDICTION

PAIRS = ("first", "all")
_NAMED = 5  # clips that are named where two runs differ


def compare(
  runs: Sequence[str | os.PathLike[str]],
  *,
  level: float = intervals.LEVEL,
  pairs: str = "first",
  permutations: int = 0,
  dataset: str = "",
) -> dict[str, Any]:
  """Scores of runs over the same clips, and the differences between them.

  Clips that some seed of some run did not predict, because its fold was stopped, are left out for
  all of them; a remark then says so. Seeds without any prediction are left out beforehand.

  Args:
    runs: workdirs or predictions.csv; they may have different seeds, and numbers of them.
    level: of all intervals, within 0..1.
    pairs: "first" compares every other run with the first, "all" each with each.
    permutations: how often labels are shuffled to find the level of chance; 0: not at all.
    dataset: restricts everything to the clips of one dataset; "": all clips.

  Returns:
    What `json` can write. level, resamples, permutation: as they were used. classes, datasets,
    clips, clips_in_all, subjects: what the scores are over. runs: for each its name, path, seeds;
    `scores` (name -> mean, std over its seeds or None, interval or None); `chance` (see
    `permutation.chance`) or None. comparisons: for each a and b, names of runs; what
    `paired.difference` returns, of b minus a, each p beside `p_holm`, corrected for the number of
    comparisons, and `changed`, the clips that changed sides (run_differences.changed_sides).
    config: which fields differ (run_differences.config_fields). remarks: sentences that a reader
    must know.

  Raises:
    ConfigError: an option is out of range.
    DataError: a file is absent or damaged; the runs are over different clips, labels or classes; no
      clip was predicted by all of them.
  """
  _check(runs, level, pairs, permutations)
  files = [_file(run) for run in runs]
  names = _names(files)
  complete = [_only(clip_table(read_csv(file)), dataset, file) for file in files]
  for name, table in zip(names[1:], complete[1:], strict=True):
    common_clips.check(names[0], complete[0], name, table)
  tables = common_clips.select(names, complete)
  first = tables[0]
  scored = [_run(*run, level, permutations) for run in zip(names, files, tables, strict=True)]
  comparisons = _comparisons(names, tables, level, pairs)
  return {
    "level": level,
    "resamples": intervals.RESAMPLES,
    "permutation": permutations,
    "classes": list(first.class_names),
    "datasets": [str(name) for name in np.unique(first.dataset)],
    "clips": len(first.clip),
    "clips_in_all": len(complete[0].clip),
    "subjects": len(by_subject(first).dataset),
    "runs": scored,
    "comparisons": comparisons,
    "config": run_differences.config_fields(names, files),
    "remarks": [
      *run_differences.warnings(names, files),
      *_remarks(names, complete, tables, comparisons),
    ],
  }


def _check(
  runs: Sequence[str | os.PathLike[str]], level: float, pairs: str, permutations: int
) -> None:
  if not runs:
    raise ConfigError("There is no run to compare; name workdirs or predictions.csv.")
  intervals.check_level(level, intervals.RESAMPLES)
  if pairs not in PAIRS:
    raise ConfigError(errors.unknown("value of pairs", pairs, PAIRS))
  if permutations < 0:
    raise ConfigError(f"permutation is {permutations}; it must be at least 0, 1000 for instance.")


def _file(run: str | os.PathLike[str]) -> pathlib.Path:
  """The predictions.csv of `run`."""
  path = pathlib.Path(run).expanduser()
  if not path.is_dir():
    return path
  file = path / "predictions.csv"
  inside = sorted(f.parent.name for f in path.glob("*/predictions.csv"))
  if not file.is_file() and inside:
    raise DataError(
      f"{path} is no run but the folder of {len(inside)}: {', '.join(inside[:_NAMED])}. Name those"
      f" that are to be compared, as {path / inside[0]}."
    )
  return file


def _names(files: Sequence[pathlib.Path]) -> list[str]:
  """What tells the runs apart: their paths without what all have in common; each name is unique."""
  runs = [file.parent if file.name == "predictions.csv" else file for file in files]
  parts = [run.absolute().parts for run in runs]
  levels = zip(*(path[:-1] for path in parts), strict=False)
  shared = sum(1 for _ in itertools.takewhile(lambda level: len(set(level)) == 1, levels))
  unique: list[str] = []
  for path in parts:
    name = plain = "/".join(path[shared:])
    count = 1
    while name in unique:
      count += 1
      name = f"{plain} ({count})"
    unique.append(name)
  return unique


def _only(clips: ClipTable, dataset: str, file: pathlib.Path) -> ClipTable:
  """The clips of `dataset`, and the seeds that predicted some of them."""
  if dataset and dataset not in clips.dataset:
    known = np.unique(clips.dataset).tolist()
    raise DataError(f"{file}: {errors.unknown('dataset', dataset, known)}")
  inside = clips.dataset == dataset if dataset else np.ones(len(clips.clip), bool)
  predicted = (clips.prediction[:, inside] != NO_PREDICTION).any(axis=1)
  if not predicted.any():
    raise DataError(
      f"{file} holds no prediction: every fold was stopped before it ended. Leave this run out."
    )
  return rows(clips, inside, predicted)


def _run(
  name: str, file: pathlib.Path, clips: ClipTable, level: float, permutations: int
) -> dict[str, Any]:
  subjects = by_subject(clips)
  spans = intervals.intervals(subjects, level)
  seeds = single_class.score_arrays(subjects.confusions.sum(axis=1))
  scores = {
    key: {
      "mean": float(seeds[key].mean()),
      "std": float(seeds[key].std(ddof=1)) if len(clips.seeds) > 1 else None,
      "interval": spans[key] if spans else None,
    }
    for key in score_table.HEADLINE
  }
  chance = permutation.chance(clips, permutations) if permutations else None
  return {
    "name": name,
    "path": str(file),
    "seeds": clips.seeds.tolist(),
    "scores": scores,
    "chance": chance,
  }


def _comparisons(
  names: Sequence[str], tables: Sequence[ClipTable], level: float, pairs: str
) -> list[dict[str, Any]]:
  compared = list(itertools.combinations(range(len(names)), 2))
  if pairs == "first":
    compared = [pair for pair in compared if pair[0] == 0]
  pairs_compared: list[dict[str, Any]] = []
  for a, b in compared:
    result = paired.difference(tables[a], tables[b], level)
    scores = {key: result["scores"][key] for key in score_table.HEADLINE}
    pairs_compared.append(
      {
        "a": names[a],
        "b": names[b],
        "scores": scores,
        "mcnemar": result["mcnemar"],
        "changed": run_differences.changed_sides(tables[a], tables[b]),
      }
    )
  for key in score_table.HEADLINE:
    _correct([pair["scores"][key] for pair in pairs_compared])
  _correct([pair["mcnemar"] for pair in pairs_compared if pair["mcnemar"]])
  return pairs_compared


def _correct(tests: Sequence[dict[str, Any]]) -> None:
  """Adds `p_holm` to tests that are read side by side."""
  for test, p in zip(tests, paired.holm([test["p"] for test in tests]), strict=True):
    test["p_holm"] = p


def _remarks(
  names: Sequence[str],
  complete: Sequence[ClipTable],
  tables: Sequence[ClipTable],
  comparisons: Sequence[dict[str, Any]],
) -> list[str]:
  remarks = []
  total, used = len(complete[0].clip), len(tables[0].clip)
  if used < total:
    gaps = [
      name
      for name, table in zip(names, complete, strict=True)
      if (table.prediction == NO_PREDICTION).any()
    ]
    remarks.append(
      f"{total - used} of {total} clips are left out for all runs: folds were stopped in"
      f" {', '.join(gaps)}, so these clips lack a prediction. Scores differ from those of complete"
      " runs, and from those in the report of a run with another gap."
    )
  held = [folds.names(table.dataset, table.subject, table.fold) for table in tables]
  others = [
    name for name, fold in zip(names, held, strict=True) if not np.array_equal(fold, held[0])
  ]
  if others:
    remarks.append(
      f"{', '.join(others)}: the folds are others than in {names[0]}, so the models learnt from"
      " other clips, and a difference is also one of protocols."
    )
  if len({len(table.seeds) for table in tables}) > 1 and comparisons:
    remarks.append(
      "The runs have different numbers of seeds: the mean over more of them is steadier, so they"
      " are not quite exchangeable and p is approximate."
    )
  subjects = len(by_subject(tables[0]).dataset)
  if comparisons and subjects < 8:
    remarks.append(
      f"With {subjects} subjects, p cannot fall below {2 / 2**subjects:.3g}; intervals from so few"
      " are rough."
    )
  return remarks
