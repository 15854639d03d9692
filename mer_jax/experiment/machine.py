"""A support vector machine as the model of an experiment: its options, and what it reads."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from ml_collections import config_dict

from mer_jax import svm
from mer_jax.errors import ConfigError
from mer_jax.experiment import settings, start, sweep
from mer_jax.experiment.selection import options
from mer_jax.protocols import Split
from mer_jax.recognizer.vector_machine import stacked
from mer_jax.svm import features

SVM = "svm"  # config.model.name


class Svm(NamedTuple):
  """A support vector machine: the options of svm.Machine that config.model names."""

  options: Mapping[str, Any]


def build(config: config_dict.ConfigDict) -> Svm:
  """The machine of `config`, whose options are thereby checked.

  Raises:
    ConfigError: an unknown option, a value that is not allowed, or one of a network's training.
  """
  if config.selection.name != options.LAST:
    raise ConfigError(
      f"config.selection.name is {config.selection.name}, but an SVM has no epochs to choose"
      f" from. Use {options.LAST}, and vary its options with --config.variants.field=model.cost"
      " or the like."
    )
  if config.start.layers or config.start.learning_rates:
    raise ConfigError(
      "An SVM reads what the weights of config.start compute and trains none of them: leave"
      " config.start.layers and .learning_rates empty."
    )
  if config.training.stages:
    raise ConfigError(
      "config.training.stages are of a network's training, of which an SVM has none: leave it"
      " empty."
    )
  given = settings.options(config.model)
  # Before features are computed for an hour.
  svm.check_options(given, f"Model {SVM!r}")
  return Svm(dict(given))


def check_input(config: config_dict.ConfigDict, arrays: Mapping[str, np.ndarray]) -> None:
  """Raises ConfigError if the machine cannot read `arrays`, the input of `config`."""
  if not config.start.weights:  # which read what they were trained with
    features.flat(arrays)


def trainer(
  config: config_dict.ConfigDict,
  split: Split,
  arrays: Mapping[str, np.ndarray],
  machine: Svm,
  seeds: Sequence[int],
) -> tuple[dict[str, str], Callable[[], np.ndarray]]:
  """Lines of the announcement, and what computes float32 [S, N, K], see trainer.Trainer.

  Seed s reads the features of the weights of seed s mod S_w, where config.start names any.

  Raises:
    ConfigError: numbers of a network's training are swept, or the weights offer no features.
  """
  if len(sweep.settings_of(config)) > 1:
    raise ConfigError(
      "config.sweep varies numbers of a network's training, of which an SVM has none. Vary its own"
      " with --config.variants.field=model.cost or the like."
    )
  read, weights = start.features(config, arrays) or ([arrays], "")
  draws = machine.options.get("balance") == "oversample"
  learnt = ~split.held_out.any(axis=0)
  # The training part of a fixed split has predictions too, which are dropped with its clips.
  held_out = np.vstack([split.held_out, learnt]) if learnt.any() else split.held_out

  @functools.cache
  def probabilities(seed: int, part: int) -> np.ndarray:
    own = svm.Machine(**machine.options, seed=seed)
    classes = len(split.class_names)
    return svm.loso(read[part], split.labels, held_out, classes, own).probabilities

  def train() -> np.ndarray:
    return np.stack([probabilities(seed if draws else 0, seed % len(read)) for seed in seeds])

  return _about(machine) | ({"start": weights} if weights else {}), train


def fitter(
  config: config_dict.ConfigDict,
  split: Split,
  arrays: Mapping[str, np.ndarray],
  machine: Svm,
) -> tuple[dict[str, str], Callable[[], dict[str, np.ndarray]]]:
  """Lines of the announcement, and what trains on all clips, to the weights of a model.

  Only over-sampling makes one seed other than the next; without it a single machine is trained.

  Raises:
    ConfigError: the machine reads what a network computes: its model would be two.
  """
  if config.start.weights:
    raise ConfigError(
      f"An SVM on the features of {config.start.weights} is two models in one, which cannot be"
      " kept. Fit the network, or an SVM on an input of config.input."
    )
  draws = machine.options.get("balance") == "oversample"
  seeds = range(config.seed, config.seed + (config.seeds if draws else 1))

  def train() -> dict[str, np.ndarray]:
    classes = len(split.class_names)
    own = [svm.Machine(**machine.options, seed=seed) for seed in seeds]
    return stacked([svm.fit(arrays, split.labels, classes, each) for each in own])

  return _about(machine), train


def _about(machine: Svm) -> dict[str, str]:
  named = ", ".join(f"{name} {value}" for name, value in sorted(machine.options.items()))
  return {"model": f"{SVM}, {named or 'with its defaults'}"}
