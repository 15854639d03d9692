"""What learns in an experiment: a network in the LOSO engine, or an SVM on features.

Either is built from a config and gives one prediction for each clip, from the fold that holds the
clip's subject out.
"""

import pathlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np
from ml_collections import config_dict

from mer_jax import distributed, models, options, settings, svm, sweep, training
from mer_jax.errors import ConfigError, unknown
from mer_jax.protocols import Split
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
    learn: from the workdir, where it may keep its state, to float32 [S, N, K] for each of the P
      settings of a sweep: what the folds say about the clips they hold out, NaN where they have
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
  return _network(config, split, build_program(config, split, arrays, model))


def build_model(config: config_dict.ConfigDict, num_classes: int) -> nn.Module | Svm:
  """The model of `config`, whose name and options are thereby checked.

  Before anything is computed: a wrong name must not cost an hour of optical flow.
  """
  optimizers.build(config.optimizer.name)
  chosen = settings.options(config.model)
  if config.model.name == SVM:
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
) -> training.Program:
  """The LOSO of `config` on the devices; `arrays` are the model's inputs, [N, ...] each."""
  model = model or build_model(config, len(split.class_names))
  check_input(config, model, arrays)
  points = sweep.points(config)
  hyper = sweep.hyper(points)
  recipe = training.Recipe(
    model=model,
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


def _network(config: config_dict.ConfigDict, split: Split, program: training.Program) -> Learner:
  points = sweep.points(config)
  train, optimizer = config.training, config.optimizer

  def learn(path: pathlib.Path) -> list[np.ndarray]:
    logs = [path / point.name / "history.jsonl" for point in points]
    history = training.History(logs, seeds(config), split.fold_names)
    plan = training.Plan(
      train.epochs,
      train.chunk_epochs,
      config.checkpoint.every_epochs,
      path / "profile" if config.profile and distributed.is_main() else None,
    )
    with training.Checkpoints(path / "checkpoints", config.checkpoint.keep) as checkpoints:
      state = training.train(program, plan, checkpoints, history)
    probabilities = distributed.fetch(program.predict(state))[:, : program.layout.folds]
    by_point = np.split(probabilities, len(points), axis=1)
    return [training.by_clip(part, split.held_out) for part in by_point]

  about = {
    "model": f"{config.model.name}, {_parameters(program):,} parameters",
    "training": (
      f"{train.epochs} epochs, batches of {train.batch_size}, {optimizer.name}"
      f" {optimizer.learning_rate:g}"
    ),
  }
  devices = [str(device) for device in program.layout.mesh.devices.flat]
  return Learner(about, devices, learn)


def _parameters(program: training.Program) -> int:
  """Trainable numbers of one fold's model."""
  model, clips = program.recipe.model, program.data.inputs
  one = {name: jax.ShapeDtypeStruct((1, *x.shape[1:]), x.dtype) for name, x in clips.items()}
  shapes = jax.eval_shape(
    lambda one: model.init(jax.random.key(0), one, np.ones(1), train=False), one
  )
  return models.count_parameters(shapes["params"])
