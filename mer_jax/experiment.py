"""A whole experiment, from prepared data to the report, as one list of steps."""

import hashlib
import json
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import numpy as np
from ml_collections import config_dict

from mer_jax import (
  clips,
  distributed,
  evaluation,
  inputs,
  models,
  prepared,
  protocols,
  settings,
  sweep,
  training,
  workdir,
)
from mer_jax import report as reports
from mer_jax.errors import TrainingError
from mer_jax.training import optimizers
from mer_jax.version import __version__


@distributed.together()
def run(
  config: config_dict.ConfigDict, workdir_path: str | os.PathLike[str], *, quiet: bool = False
) -> dict[str, Any]:
  """Runs leave-one-subject-out as `config` says and leaves everything in `workdir_path`.

  A run that was stopped goes on from its newest checkpoint; a finished one is only reported again.
  Each setting of a sweep leaves a folder of its own in the workdir, like that of a run without one.

  Args:
    config: fields of settings.default() and the options of its input, model and protocol.
    workdir_path: a new folder, or the one of the same run.
    quiet: print nothing.

  Returns:
    The content of metrics.json, see evaluation.summarise. With a sweep, for the name of each
    setting that of its own; None where no fold of it ended.

  Raises:
    TrainingError: the loss of some folds left the finite numbers. The others ended, and everything
      is written, with the gap shown.
    ConfigError, DataError, ProtocolError, WorkdirError, Interrupted: see mer_jax.errors.
  """
  say = print if distributed.is_main() and not quiet else lambda *_: None
  settings.check(config)
  points = sweep.points(config)
  path = distributed.on_main(workdir.examine, workdir_path, config)
  split = load_split(config)
  model = build_model(config, split)
  arrays = inputs.make(config.input.name, split.clips, **settings.options(config.input))
  data = fingerprint(split)
  _check_processes(config, data, arrays)
  program = build_program(config, split, arrays, model)
  devices = [str(device) for device in program.layout.mesh.devices.flat]
  for name, part in {"": config, **{point.name: point.config for point in points}}.items():
    distributed.on_main(workdir.claim, path / name, part, data, devices)
  say(reports.announcement(config.to_dict(), split, arrays, _parameters(program), devices))

  logs = [path / point.name / "history.jsonl" for point in points]
  history = training.History(logs, seeds(config), split.fold_names)
  plan = training.Plan(
    config.training.epochs,
    config.training.chunk_epochs,
    config.checkpoint.every_epochs,
    path / "profile" if config.profile and distributed.is_main() else None,
  )
  with training.Checkpoints(path / "checkpoints", config.checkpoint.keep) as checkpoints:
    state = training.train(program, plan, checkpoints, history)

  probabilities = distributed.fetch(program.predict(state))[:, : program.layout.folds]
  by_point = np.split(probabilities, len(points), axis=1)
  summaries = {
    point.name: distributed.on_main(leave, path / point.name, config, split, part, say)
    for point, part in zip(points, by_point, strict=True)
  }
  _check_no_gap(summaries)
  return summaries if points[0].name else summaries[""]


def leave(
  folder: pathlib.Path,
  config: config_dict.ConfigDict,
  split: protocols.Split,
  probabilities: np.ndarray,
  say: Callable[..., Any] = print,
) -> dict[str, Any] | None:
  """Writes what the folds predicted, float32 [S, F, M, K], and all that follows from it.

  Returns:
    The content of metrics.json; None if no fold ended, and then nothing but predictions.csv.
  """
  by_clip = training.by_clip(probabilities, split.held_out)
  predictions = evaluation.predictions_of(seeds(config), split, by_clip)
  evaluation.write_csv(folder / "predictions.csv", predictions)
  if np.all(np.isnan(by_clip)):
    return None
  summary = evaluation.summarise(predictions)
  evaluation.write_json(folder / "metrics.json", summary)
  evaluation.write_megc_logs(folder, predictions)
  page = reports.write(folder, clips=split.clips, remarks=split.remarks)
  say(reports.console(summary, split.class_names, split.remarks))
  say(f"\nReport {page}\nPredictions {folder / 'predictions.csv'}")
  return summary


def load_split(config: config_dict.ConfigDict) -> protocols.Split:
  """The prepared clips of `config.data` under the protocol of `config.protocol`."""
  data = config.data
  parts = [prepared.load(name, data.builder_config, data.data_dir) for name in data.datasets]
  return protocols.split(
    config.protocol.name, clips.concatenate(parts), **settings.options(config.protocol)
  )


