"""What trains in an experiment: a network in the LOSO engine, or an SVM on features.

Either is built from a config and predicts each clip by the fold that holds the clip's subject out.
"""

import pathlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np
from ml_collections import config_dict

from mer_jax import inputs, models, protocols, svm, targets, training
from mer_jax.errors import ConfigError, unknown
from mer_jax.experiment import recipes, settings, sweep
from mer_jax.experiment.selection import inner_folds, options
from mer_jax.experiment.selection import train as selection
from mer_jax.protocols import Split
from mer_jax.svm import features
from mer_jax.training import optimizers

SVM = "svm"  # config.model.name

Network = nn.Module


class Svm(NamedTuple):
  """A support vector machine: the options of svm.Machine that config.model names."""

  options: Mapping[str, Any]


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
  given = settings.options(config.model)
  if config.model.name == SVM:
    if config.selection.name != options.LAST:
      raise ConfigError(
        f"config.selection.name is {config.selection.name}, but an SVM has no epochs to choose"
        f" from. Use {options.LAST}, and vary its options with --config.variants.field=model.cost"
        " or the like."
      )
    return _build_svm(given)
  return models.build(
    config.model.name, num_classes, given, convolution=config.training.convolution
  )


def check_input(
  config: config_dict.ConfigDict, model: nn.Module | Svm, arrays: Mapping[str, np.ndarray]
) -> None:
  """Raises ConfigError if `model` cannot read `arrays`, the input of `config`."""
  if isinstance(model, Svm):
    features.flat(arrays)
  else:
    models.check_input(config.model.name, model, config.input.name, arrays)


def build_program(
  config: config_dict.ConfigDict,
  split: Split,
  arrays: dict[str, np.ndarray],
  model: nn.Module | None = None,
  inner: inner_folds.InnerFolds | None = None,
) -> training.Program:
  """The LOSO of `config` on the devices.

  Args:
    config: resolved.
    split: N clips, F folds.
    arrays: the model's inputs, [N, ...] each.
    model: what build_model(config, K) returned; None: it is built here.
    inner: folds to train in place of those of `split`, for all settings. Without them, and with
      config.selection.name "inner", the program has the first setting alone: selection replaces it.
  """
  network = model or build_model(config, len(split.class_names))
  if isinstance(network, Svm):
    raise ConfigError("An SVM is no program of steps; trainer.build makes a trainer of it.")
  check_input(config, network, arrays)
  hyper = sweep.hyper(sweep.settings_of(config))
  if config.selection.name == options.INNER and inner is None:
    hyper = {name: values[:1] for name, values in hyper.items()}
  folds = inner.folds if inner else training.Folds(split.fold_names, split.held_out)
  recipe = recipes.build(config, split, arrays, network)
  layout = _layout(config, recipe, arrays, split, hyper, len(folds.names))
  return training.build(recipe, layout, seeds(config), folds, arrays, split.labels, hyper)


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
    return [*of_clips, svm.loso]
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
  return [*of_clips, type(model), *engine, *selected]


def _layout(
  config: config_dict.ConfigDict,
  recipe: training.Recipe,
  arrays: dict[str, np.ndarray],
  split: Split,
  hyper: Mapping[str, list[float]],
  folds: int,
) -> training.Layout:
  block = config.training.fold_block
  return training.arrange(
    len(hyper["learning_rate"]) * folds,
    block,
    config.devices,
    seeds=config.seeds,
    # Half a second of tracing, which a block that was set by hand makes needless.
    footprint=None if block else training.estimate(recipe, arrays, split.labels, list(hyper)),
  )


def _build_svm(given: Mapping[str, Any]) -> Svm:
  known = [name for name in svm.Machine._fields if name != "seed"]
  for name in given:
    if name not in known:
      raise ConfigError(f"Model {SVM!r}: {unknown('field', name, known)}")
  # Four points tell whether the values are in range, before features are computed for an hour.
  halves = np.array([[True, True, False, False], [False, False, True, True]])
  svm.loso(np.eye(4), np.array([0, 1, 0, 1]), halves, 2, svm.Machine(**given), shown=False)
  return Svm(dict(given))


def _svm(
  config: config_dict.ConfigDict, split: Split, arrays: dict[str, np.ndarray], machine: Svm
) -> Trainer:
  if len(sweep.settings_of(config)) > 1:
    raise ConfigError(
      "config.sweep varies numbers of a network's training, of which an SVM has none. Vary its own"
      " with --config.variants.field=model.cost or the like."
    )

  def train(path: pathlib.Path) -> list[np.ndarray]:
    del path  # it is over before a checkpoint would pay
    classes = len(split.class_names)
    scores = [
      svm.loso(
        arrays, split.labels, split.held_out, classes, svm.Machine(**machine.options, seed=seed)
      )
      for seed in (seeds(config) if machine.options.get("balance") == "oversample" else [0])
    ]
    probabilities = [scores[i % len(scores)].probabilities for i in range(config.seeds)]
    return [np.stack(probabilities)]

  named = ", ".join(f"{name} {value}" for name, value in sorted(machine.options.items()))
  return Trainer({"model": f"{SVM}, {named or 'with its defaults'}"}, ["cpu"], train)


def _network(
  config: config_dict.ConfigDict, split: Split, arrays: dict[str, np.ndarray], model: nn.Module
) -> Trainer:
  train_options, optimizer, inner = config.training, config.optimizer, None
  if config.selection.name == options.INNER:
    folds = inner_folds.deal(split, config.selection.inner_folds)
    inner = selection.Inner(folds, partial(build_program, config, split, arrays, model, folds))
  program = build_program(config, split, arrays, model)

  def train(path: pathlib.Path) -> list[np.ndarray]:
    return selection.train(config, split, seeds(config), program, inner, path)

  about = {
    "model": f"{config.model.name}, {_parameters(program):,} parameters",
    "training": (
      f"{train_options.epochs} epochs, batches of {train_options.batch_size}, {optimizer.name}"
      f" {optimizer.learning_rate:g}"
    ),
    **options.about(config.selection, len(sweep.settings_of(config))),
  }
  devices = [str(device) for device in program.layout.mesh.devices.flat]
  return Trainer(about, devices, train)


def _parameters(program: training.Program) -> int:
  """Trainable numbers of one fold's model."""
  model, arrays = program.recipe.model, program.data.inputs
  clip = {name: jax.ShapeDtypeStruct((1, *x.shape[1:]), x.dtype) for name, x in arrays.items()}
  shapes = jax.eval_shape(
    lambda clip: model.init(jax.random.key(0), clip, np.ones(1), train=False), clip
  )
  return models.count_parameters(shapes["params"])
