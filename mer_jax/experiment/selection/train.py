"""Training with selection: the last epoch, the choice of inner folds, or the leaky one beside it.

`last` is the last epoch. `inner` trains in two phases: the inner folds of all folds and settings
side by side, with snapshots; then every fold on all of its clips, with the epoch and setting that
its inner folds select. `leaky_test_best` trains as `last` does, with snapshots of the held-out
clips; what these would select is written beside the results, so named.
"""

import json
import pathlib
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from ml_collections import config_dict

from mer_jax import evaluation, training
from mer_jax.errors import WorkdirError
from mer_jax.evaluation import predictions as predictions_of_clips
from mer_jax.experiment import stages, svm_on_layer, sweep
from mer_jax.experiment.selection import select, snapshots
from mer_jax.experiment.selection.inner_folds import InnerFolds
from mer_jax.experiment.selection.options import INNER, LEAKY
from mer_jax.protocols import Split
from mer_jax.runtime import atomic, distributed


class Inner(NamedTuple):
  """The inner folds of a split, and what builds the program that trains them for all settings."""

  folds: InnerFolds
  build: Callable[[], training.Program]


def train(
  config: config_dict.ConfigDict,
  split: Split,
  seeds: Sequence[int],
  program: training.Program,
  inner: Inner | None,
  path: pathlib.Path,
) -> list[np.ndarray]:
  """Trains as config.selection says and keeps everything in the folder `path`.

  Args:
    config: resolved.
    split: F folds over N clips.
    seeds: S seeds.
    program: the folds of `split`, for every setting; for the first alone where `inner` selects.
    inner: with config.selection.name "inner"; else None.
    path: the workdir.

  Returns:
    float32 [S, N, K] for each of sweep.results(config): probabilities of the held-out clips, by the
    network of a fold or, with config.svm.layer, by an SVM on that layer of it.
  """
  settings, plan, ends = sweep.results(config), plan_of(config, path), None
  if inner:
    selected = _by_inner_folds(config, split, seeds, inner, path)
    program = _with_selected(config, program, selected)
    plan, ends = plan._replace(epochs=int(selected.epoch.max())), selected.epoch
  logs = [path / setting.name / "history.jsonl" for setting in settings]
  history = training.History(logs, seeds, split.fold_names, ends, stages.named_ends(config))
  with training.Checkpoints(path / "checkpoints", config.checkpoint.keep) as checkpoints:
    is_leaky = config.selection.name == LEAKY
    recorder = _leaky_snapshots(config, split, settings, path) if is_leaky else None
    state = training.train(program, plan, checkpoints, history, recorder)
  if config.svm.layer:
    return svm_on_layer.by_setting(config, split, seeds, program, state, len(settings))
  probabilities = distributed.fetch(program.predict(state))[:, : program.layout.folds]
  by_setting = np.split(probabilities, len(settings), axis=1)
  return [training.by_clip(part, split.held_out) for part in by_setting]


def plan_of(config: config_dict.ConfigDict, path: pathlib.Path) -> training.Plan:
  """How long a run of `config` in the folder `path` trains, and how often it reports."""
  profile = path / "profile" if config.profile and distributed.is_main() else None
  *ends, epochs = (end for _, end in stages.ends(config))
  return training.Plan(
    epochs,
    config.training.chunk_epochs,
    config.checkpoint.every_epochs,
    profile,
    ends=tuple(ends),
  )


def write_leaky(
  folder: pathlib.Path,
  config: config_dict.ConfigDict,
  split: Split,
  seeds: Sequence[int],
  by_clip: np.ndarray,
) -> None:
  """Writes predictions, metrics, logs and epochs that the held-out clips themselves would select.

  Args:
    folder: of a run, with its snapshots.
    config: resolved.
    split: N clips, F folds.
    seeds: S seeds.
    by_clip: float32 [S, N, K], predicted after the last epoch.

  Raises:
    WorkdirError: snapshots are missing.
  """
  epochs, arrays = snapshots.read(folder / _LEAKY_SNAPSHOTS)
  _check_complete(folder / _LEAKY_SNAPSHOTS, epochs, _snapshot_epochs(config, folder))
  # The last snapshot again, by what may be another number of devices: the comparison is with it.
  probabilities = np.concatenate([arrays["probabilities"][:-1], by_clip[None]])
  best, selected = select.leaky_test_best(probabilities, split.labels, split.held_out)
  predictions = evaluation.predictions_of(seeds, split, selected)
  evaluation.write_csv(folder / f"{LEAKY}_predictions.csv", predictions)
  summary = evaluation.summarise(predictions)
  evaluation.write_json(folder / f"{LEAKY}_metrics.json", summary)
  for seed in summary["seeds_scored"]:
    log = folder / f"{LEAKY}_megc2019_seed{seed}.log"
    of_seed = predictions_of_clips.select(predictions, predictions.seed == seed)
    evaluation.write_megc_log(log, of_seed)
  rows = [
    {"seed": seed, "fold": name, "epoch": epochs[best[s, f]]}
    for s, seed in enumerate(seeds)
    for f, name in enumerate(split.fold_names)
  ]
  _write(folder / f"{LEAKY}_selection.json", {"name": LEAKY}, rows)


