"""Selection: which epoch, and which setting of a sweep, the results of a network are of.

`last` is the last epoch. `inner` decides on an inner split of each fold's training subjects, in two
phases: the inner folds of all folds and settings train side by side, and are looked at as they go;
then every fold trains on all of its clips, with its own choice. `leaky_test_best` trains as `last`
does and looks at the held-out clips; what it would have chosen is written beside, so named.
"""

import json
import pathlib
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from ml_collections import config_dict

from mer_jax import atomic, distributed, evaluation, sweep, training
from mer_jax.errors import WorkdirError
from mer_jax.evaluation import choice as choices
from mer_jax.evaluation.predictions import select
from mer_jax.protocols import Split
from mer_jax.protocols.inner_folds import InnerFolds
from mer_jax.training import schedule, watch


class Inner(NamedTuple):
  """The inner folds of a split, and what builds the program that trains them for all settings."""

  folds: InnerFolds
  build: Callable[[], training.Program]


def learn(
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
    program: the folds of `split`, for every setting; for the first alone where `inner` chooses.
    inner: with config.selection.name "inner"; else None.

  Returns:
    float32 [S, N, K] for each of sweep.results(config): what the folds say about held-out clips.
  """
  points, plan, ends = sweep.results(config), plan_of(config, path), None
  if inner:
    choice = _by_inner_folds(config, split, seeds, inner, path)
    values = sweep.hyper(sweep.points(config))
    hyper = {name: np.asarray(values[name])[choice.setting] for name in program.folds.hyper}
    per_epoch = schedule.steps_per_epoch(len(split.labels), program.recipe.batch_size)
    program = program.choosing(hyper, choice.epoch * per_epoch)
    plan, ends = plan._replace(epochs=int(choice.epoch.max())), choice.epoch
  leaky = config.selection.name == choices.LEAKY
  logs = [path / point.name / "history.jsonl" for point in points]
  history = training.History(logs, seeds, split.fold_names, ends)
  with training.Checkpoints(path / "checkpoints", config.checkpoint.keep) as checkpoints:
    looks = _leaky_watch(config, split, points, path) if leaky else None
    state = training.train(program, plan, checkpoints, history, looks)
  probabilities = distributed.fetch(program.predict(state))[:, : program.layout.folds]
  by_point = np.split(probabilities, len(points), axis=1)
  return [training.by_clip(part, split.held_out) for part in by_point]


def plan_of(config: config_dict.ConfigDict, path: pathlib.Path) -> training.Plan:
  """How long a run of `config` in the folder `path` trains, and how often it looks up."""
  train = config.training
  profile = path / "profile" if config.profile and distributed.is_main() else None
  return training.Plan(train.epochs, train.chunk_epochs, config.checkpoint.every_epochs, profile)


def leave_leaky(
  folder: pathlib.Path,
  config: config_dict.ConfigDict,
  split: Split,
  seeds: Sequence[int],
  by_clip: np.ndarray,
) -> None:
  """Writes predictions, metrics, logs and epochs that the held-out clips themselves would choose.

  Args:
    folder: of a run, with its looks.
    by_clip: float32 [S, N, K], what was predicted after the last epoch.

  Raises:
    WorkdirError: looks are missing.
  """
  epochs, arrays = watch.read(folder / _LEAKY_LOOKS)
  _check_complete(folder / _LEAKY_LOOKS, epochs, _look_epochs(config, folder))
  # The last look again, by what may be another number of devices: the comparison is with it.
  probabilities = np.concatenate([arrays["probabilities"][:-1], by_clip[None]])
  best, chosen = choices.leaky_test_best(probabilities, split.labels, split.held_out)
  predictions = evaluation.predictions_of(seeds, split, chosen)
  evaluation.write_csv(folder / f"{choices.LEAKY}_predictions.csv", predictions)
  summary = evaluation.summarise(predictions)
  evaluation.write_json(folder / f"{choices.LEAKY}_metrics.json", summary)
  for seed in summary["seeds_scored"]:
    log = folder / f"{choices.LEAKY}_megc2019_seed{seed}.log"
    evaluation.write_megc_log(log, select(predictions, predictions.seed == seed))
  found = [
    {"seed": seed, "fold": name, "epoch": epochs[best[s, f]]}
    for s, seed in enumerate(seeds)
    for f, name in enumerate(split.fold_names)
  ]
  _write_choices(folder / f"{choices.LEAKY}_selection.json", {"name": choices.LEAKY}, found)


_LEAKY_LOOKS = f"{choices.LEAKY}_looks.jsonl"


def _leaky_watch(
  config: config_dict.ConfigDict, split: Split, points: Sequence[sweep.Point], path: pathlib.Path
) -> training.Watch:
  def note(point: int, probabilities: np.ndarray) -> dict[str, np.ndarray]:
    mine = np.split(probabilities, len(points), axis=1)[point]
    return {"probabilities": training.by_clip(mine, split.held_out)}

  notes = {path / point.name / _LEAKY_LOOKS: partial(note, p) for p, point in enumerate(points)}
  return training.Watch(notes, config.selection.every_epochs)


def _by_inner_folds(
  config: config_dict.ConfigDict,
  split: Split,
  seeds: Sequence[int],
  inner: Inner,
  path: pathlib.Path,
) -> choices.Choice:
  """The first phase, unless its looks are complete; what it decides is written and returned."""
  folder, points = path / "inner", sweep.points(config)
  looks = folder / "looks.jsonl"
  if not distributed.on_main(_is_complete, looks, _look_epochs(config, folder)):
    plan = plan_of(config, folder)._replace(what="inner training")
    logs = [folder / point.name / "history.jsonl" for point in points]
    history = training.History(logs, seeds, inner.folds.names)
    validation = np.tile(inner.folds.validation, (len(points), 1))
    note = partial(choices.tally, validation=validation, labels=split.labels)
    watching = training.Watch({looks: note}, config.selection.every_epochs)
    with training.Checkpoints(folder / "checkpoints", config.checkpoint.keep) as checkpoints:
      training.train(inner.build(), plan, checkpoints, history, watching)
  return distributed.on_main(_choose, config, split, seeds, inner.folds, path)


def _choose(
  config: config_dict.ConfigDict,
  split: Split,
  seeds: Sequence[int],
  folds: InnerFolds,
  path: pathlib.Path,
) -> choices.Choice:
  looks, points, chosen = path / "inner" / "looks.jsonl", sweep.points(config), config.selection
  epochs, arrays = watch.read(looks)
  _check_complete(looks, epochs, _look_epochs(config, path))
  choice = choices.by_inner_folds(
    epochs, arrays["counts"], arrays["loss"], len(points), folds.count, chosen.metric
  )
  found = [
    {
      "seed": seed,
      "fold": name,
      "epoch": int(choice.epoch[s, f]),
      "setting": points[choice.setting[s, f]].name,
      "score": float(choice.score[s, f]) if np.isfinite(choice.score[s, f]) else None,
    }
    for s, seed in enumerate(seeds)
    for f, name in enumerate(split.fold_names)
  ]
  facts = {"name": choices.INNER, "inner_folds": folds.count, "metric": chosen.metric}
  _write_choices(path / "selection.json", facts, found)
  # Models of every inner fold and setting: nobody needs them any more, and they are many.
  shutil.rmtree(path / "inner" / "checkpoints", ignore_errors=True)
  return choice


def _look_epochs(config: config_dict.ConfigDict, folder: pathlib.Path) -> list[int]:
  return training.look_epochs(plan_of(config, folder), config.selection.every_epochs)


def _is_complete(looks: pathlib.Path, expected: Sequence[int]) -> bool:
  return watch.read(looks)[0] == list(expected)


def _check_complete(looks: pathlib.Path, found: Sequence[int], expected: Sequence[int]) -> None:
  missing = sorted(set(expected) - set(found))
  if missing or list(found) != list(expected):
    raise WorkdirError(
      f"{looks} lacks looks that the selection is made from ({len(missing)} of {len(expected)}, the"
      f" first after epoch {missing[0] if missing else expected[0]}): it is not what the run wrote."
      " Put it back from a copy, or use a new --workdir."
    )


def _write_choices(path: pathlib.Path, facts: dict, found: list[dict]) -> None:
  atomic.write_text(path, json.dumps({**facts, "choices": found}, indent=2) + "\n")
