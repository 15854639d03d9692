"""What trains in an experiment: a network in the LOSO engine, or an SVM on features.

Either is built from a config and predicts each clip by the fold that holds the clip's subject out.
"""

import contextlib
import json
import pathlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np
from ml_collections import config_dict

from mer_jax import inputs, models, protocols, svm, targets, training
from mer_jax.errors import ConfigError, MerError
from mer_jax.experiment import machine, recipes, settings, start, sweep
from mer_jax.experiment.machine import SVM, Svm
from mer_jax.experiment.selection import inner_folds, options
from mer_jax.experiment.selection import train as selection
from mer_jax.protocols import Split
from mer_jax.runtime import memory
from mer_jax.training import footprint, optimizers

Network = nn.Module


class Trainer(NamedTuple):
  """Something ready to train.

  Attributes:
    about: lines of the announcement, by name.
    devices: a name for each device that it uses.
    train: from the workdir, where it may keep its state, to float32 [S, N, K] for each of
      sweep.results(config): the probabilities of each clip by the fold that holds it out, NaN where
      that fold has none.
  """

  about: Mapping[str, str]
  devices: list[str]
  train: Callable[[pathlib.Path], list[np.ndarray]]


def build(
  config: config_dict.ConfigDict,
  split: Split,
  arrays: dict[str, np.ndarray],
  model: nn.Module | Svm,
) -> Trainer:
  """The trainer of `config` for the clips of `split`.

  Args:
    config: resolved.
    split: N clips, K classes, F folds.
    arrays: the inputs, [N, ...] each.
    model: what build_model(config, K) returned.

  Raises:
    ConfigError: model and input do not fit together.
    DataError: an input is not finite.
  """
  if isinstance(model, Svm):
    return _svm(config, split, arrays, model)
  return _network(config, split, arrays, model)


def build_model(config: config_dict.ConfigDict, num_classes: int) -> nn.Module | Svm:
  """The model of `config`, whose name and options are thereby checked.

  Before anything is computed: a wrong name must not cost an hour of optical flow.
  """
  recipes.optimizer(config)
  if config.model.name == SVM:
    return machine.build(config)
  given = settings.options(config.model)
  return models.build(
    config.model.name, num_classes, given, convolution=config.training.convolution
  )


def architecture(config: config_dict.ConfigDict, model: nn.Module | Svm) -> dict[str, Any]:
  """Name and all options of `model`, what build_model(config, K) returned, as JSON values."""
  if isinstance(model, Svm):
    options = {**svm.MACHINE._asdict(), **model.options}
    options.pop("seed")
  else:
    options = models.options_of(model)
  return {"name": config.model.name, **json.loads(json.dumps(options))}


def check_input(
  config: config_dict.ConfigDict, model: nn.Module | Svm, arrays: Mapping[str, np.ndarray]
) -> None:
  """Raises ConfigError if `model` cannot read `arrays`, the input of `config`."""
  if isinstance(model, Svm):
    machine.check_input(config, arrays)
  else:
    models.check_input(config.model.name, model, config.input.name, arrays)


@contextlib.contextmanager
def tracing(config: config_dict.ConfigDict, arrays: Mapping[str, np.ndarray]) -> Iterator[None]:
  """While inside, where the model of `config` is first traced, each error is a ConfigError.

  Args:
    config: resolved; its model may be somebody's own.
    arrays: the input, [N, ...] each.
  """
  try:
    yield
  except MerError:
    raise
  except Exception as error:
    shapes = ", ".join(f"{name} {array.shape[1:]}" for name, array in arrays.items())
    raise ConfigError(
      f"The model {config.model.name!r} with the options {settings.options(config.model)} cannot be"
      f" built for clips of {shapes}: {type(error).__name__}: {' '.join(str(error).split())[:300]}."
      " Change config.model or config.input; --debug shows where it happened."
    ) from error


def build_program(
  config: config_dict.ConfigDict,
  split: Split,
  arrays: dict[str, np.ndarray],
  model: nn.Module | None = None,
  folds: training.Folds | None = None,
) -> training.Program:
  """The LOSO of `config` on the devices.

  Args:
    config: resolved.
    split: N clips, F folds.
    arrays: the model's inputs, [N, ...] each.
    model: what build_model(config, K) returned; None: it is built here.
    folds: those to train in place of those of `split`, for all settings. Without them, and with
      config.selection.name "inner", the program has the first setting alone: selection replaces it.
  """
  network = model or build_model(config, len(split.class_names))
  if isinstance(network, Svm):
    raise ConfigError("An SVM is no program of steps; trainer.build makes a trainer of it.")
  check_input(config, network, arrays)
  hyper = sweep.hyper(sweep.settings_of(config))
  if config.selection.name == options.INNER and folds is None:
    hyper = {name: values[:1] for name, values in hyper.items()}
  folds = folds or training.Folds(split.fold_names, split.held_out)
  recipe = recipes.build(config, split, arrays, network)
  layout = _layout(config, recipe, arrays, split, hyper, len(folds.names))
  program = training.build(recipe, layout, seeds(config), folds, arrays, split.labels, hyper)
  begins = start.of(config, split.class_names, network, arrays)
  return program._replace(start=begins.weights) if begins else program


