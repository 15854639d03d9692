"""What learns in an experiment: a network in the LOSO engine, or an SVM on features.

Either is built from a config and gives one prediction for each clip, from the fold that holds the
clip's subject out.
"""

import pathlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np
from ml_collections import config_dict

from mer_jax import models, options, selection, settings, svm, sweep, training
from mer_jax.errors import ConfigError, unknown
from mer_jax.evaluation.choice import INNER, LAST, LEAKY
from mer_jax.protocols import Split
from mer_jax.protocols.inner_folds import InnerFolds, deal
from mer_jax.svm import features
from mer_jax.training import optimizers

SVM = "svm"  # config.model.name
_OF_A_RUN = ("seed", "shown")  # options of svm.loso that no config sets

Network = nn.Module


class Svm(NamedTuple):
  """A support vector machine: the options of svm.loso that config.model names."""

  options: Mapping[str, Any]


class Learner(NamedTuple):
  """Something ready to learn.

  Attributes:
    about: what the announcement says of it, by the name of the line.
    devices: a name for each device that it uses.
    learn: from the workdir, where it may keep its state, to float32 [S, N, K] for each of
      sweep.results(config): what the folds say about the clips they hold out, NaN where they have
      nothing to say.
  """

  about: Mapping[str, str]
  devices: list[str]
  learn: Callable[[pathlib.Path], list[np.ndarray]]


