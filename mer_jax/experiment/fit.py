"""A fit: the config's model on all clips of the protocol, kept as a model that others can load.

One fold that holds nobody out, S seeds side by side, by the engine that trains the folds of a run.
A fit may have the workdir of a run of the same config; the model then carries the run's scores.
"""

import dataclasses
import os
import pathlib
from collections.abc import Callable, Mapping

import flax.linen as nn
import jax
import numpy as np
from ml_collections import config_dict

from mer_jax import inputs, protocols, recognizer, training
from mer_jax import report as reports
from mer_jax.clips import FLOW_MAPS, no_clips
from mer_jax.errors import ConfigError, DataError
from mer_jax.experiment import (
  data,
  fitted,
  machine,
  settings,
  sources,
  stages,
  start,
  sweep,
  trainer,
  workdir,
)
from mer_jax.experiment.machine import Svm
from mer_jax.experiment.selection import options
from mer_jax.experiment.selection.train import plan_of
from mer_jax.recognizer import folder
from mer_jax.runtime import distributed

# What a fit leaves in its workdir: the model, and the state and log of its training.
MODEL, STATE = "model", "fit"
FOLD = "all clips"


def fit(
  config: config_dict.ConfigDict,
  workdir_path: str | os.PathLike[str],
  *,
  dtype: str = "float32",
  quiet: bool = False,
) -> recognizer.Model:
  """Trains the model of `config` on all clips and leaves it in `workdir_path`/model.

  A fit that was stopped goes on from its newest checkpoint, bit by bit as if it had not been; a
  finished one is not trained again.

  Args:
    config: fields of settings.default() and the options of its input, model and protocol.
    workdir_path: a new folder, that of the same fit, or that of a run of the same config.
    dtype: of the weights in the file, float32 or float16; an SVM is kept in the float64 that it
      computes in.
    quiet: print nothing.

  Returns:
    The model as it was written.

  Raises:
    ConfigError: also where the config is of a grid, a sweep, variants, a selection or an SVM on
      the features of a network, or where there are several processes.
    DataError, ProtocolError, TrainingError, WorkdirError, Interrupted: see mer_jax.errors.
  """
  emit = (lambda *_: None) if quiet else print
  _check(config)
  config = start.pinned(config)
  path = pathlib.Path(workdir_path).expanduser()
  with workdir.alone(path):
    return _fit(config, path, dtype, emit)


def _fit(
  config: config_dict.ConfigDict, path: pathlib.Path, dtype: str, emit: Callable[..., None]
) -> recognizer.Model:
  """`fit` of a pinned config, in a workdir that nobody else writes."""
  workdir.examine(path, config)
  split = clips_of(config)
  # That of a run of the config, whose workdir this may be.
  fingerprint = data.fingerprint(split)
  split = with_nobody_held_out(split)
  model = _finished(path)
  if model is None:
    model = _train(config, path, split, fingerprint, emit)
  else:
    workdir.check_data(path, fingerprint)
    emit(f"{path} holds a finished fit, which is not trained again.")
  model = dataclasses.replace(model, scores=fitted.scores(path))
  recognizer.save(model, path / MODEL, "float64" if config.model.name == machine.SVM else dtype)
  emit(_described(path / MODEL, model))
  return recognizer.load(path / MODEL)


def clips_of(config: config_dict.ConfigDict) -> protocols.Split:
  """The clips of the protocol, in its folds.

  Where every example of a batch is drawn (config.drawn.share) there is no clip.

  Raises:
    ConfigError, DataError, ProtocolError: see mer_jax.errors.
  """
  if config.drawn.share == 1:
    return _no_clips(config)
  return data.spot_apexes(config, data.load_split(config))


def with_nobody_held_out(split: protocols.Split) -> protocols.Split:
  """The same clips in one fold that learns from all of them."""
  nobody = np.zeros((1, len(split.labels)), bool)
  return split._replace(held_out=nobody, fold_names=(FOLD,))


def _no_clips(config: config_dict.ConfigDict) -> protocols.Split:
  """A split of no clip, of the classes that are drawn and of frames that the input reads."""
  if not config.drawn.classes:
    raise ConfigError(
      "Where every example is drawn, no protocol names the classes. Name them in"
      " config.drawn.classes, as ('negative', 'positive', 'surprise')."
    )
  reads = inputs.declaration(inputs.find(config.input.name)).reads[0]
  # The sizes at which corpora of maps and of frames are prepared.
  clips = no_clips(28 if reads == FLOW_MAPS else 128, reads)
  nobody = np.zeros((1, 0), bool)
  labels = np.zeros(0, np.int32)
  return protocols.Split(clips, labels, tuple(config.drawn.classes), nobody, (FOLD,), ())