def seeds(config: config_dict.ConfigDict) -> list[int]:
  """The S seeds of a run."""
  return list(range(config.seed, config.seed + config.seeds))


def roots(
  config: config_dict.ConfigDict, model: nn.Module | Svm, epochs_selected: bool
) -> list[Callable[..., Any]]:
  """Where the code begins that decides the predictions of `config`, see `sources.digests`.

  Args:
    config: resolved.
    model: what build_model(config, K) returned.
    epochs_selected: whether selection takes part in training.

  Raises:
    ConfigError: there is no such input.
  """
  of_clips = [
    protocols.find(config.protocol.name),
    inputs.APEXES[config.data.apex],
    inputs.find(config.input.name),
  ]
  if isinstance(model, Svm):
    return [*of_clips, svm.loso, *([start.features] if config.start.weights else [])]
  engine: list[Callable[..., Any]] = [
    training.build,
    training.train,
    training.Program,
    training.Checkpoints,
    training.arrange,
    training.estimate,
    targets.find(config.training.target),
    optimizers.build,
    optimizers.Optimizer,
    optimizers.Schedule,
    seeds,
    recipes.build,
    _layout,
  ]
  selected = [selection.train, inner_folds.deal] if epochs_selected else []
  begins = [start.of] if config.start.weights else []
  return [*of_clips, type(model), *engine, *selected, *begins]


def _layout(
  config: config_dict.ConfigDict,
  recipe: training.Recipe,
  arrays: dict[str, np.ndarray],
  split: Split,
  hyper: Mapping[str, list[float]],
  folds: int,
) -> training.Layout:
  _check_memory(config, recipe, arrays, hyper, folds)
  block = config.training.fold_block
  return training.arrange(
    len(hyper["learning_rate"]) * folds,
    block,
    config.devices,
    seeds=config.seeds,
    # Half a second of tracing, which a block that was set by hand makes needless.
    footprint=None if block else training.estimate(recipe, arrays, split.labels, list(hyper)),
  )


def _check_memory(
  config: config_dict.ConfigDict,
  recipe: training.Recipe,
  arrays: dict[str, np.ndarray],
  hyper: Mapping[str, list[float]],
  folds: int,
) -> None:
  """Raises ConfigError where the model cannot be built, or what it keeps cannot fit into memory."""
  with tracing(config, arrays):
    each = footprint.bytes_of_state(recipe, arrays, list(hyper))
  count = config.seeds * len(hyper["learning_rate"]) * folds
  memory.check(
    f"Training {count:,} models of {memory.in_words(each)} each ({config.seeds:,} seeds,"
    f" {len(hyper['learning_rate'])} settings, {folds} folds) side by side",
    count * each,
    memory.limit(),
    "Lower config.seeds, or the sizes of config.model.",
  )


def _svm(
  config: config_dict.ConfigDict, split: Split, arrays: dict[str, np.ndarray], model: Svm
) -> Trainer:
  memory.check(
    f"What {config.seeds:,} seeds predict of {len(split.labels)} clips",
    config.seeds * len(split.labels) * len(split.class_names) * 4,
    memory.limit(),
    "Lower config.seeds.",
  )
  lines, predicted = machine.trainer(config, split, arrays, model, seeds(config))
  # No folder: it is over before a checkpoint would pay.
  return Trainer(lines, ["cpu"], lambda _: [predicted()])


def _network(
  config: config_dict.ConfigDict, split: Split, arrays: dict[str, np.ndarray], model: nn.Module
) -> Trainer:
  inner = None
  if config.selection.name == options.INNER:
    folds = inner_folds.deal(split, config.selection.inner_folds)
    inner = selection.Inner(
      folds, partial(build_program, config, split, arrays, model, folds.folds)
    )
  program = build_program(config, split, arrays, model)

  def train(path: pathlib.Path) -> list[np.ndarray]:
    return selection.train(config, split, seeds(config), program, inner, path)

  devices = [str(device) for device in program.layout.mesh.devices.flat]
  return Trainer(about(config, split, arrays, model, program), devices, train)


def about(
  config: config_dict.ConfigDict,
  split: Split,
  arrays: Mapping[str, np.ndarray],
  model: nn.Module,
  program: training.Program,
) -> dict[str, str]:
  """Lines of the announcement by their names: the model, what it starts from, how it trains."""
  train_options, optimizer = config.training, config.optimizer
  begins = start.of(config, split.class_names, model, arrays)
  return {
    "model": f"{config.model.name}, {_parameters(program):,} parameters",
    **({"start": begins.about} if begins else {}),
    "training": (
      f"{train_options.epochs} epochs, batches of {train_options.batch_size}, {optimizer.name}"
      f" {optimizer.learning_rate:g}"
      if train_options.epochs
      else "none: the weights are evaluated as they are"
    ),
    **options.about(config.selection, len(sweep.settings_of(config))),
  }


def _parameters(program: training.Program) -> int:
  """Trainable numbers of one fold's model."""
  model, arrays = program.recipe.model, program.data.inputs
  clip = {name: jax.ShapeDtypeStruct((1, *x.shape[1:]), x.dtype) for name, x in arrays.items()}
  shapes = jax.eval_shape(
    lambda clip: model.init(jax.random.key(0), clip, np.ones(1), train=False), clip
  )
  return models.count_parameters(shapes["params"])