_LEAKY_SNAPSHOTS = f"{LEAKY}_snapshots.jsonl"


def _leaky_snapshots(
  config: config_dict.ConfigDict,
  split: Split,
  settings: Sequence[sweep.Setting],
  path: pathlib.Path,
) -> snapshots.Snapshots:
  def content(setting: int, probabilities: np.ndarray) -> dict[str, np.ndarray]:
    own = np.split(probabilities, len(settings), axis=1)[setting]
    return {"probabilities": training.by_clip(own, split.held_out)}

  contents = {
    path / setting.name / _LEAKY_SNAPSHOTS: partial(content, p)
    for p, setting in enumerate(settings)
  }
  return snapshots.Snapshots(contents, config.selection.every_epochs)


def _by_inner_folds(
  config: config_dict.ConfigDict,
  split: Split,
  seeds: Sequence[int],
  inner: Inner,
  path: pathlib.Path,
) -> select.Selection:
  """The first phase, unless its snapshots are complete; what it selects is written and returned."""
  folder, settings = path / "inner", sweep.settings_of(config)
  file = folder / "snapshots.jsonl"
  if not distributed.on_main(_is_complete, file, _snapshot_epochs(config, folder)):
    plan = plan_of(config, folder)._replace(what="inner training")
    logs = [folder / setting.name / "history.jsonl" for setting in settings]
    named = stages.named_ends(config)
    history = training.History(logs, seeds, inner.folds.folds.names, stages=named)
    validation = np.tile(inner.folds.validation, (len(settings), 1))
    content = partial(select.tally, validation=validation, labels=split.labels)
    recorder = snapshots.Snapshots({file: content}, config.selection.every_epochs)
    with training.Checkpoints(folder / "checkpoints", config.checkpoint.keep) as checkpoints:
      training.train(inner.build(), plan, checkpoints, history, recorder)
  return select.Selection(
    *distributed.on_main(_select, config, split, seeds, inner.folds.count, path)
  )


def _with_selected(
  config: config_dict.ConfigDict, program: training.Program, selected: select.Selection
) -> training.Program:
  """Every stage of `program` with the setting of each seed and fold, to the epoch of each."""
  varied = sweep.settings_of(config)
  by_stage = []
  for place, stage in enumerate((*program.before, program)):
    values = stages.hyper(varied, place)
    by_stage.append({n: np.asarray(values[n])[selected.setting] for n in stage.folds.hyper})
  return training.with_selected(program, by_stage, selected.epoch * program.steps_per_epoch)


def _select(
  config: config_dict.ConfigDict,
  split: Split,
  seeds: Sequence[int],
  inner_folds: int,
  path: pathlib.Path,
) -> select.Selection:
  file, settings, options = (
    path / "inner" / "snapshots.jsonl",
    sweep.settings_of(config),
    config.selection,
  )
  epochs, arrays = snapshots.read(file)
  _check_complete(file, epochs, _snapshot_epochs(config, path))
  selected = select.by_inner_folds(
    epochs, arrays["counts"], arrays["loss"], len(settings), inner_folds, options.metric
  )
  rows = [
    {
      "seed": seed,
      "fold": name,
      "epoch": int(selected.epoch[s, f]),
      "setting": settings[selected.setting[s, f]].name,
      "score": float(selected.score[s, f]) if np.isfinite(selected.score[s, f]) else None,
    }
    for s, seed in enumerate(seeds)
    for f, name in enumerate(split.fold_names)
  ]
  facts = {"name": INNER, "inner_folds": inner_folds, "metric": options.metric}
  _write(path / "selection.json", facts, rows)
  # Models of every inner fold and setting: they are needed no more, and they are many.
  shutil.rmtree(path / "inner" / "checkpoints", ignore_errors=True)
  return selected


def _snapshot_epochs(config: config_dict.ConfigDict, folder: pathlib.Path) -> list[int]:
  return training.snapshot_epochs(plan_of(config, folder), config.selection.every_epochs)


def _is_complete(file: pathlib.Path, expected: Sequence[int]) -> bool:
  return snapshots.read(file)[0] == list(expected)


def _check_complete(file: pathlib.Path, epochs: Sequence[int], expected: Sequence[int]) -> None:
  missing = sorted(set(expected) - set(epochs))
  if missing or list(epochs) != list(expected):
    raise WorkdirError(
      f"{file} lacks snapshots that the selection is made from ({len(missing)} of {len(expected)},"
      f" the first after epoch {missing[0] if missing else expected[0]}): it is not what the run"
      " wrote. Put it back from a copy, or use a new --workdir."
    )


def _write(path: pathlib.Path, facts: dict, rows: list[dict]) -> None:
  atomic.write_text(path, json.dumps({**facts, "selected": rows}, indent=2) + "\n")
