"""A whole experiment, from prepared data to the report, as one list of steps."""

import hashlib
import os
from typing import Any

import jax
import numpy as np
from ml_collections import config_dict

from mer_jax import (
  clips,
  evaluation,
  inputs,
  models,
  prepared,
  protocols,
  settings,
  training,
  workdir,
)
from mer_jax import report as reports
from mer_jax.training import optimizers


def run(
  config: config_dict.ConfigDict, workdir_path: str | os.PathLike[str], *, quiet: bool = False
) -> dict[str, Any]:
  """Runs leave-one-subject-out as `config` says and leaves everything in `workdir_path`.

  A run that was stopped goes on from its newest checkpoint; a finished one is only reported again.

  Args:
    config: fields of settings.default() and the options of its input, model and protocol.
    workdir_path: a new folder, or the one of the same run.
    quiet: print nothing.

  Returns:
    The content of metrics.json; see evaluation.summarise.

  Raises:
    ConfigError, DataError, ProtocolError, WorkdirError, TrainingError: see mer_jax.errors.
  """
  say = (lambda *_: None) if quiet else print
  settings.check(config)
  path = workdir.examine(workdir_path, config)
  split = load_split(config)
  arrays = inputs.make(config.input.name, split.clips, **settings.options(config.input))
  program = build_program(config, split, arrays)
  devices = [str(device) for device in program.layout.mesh.devices.flat]
  workdir.claim(path, config, fingerprint(split), devices)
  say(reports.announcement(config.to_dict(), split, arrays, _parameters(program), devices))

  history = training.History(path / "history.jsonl", seeds(config), split.fold_names)
  plan = training.Plan(
    config.training.epochs, config.training.chunk_epochs, config.checkpoint.every_epochs
  )
  with training.Checkpoints(path / "checkpoints", config.checkpoint.keep) as checkpoints:
    state = training.train(program, plan, checkpoints, history)

  probabilities = np.asarray(program.predict(state))[:, : program.layout.folds]
  probabilities = training.by_clip(probabilities, split.held_out)
  predictions = evaluation.predictions_of(seeds(config), split, probabilities)
  evaluation.write_csv(path / "predictions.csv", predictions)
  summary = evaluation.summarise(predictions)
  evaluation.write_json(path / "metrics.json", summary)
  evaluation.write_megc_logs(path, predictions)
  page = reports.write(path, clips=split.clips, remarks=split.remarks)
  say(reports.console(summary, split.class_names, split.remarks))
  say(f"\nReport {page}\nPredictions {path / 'predictions.csv'}")
  return summary


def load_split(config: config_dict.ConfigDict) -> protocols.Split:
  """The prepared clips of `config.data` under the protocol of `config.protocol`."""
  data = config.data
  parts = [prepared.load(name, data.builder_config, data.data_dir) for name in data.datasets]
  return protocols.split(
    config.protocol.name, clips.concatenate(parts), **settings.options(config.protocol)
  )


def build_program(
  config: config_dict.ConfigDict, split: protocols.Split, arrays: dict[str, np.ndarray]
) -> training.Program:
  """The LOSO of `config` on the devices; `arrays` are the model's inputs, [N, ...] each."""
  model = models.build(config.model.name, len(split.class_names), settings.options(config.model))
  models.check_input(config.model.name, model, config.input.name, arrays)
  recipe = training.Recipe(
    model=model,
    optimizer=optimizers.build(config.optimizer.name, settings.options(config.optimizer)),
    num_classes=len(split.class_names),
    batch_size=min(config.training.batch_size, len(split.labels)),
    schedule=config.training.schedule,
    balance=config.training.balance,
    focal_gamma=config.training.focal_gamma,
  )
  layout = training.arrange(len(split.fold_names), config.training.fold_block, config.devices)
  return training.build(
    recipe, layout, seeds(config), split.fold_names, split.held_out, arrays, split.labels
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


def _parameters(program: training.Program) -> int:
  """Trainable numbers of one fold's model."""
  model, one = program.recipe.model, jax.tree.map(lambda x: x[:1], program.data.inputs)
  shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), one, np.ones(1), train=False))
  return models.count_parameters(shapes["params"])