def _check(config: config_dict.ConfigDict) -> None:
  """Raises ConfigError where `config` is not of one training of a network."""
  if distributed.processes() > 1:
    raise ConfigError(
      f"There are {distributed.processes()} processes, but a fit is a single fold, which one"
      " process trains. Start it alone."
    )
  if "systems" in config:
    raise ConfigError("A grid has many models; fit the config of one of its systems.")
  settings.check(config)
  if config.variants.field or len(sweep.settings_of(config)) > 1:
    raise ConfigError(
      "A fit is one training: set what config.sweep or config.variants vary to the value that was"
      " chosen, and leave them empty."
    )
  if config.svm.layer and config.model.name != machine.SVM:
    raise ConfigError(
      f"config.svm.layer is {config.svm.layer!r}: a network with an SVM on it is two models in one,"
      " which cannot be kept. Leave it empty to fit the network."
    )
  if config.selection.name != options.LAST:
    raise ConfigError(
      f"config.selection.name is {config.selection.name}, but a fit holds nobody out to select by."
      f" Use {options.LAST}, and set config.training.epochs to what was selected."
    )


def _finished(path: pathlib.Path) -> recognizer.Model | None:
  """The model that a finished fit left in the workdir `path`; None where there is none to use."""
  if not (path / MODEL / folder.FACTS).is_file():
    return None
  try:
    return recognizer.load(path / MODEL)
  except DataError:  # damaged: it is written again, from the last checkpoint
    return None


def _train(
  config: config_dict.ConfigDict,
  path: pathlib.Path,
  split: protocols.Split,
  fingerprint: str,
  emit,
) -> recognizer.Model:
  network = trainer.build_model(config, len(split.class_names))
  reached = sources.digests(trainer.roots(config, network, epochs_selected=False))
  if (path / STATE).exists():  # a run in the same workdir may be of other code
    allowed = config.checkpoint.allow_changed_code
    workdir.check_sources(path, reached, allowed=allowed)
  cache = inputs.cache_in(config.data.cache_dir)
  arrays = inputs.make(config.input.name, split.clips, cache, **settings.options(config.input))
  if isinstance(network, Svm):
    lines, train, devices = *machine.fitter(config, split, arrays, network), ["cpu"]
  else:
    lines, train, devices = _network(config, path, split, arrays, network)
  origin = workdir.Origin(fingerprint, devices, reached)
  workdir.claim(path, config, origin)
  about = {
    # In place of what is announced of folds that hold somebody out.
    **({} if len(split.labels) else {"corpus": "none: every example is drawn"}),
    "protocol": f"{config.protocol.name}, nobody is held out",
    "folds": f"1, {config.seeds} {'seed' if config.seeds == 1 else 'seeds'}",
    **lines,
  }
  emit(reports.announcement(config.to_dict(), split, arrays, about, devices))
  return fitted.model(config, trainer.architecture(config, network), split, arrays, train())


def _network(
  config: config_dict.ConfigDict,
  path: pathlib.Path,
  split: protocols.Split,
  arrays: dict[str, np.ndarray],
  network: nn.Module,
) -> tuple[Mapping[str, str], Callable[[], Mapping[str, np.ndarray]], list[str]]:
  """Lines of the announcement, what trains the network and gives its weights, and the devices."""
  # It predicts the clips it learned from, if anything: a fold has to predict something.
  folds = training.Folds((FOLD,), split.held_out, ~split.held_out)
  program = trainer.build_program(config, split, arrays, network, folds)

  def train() -> Mapping[str, np.ndarray]:
    seeds, plan = trainer.seeds(config), plan_of(config, path / STATE)
    log, named = [path / STATE / "history.jsonl"], stages.named_ends(config)
    history = training.History(log, seeds, split.fold_names, stages=named)
    with training.Checkpoints(path / STATE / "checkpoints", config.checkpoint.keep) as checkpoints:
      state = training.train(program, plan, checkpoints, history)
    return fitted.weights_of(jax.device_get(state))

  devices = [str(device) for device in program.layout.mesh.devices.flat]
  return trainer.about(config, split, arrays, network, program), train, devices


def _described(where: pathlib.Path, model: recognizer.Model) -> str:
  size = (where / folder.WEIGHTS).stat().st_size
  return (
    f"\nModel {where}: {model.seeds_in_words}, {size / 1e6:.2f} MB,"
    f" classes {', '.join(model.classes)}\n"
    f"It learned from {model.provenance.summary()}; scores: {fitted.in_words(model.scores)}"
  )