def build(
  config: config_dict.ConfigDict,
  split: Split,
  arrays: dict[str, np.ndarray],
  model: nn.Module | Svm,
) -> Learner:
  """The learner of `config` for the clips of `split`.

  Args:
    config: resolved.
    split: N clips, K classes, F folds.
    arrays: the inputs, [N, ...] each.
    model: what build_model(config, split) gave.

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
  optimizers.build(config.optimizer.name)
  chosen = settings.options(config.model)
  if config.model.name == SVM:
    if config.selection.name != LAST:
      raise ConfigError(
        f"config.selection.name is {config.selection.name}, but an SVM has no epochs to choose"
        f" from. Use {LAST}, and vary its options with --config.variants.field=model.cost or the"
        " like."
      )
    return _build_svm(chosen)
  return models.build(config.model.name, num_classes, chosen)


def check_input(
  config: config_dict.ConfigDict, model: nn.Module | Svm, arrays: Mapping[str, np.ndarray]
) -> None:
  """Raises ConfigError if `model` cannot read `arrays`, which the input of `config` gave."""
  if isinstance(model, Svm):
    features.flat(arrays)
  else:
    models.check_input(config.model.name, model, config.input.name, arrays)


def build_program(
  config: config_dict.ConfigDict,
  split: Split,
  arrays: dict[str, np.ndarray],
  model: nn.Module | None = None,
  inner: InnerFolds | None = None,
) -> training.Program:
  """The LOSO of `config` on the devices.

  Args:
    config: resolved.
    split: N clips, F folds.
    arrays: the model's inputs, [N, ...] each.
    model: what build_model(config, K) gave; None: it is built here.
    inner: folds to train in place of those of `split`, for all settings. Without them, and with
      config.selection.name "inner", the program has the first setting alone: others are chosen.
  """
  network = model or build_model(config, len(split.class_names))
  if isinstance(network, Svm):
    raise ConfigError("An SVM is no program of steps; learning.build makes a learner of it.")
  check_input(config, network, arrays)
  points = sweep.points(config)
  hyper = sweep.hyper(points)
  if config.selection.name == INNER and inner is None:
    hyper = {name: values[:1] for name, values in hyper.items()}
  names = inner.names if inner else split.fold_names
  recipe = training.Recipe(
    model=network,
    optimizer=optimizers.build(
      config.optimizer.name, config.optimizer.decay_steps, config.optimizer.decay_rate
    ),
    num_classes=len(split.class_names),
    batch_size=min(config.training.batch_size, len(split.labels)),
    schedule=config.training.schedule,
    balance=config.training.balance,
    convolution=config.training.convolution,
  )
  block = config.training.fold_block
  layout = training.arrange(
    len(hyper["learning_rate"]) * len(names),
    block,
    config.devices,
    seeds=config.seeds,
    # Half a second of tracing, which a block that was set by hand makes needless.
    footprint=None if block else training.estimate(recipe, arrays, split.labels, list(hyper)),
  )
  return training.build(
    recipe,
    layout,
    seeds(config),
    names,
    inner.held_out if inner else split.held_out,
    arrays,
    split.labels,
    hyper,
    predicted=inner.validation if inner else None,
    most=inner.most if inner else 0,
    fewest=inner.fewest if inner else 0,
  )


def seeds(config: config_dict.ConfigDict) -> list[int]:
  """The S seeds of a run."""
  return list(range(config.seed, config.seed + config.seeds))


def _build_svm(chosen: Mapping[str, Any]) -> Svm:
  known = [name for name in options.keywords(svm.loso) if name not in _OF_A_RUN]
  for name in chosen:
    if name not in known:
      raise ConfigError(f"Model {SVM!r}: {unknown('field', name, known)}")
  # Four points tell whether the values are in range, before features are computed for an hour.
  halves = np.array([[True, True, False, False], [False, False, True, True]])
  svm.loso(np.eye(4), np.array([0, 1, 0, 1]), halves, 2, **chosen, shown=False)
  return Svm(dict(chosen))


def _svm(
  config: config_dict.ConfigDict, split: Split, arrays: dict[str, np.ndarray], machine: Svm
) -> Learner:
  if len(sweep.points(config)) > 1:
    raise ConfigError(
      "config.sweep varies numbers of a network's training, of which an SVM has none. Vary its own"
      " with --config.variants.field=model.cost or the like."
    )

  def learn(path: pathlib.Path) -> list[np.ndarray]:
    del path  # it is over before a checkpoint would pay
    scores = [
      svm.loso(
        arrays, split.labels, split.held_out, len(split.class_names), **machine.options, seed=seed
      )
      for seed in (seeds(config) if machine.options.get("balance") == "oversample" else [0])
    ]
    probabilities = [scores[i % len(scores)].probabilities for i in range(config.seeds)]
    return [np.stack(probabilities)]

  said = ", ".join(f"{name} {value}" for name, value in sorted(machine.options.items()))
  return Learner({"model": f"{SVM}, {said or 'as svm.loso has it'}"}, ["cpu"], learn)


def _network(
  config: config_dict.ConfigDict, split: Split, arrays: dict[str, np.ndarray], model: nn.Module
) -> Learner:
  train, optimizer, inner = config.training, config.optimizer, None
  if config.selection.name == INNER:
    folds = deal(split, config.selection.inner_folds)
    build = partial(build_program, config, split, arrays, model, folds)
    inner = selection.Inner(folds, build)
  program = build_program(config, split, arrays, model)

  def learn(path: pathlib.Path) -> list[np.ndarray]:
    return selection.learn(config, split, seeds(config), program, inner, path)

  about = {
    "model": f"{config.model.name}, {_parameters(program):,} parameters",
    "training": (
      f"{train.epochs} epochs, batches of {train.batch_size}, {optimizer.name}"
      f" {optimizer.learning_rate:g}"
    ),
    **_about_selection(config),
  }
  devices = [str(device) for device in program.layout.mesh.devices.flat]
  return Learner(about, devices, learn)


def _about_selection(config: config_dict.ConfigDict) -> dict[str, str]:
  chosen = config.selection
  if chosen.name == LEAKY:
    return {"selection": f"{LAST}; beside it {LEAKY}, which looks at the held-out clips"}
  if chosen.name == INNER:
    settings = len(sweep.points(config))
    among = f"epoch and one of {settings} settings" if settings > 1 else "epoch"
    by = f"{chosen.inner_folds} inner folds each, by {chosen.metric}"
    return {"selection": f"{INNER}: {among} of every fold on {by}"}
  return {}


def _parameters(program: training.Program) -> int:
  """Trainable numbers of one fold's model."""
  model, clips = program.recipe.model, program.data.inputs
  one = {name: jax.ShapeDtypeStruct((1, *x.shape[1:]), x.dtype) for name, x in clips.items()}
  shapes = jax.eval_shape(
    lambda one: model.init(jax.random.key(0), one, np.ones(1), train=False), one
  )
  return models.count_parameters(shapes["params"])
