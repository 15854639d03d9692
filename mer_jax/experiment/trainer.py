"""What trains in an experiment: a network in the LOSO engine, or an SVM on features.

Either is built from a config and predicts each clip by the fold that holds the clip's subject out.
"""

import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import numpy as np
from ml_collections import config_dict

from mer_jax import inputs, models, protocols, svm, targets, training
from mer_jax.errors import ConfigError
from mer_jax.experiment import (
  feasible,
  machine,
  recipes,
  settings,
  stages,
  start,
  svm_on_layer,
  sweep,
)
from mer_jax.experiment.machine import SVM, Svm
from mer_jax.experiment.selection import inner_folds, options
from mer_jax.experiment.selection import train as selection
from mer_jax.models.shapes import of_variables
from mer_jax.protocols import Split
from mer_jax.runtime import memory
from mer_jax.training import losses, optimizers

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
  for stage in stages.of(config):
    recipes.optimizer(stage.config)
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
  varied = sweep.settings_of(config)
  if config.selection.name == options.INNER and folds is None:
    varied = varied[:1]
  folds = folds or training.Folds(split.fold_names, split.held_out)
  by_stage = [
    (recipe, stages.hyper(varied, place))
    for place, recipe in enumerate(_recipes(config, split, arrays, network))
  ]
  layout = _layout(config, by_stage, arrays, split, len(folds.names))
  *earlier, (recipe, hyper) = by_stage
  program = training.build(recipe, layout, seeds(config), folds, arrays, split.labels, hyper)
  begins = start.of(config, split.class_names, network, arrays)
  program = program._replace(start=begins.weights) if begins else program
  return training.preceded(program, earlier)


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
    training.preceded,
    stages.of,
    _recipes,
    _layout,
  ]
  selected = [selection.train, inner_folds.deal] if epochs_selected else []
  summed = {name for stage in stages.of(config) for name, _ in stage.config.training.losses}
  minimised = [losses.LOSSES[name] for name in sorted(summed)]
  begins = [start.of] if config.start.weights else []
  begins += [svm_on_layer.by_setting] if config.svm.layer else []
  return [*of_clips, type(model), *engine, *minimised, *selected, *begins]


def _recipes(
  config: config_dict.ConfigDict,
  split: Split,
  arrays: dict[str, np.ndarray],
  network: nn.Module,
) -> list[training.Recipe]:
  """The recipe of each stage; of a training without stages its only one."""
  built = [recipes.build(stage.config, split, arrays, network) for stage in stages.of(config)]
  last = built[-1]
  if last.average and len(built) > 1:  # whose steps count from the first stage on
    begin = stages.ends(config)[-2][1] * last.steps_per_epoch(len(split.labels))
    mean = last.average._replace(first_step=last.average.first_step + begin)
    built[-1] = last._replace(average=mean)
  return built


def _layout(
  config: config_dict.ConfigDict,
  by_stage: Sequence[tuple[training.Recipe, Mapping[str, list[float]]]],
  arrays: dict[str, np.ndarray],
  split: Split,
  folds: int,
) -> training.Layout:
  feasible.check_memory(config, by_stage, arrays, folds)
  block, settings_of_folds = config.training.fold_block, by_stage[0][1]["learning_rate"]
  footprint = None
  if not block:  # half a second of tracing, which a block that was set by hand makes needless
    needed = [
      training.estimate(recipe, arrays, split.labels, list(hyper)) for recipe, hyper in by_stage
    ]
    footprint = training.Footprint(*map(max, zip(*needed, strict=True)))
  return training.arrange(
    len(settings_of_folds) * folds,
    block,
    config.devices,
    seeds=config.seeds,
    footprint=footprint,
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
  if config.svm.layer:
    training.check_layer(program.recipe, arrays, config.svm.layer)

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
  begins = start.of(config, split.class_names, model, arrays)
  return {
    "model": f"{config.model.name}, {_parameters(program):,} parameters",
    **({"start": begins.about} if begins else {}),
    "training": (
      stages.about(config)
      if config.training.epochs
      else "none: the weights are evaluated as they are"
    ),
    **svm_on_layer.about(config),
    **options.about(config.selection, len(sweep.settings_of(config))),
  }


def _parameters(program: training.Program) -> int:
  """Trainable numbers of one fold's model."""
  variables = of_variables(program.recipe.model, program.data.inputs)
  return models.count_parameters(variables["params"])