def build_model(config: config_dict.ConfigDict, split: protocols.Split) -> nn.Module:
  """The model of `config`, checked against its input's kind before that is computed."""
  optimizers.build(config.optimizer.name)  # a wrong name must not cost an hour of optical flow
  return models.build(config.model.name, len(split.class_names), settings.options(config.model))


def build_program(
  config: config_dict.ConfigDict,
  split: protocols.Split,
  arrays: dict[str, np.ndarray],
  model: nn.Module | None = None,
) -> training.Program:
  """The LOSO of `config` on the devices; `arrays` are the model's inputs, [N, ...] each."""
  model = model or build_model(config, split)
  models.check_input(config.model.name, model, config.input.name, arrays)
  points = sweep.points(config)
  hyper = sweep.hyper(points)
  recipe = training.Recipe(
    model=model,
    optimizer=optimizers.build(config.optimizer.name),
    num_classes=len(split.class_names),
    batch_size=min(config.training.batch_size, len(split.labels)),
    schedule=config.training.schedule,
    balance=config.training.balance,
    convolution=config.training.convolution,
  )
  block = config.training.fold_block
  layout = training.arrange(
    len(points) * len(split.fold_names),
    block,
    config.devices,
    seeds=config.seeds,
    # Half a second of tracing, which a block that was set by hand makes needless.
    footprint=None if block else training.estimate(recipe, arrays, split.labels, list(hyper)),
  )
  return training.build(
    recipe, layout, seeds(config), split.fold_names, split.held_out, arrays, split.labels, hyper
  )


def seeds(config: config_dict.ConfigDict) -> list[int]:
  """The S seeds of a run."""
  return list(range(config.seed, config.seed + config.seeds))


def fingerprint(split: protocols.Split) -> str:
  """sha256 of everything a run learns from: pixels, annotations, labels, folds."""
  digest = hashlib.sha256(split.clips.fingerprint().encode())
  digest.update(np.ascontiguousarray(split.labels, "<i4").tobytes())
  digest.update(np.packbits(split.held_out).tobytes())
  digest.update("\n".join((*split.class_names, *split.fold_names)).encode())
  return digest.hexdigest()


def _check_processes(
  config: config_dict.ConfigDict, data: str, arrays: Mapping[str, np.ndarray]
) -> None:
  """Raises ConfigError where several processes are not about to compute the same.

  `data` is the fingerprint of the split.
  """
  if distributed.processes() == 1:
    return
  anywhere = config.copy_and_resolve_references()
  anywhere.data.data_dir = ""  # where the data lie is each host's own affair
  pixels = hashlib.sha256()
  for array in arrays.values():
    pixels.update(np.ascontiguousarray(array).data)
  distributed.check_same(
    {
      "version of mer_jax, jax": f"{__version__}, {jax.__version__}",
      "config": json.dumps(settings.to_json(anywhere), sort_keys=True),
      "prepared data": data,
      "input computed from the data": pixels.hexdigest(),
    }
  )


def _check_no_gap(summaries: Mapping[str, dict[str, Any] | None]) -> None:
  """Raises TrainingError where folds were stopped; what the others predicted is written."""
  gaps = [
    f"{name + ': ' if name else ''}{_gap(summary)}"
    for name, summary in summaries.items()
    if summary is None or summary["missing"]
  ]
  if gaps:
    raise TrainingError(
      "The training loss left the finite numbers in some folds, which were stopped there; the"
      f" others ended and are reported. {'; '.join(gaps)}. history.jsonl says at which step"
      " (stopped_at). Lower config.optimizer.learning_rate or change config.model.norm."
    )


def _gap(summary: dict[str, Any] | None) -> str:
  if summary is None:
    return "every fold"
  return ", ".join(
    f"{entry['dataset']}/{entry['subject']} (seed {entry['seed']})" for entry in summary["missing"]
  )


def _parameters(program: training.Program) -> int:
  """Trainable numbers of one fold's model."""
  model, clips_ = program.recipe.model, program.data.inputs
  one = {name: jax.ShapeDtypeStruct((1, *x.shape[1:]), x.dtype) for name, x in clips_.items()}
  shapes = jax.eval_shape(
    lambda one: model.init(jax.random.key(0), one, np.ones(1), train=False), one
  )
  return models.count_parameters(shapes["params"])
