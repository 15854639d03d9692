"""Starting from a trained model: whether its weights may be used, and what is taken over of them.

Weights that have learned from people whom a fold holds out would be asked about what they know, so
they are refused; config.start.leaky_weights lets them, and marks everything that comes of it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import flax.linen as nn
import jax
import numpy as np
from ml_collections import config_dict

from mer_jax import recognizer
from mer_jax.errors import ConfigError
from mer_jax.experiment.start_options import LEAKY, factors
from mer_jax.recognizer import folder
from mer_jax.recognizer.provenance import Drawn, Subject
from mer_jax.recognizer.weights import shapes_of
from mer_jax.svm import features as rows_of
from mer_jax.training.features import LAST

_NAMED = 5  # names of a list that a message gives
Shapes = Mapping[str, tuple[int, ...]]


class Start(NamedTuple):
  """What folds begin with.

  Attributes:
    weights: float32 [S, ...] by flax name, for the seeds of a run, see training.Program.start.
    about: a line for the announcement.
  """

  weights: dict[str, np.ndarray]
  about: str


def pinned(config: config_dict.ConfigDict) -> config_dict.ConfigDict:
  """`config` with the digest of its weights in config.start.digest; itself where it has none.

  Raises:
    ConfigError: there is no such model, or it is not the one of a digest that is given.
    DataError: its weights cannot be read.
  """
  if not config.start.weights:
    return config
  digest = folder.digest(config.start.weights)
  if config.start.digest not in ("", digest):
    raise ConfigError(
      f"config.start.digest is {config.start.digest[:12]}..., but the weights of"
      f" {config.start.weights} have {digest[:12]}...: they are others. Name the model that is"
      " meant, or leave the digest empty."
    )
  own = config.copy_and_resolve_references()
  own.start.digest = digest
  return own


def seen(config: config_dict.ConfigDict, subjects: Iterable[Drawn]) -> list[Subject]:
  """The held-out (dataset, subject) pairs that the weights of `config` have learned from.

  Args:
    config: resolved.
    subjects: whom the folds hold out, see provenance.subjects_of.

  Raises:
    ConfigError, DataError: the model is absent or damaged.
  """
  if not config.start.weights:
    return []
  return recognizer.load(config.start.weights).provenance.seen_among(subjects)


def remarks(config: config_dict.ConfigDict, subjects: Collection[Drawn]) -> tuple[str, ...]:
  """What a report must say where the weights of `config` know `subjects`, see `seen`.

  Raises:
    ConfigError: they do, and config.start.leaky_weights does not allow it.
  """
  known = seen(config, subjects)
  if not known:
    return ()
  names = _listed(f"{dataset}/{subject}" for dataset, subject in known)
  fact = (
    f"the weights {config.start.weights} have learned from {len(known)} of the {len(subjects)}"
    f" held-out subjects ({names})"
  )
  if not config.start[LEAKY]:
    raise ConfigError(
      f"{fact[0].upper()}{fact[1:]}, so what folds that start from them predict of these people"
      " would say nothing of people they do not know. Start from weights that have not, or set"
      f" config.start.{LEAKY}=True: everything is then marked as leaky."
    )
  return (
    f"{LEAKY}: {fact}. Scores are over people whom the model knows, and estimate nothing. Do not"
    " report them as results.",
  )


def of(
  config: config_dict.ConfigDict,
  class_names: Sequence[str],
  network: nn.Module,
  arrays: Mapping[str, np.ndarray],
) -> Start | None:
  """What the folds of `config` begin with; None: random numbers.

  Seed s takes the weights of seed s mod S_w of the S_w seeds of the model.

  Args:
    config: resolved.
    class_names: the K classes.
    network: the model of the run for K classes.
    arrays: its inputs, [N, ...] each.

  Raises:
    ConfigError: weights and network do not fit, or a prefix fits no name.
    DataError: the model is damaged.
  """
  if not config.start.weights:
    return None
  model = recognizer.load(config.start.weights)
  example = {n: jax.ShapeDtypeStruct((1, *x.shape[1:]), x.dtype) for n, x in arrays.items()}
  expected = shapes_of(network, example)
  last = _last_layer(network, example, expected)
  same_classes = tuple(class_names) == model.classes
  wanted = _wanted(config, expected, set() if same_classes else last)
  _check_fit(config, model, {name: expected[name] for name in wanted}, expected, last)
  _check_prefixes("learning_rates", [prefix for prefix, _ in factors(config)], expected)
  if config.training.epochs == 0 and (not same_classes or len(wanted) < len(expected)):
    raise ConfigError(
      "With config.training.epochs=0 the weights are evaluated as they are, so everything must be"
      f" taken over: {model.name} names {', '.join(model.classes)}, the protocol"
      f" {', '.join(class_names)}, and {len(wanted)} of {len(expected)} arrays would be."
    )
  seeds = [seed % model.seeds for seed in range(config.seed, config.seed + config.seeds)]
  return Start(
    {name: model.weights[name][seeds] for name in wanted},
    _about(config, model, sorted({*expected} - {*wanted})),
  )


def features(
  config: config_dict.ConfigDict, arrays: Mapping[str, np.ndarray]
) -> tuple[list[np.ndarray], str] | None:
  """What an SVM reads of the N clips by the weights of each of S_w seeds; None without weights.

  Returns:
    float64 [N, D] for each seed of the model: what its layer config.svm.layer computes, or what
    enters its last layer, and with config.start.join_input behind that the input; and a line for
    the announcement.

  Raises:
    ConfigError: the model does not offer its features.
    DataError: the model is damaged, or the arrays are not its input.
  """
  if not config.start.weights:
    return None
  model, layer = recognizer.load(config.start.weights), config.svm.layer or LAST
  parts = [rows_of.flat(part) for part in model.features(arrays, layer)]
  what = f"{parts[0].shape[1]} features of {_identified(config, model)}"
  if config.start.join_input:
    given = [rows_of.flat(arrays[name]) for name in arrays if name != "mask"]
    parts = [np.concatenate([part, *given], axis=1) for part in parts]
    what += f", joined with {', '.join(name for name in arrays if name != 'mask')}"
  return parts, what


def _last_layer(
  network: nn.Module, example: Mapping[str, jax.ShapeDtypeStruct], expected: Shapes
) -> set[str]:
  """Names of what depends on the number of classes."""
  classes: int = getattr(network, "num_classes")  # noqa: B009
  more = shapes_of(network.clone(num_classes=classes + 1), example)
  return {name for name, shape in expected.items() if more.get(name) != shape}


def _wanted(config: config_dict.ConfigDict, expected: Shapes, fresh: set[str]) -> list[str]:
  layers = config.start.layers
  if not layers:
    return [name for name in expected if name not in fresh]
  _check_prefixes("layers", layers, expected)
  return [name for name in expected if any(_layer(name).startswith(prefix) for prefix in layers)]


def _check_prefixes(field: str, prefixes: Iterable[str], expected: Shapes) -> None:
  names = sorted({_layer(name) for name in expected})
  for prefix in prefixes:
    if not any(name.startswith(prefix) for name in names):
      raise ConfigError(
        f"config.start.{field} holds {prefix!r}, which no name of the model begins with:"
        f" {', '.join(names)}."
      )


def _check_fit(
  config: config_dict.ConfigDict,
  model: recognizer.Model,
  wanted: Shapes,
  expected: Shapes,
  last: set[str],
) -> None:
  given = {name: array.shape[1:] for name, array in model.weights.items()}
  wrong = [
    f"{name} {given.get(name, 'absent')}, expected {shape}"
    for name, shape in wanted.items()
    if given.get(name) != shape
  ]
  if not config.start.layers:
    wrong += [f"{name} {given[name]}, expected none" for name in given if name not in expected]
  if wrong:
    raise ConfigError(
      f"The weights of {model.name} ({model.model['name']}) do not fit {config.model.name} with the"
      f" options and input of this config: {_listed(wrong)}. Use the model's options and input, or"
      " name the layers to take over in config.start.layers"
      f"{' (not the last: its classes are others)' if last & {*wanted} else ''}."
    )


def _about(config: config_dict.ConfigDict, model: recognizer.Model, fresh: Sequence[str]) -> str:
  text = f"{_identified(config, model)}, which learned from {model.provenance.summary()}"
  if fresh:
    layers = sorted({_layer(name).rpartition("/")[0] or name for name in fresh})
    text += f"; at random: {', '.join(layers)}"
    if not config.start.layers:
      text += f", for its classes are {', '.join(model.classes)}"
  for prefix, factor in factors(config):
    text += f"; {prefix} {'stays as it is' if factor == 0 else f'learns {factor:g} times as fast'}"
  return text


def _identified(config: config_dict.ConfigDict, model: recognizer.Model) -> str:
  return f"{config.start.weights} ({model.seeds_in_words}, digest {model.digest[:12]})"


def _layer(name: str) -> str:
  """ "logits/kernel" of "params/logits/kernel"."""
  return name.partition("/")[2]


def _listed(names: Iterable[str]) -> str:
  every = list(names)
  return ", ".join(every[:_NAMED]) + f" and {len(every) - _NAMED} more" * (len(every) > _NAMED)
