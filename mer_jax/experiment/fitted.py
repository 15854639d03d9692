"""From the state of a finished fit to the model that others load, and what is known of it."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from ml_collections import config_dict

from mer_jax import protocols, recognizer
from mer_jax.errors import TrainingError
from mer_jax.experiment import drawn_source, environment, settings
from mer_jax.experiment.start_options import LEAKY
from mer_jax.recognizer import provenance
from mer_jax.recognizer.model import NOT_MEASURED
from mer_jax.recognizer.weights import flat
from mer_jax.runtime import regular_files
from mer_jax.training.fold import FoldState

_SCORES = ("uf1", "uar", "accuracy")


def weights_of(state: FoldState, fold: int = 0) -> dict[str, np.ndarray]:
  """float32 [S, ...] by flax name: what one fold of `state` (leaves [S, F', ...]) predicts with."""
  return flat(jax.tree.map(lambda x: np.asarray(x[:, fold], np.float32), _predicting(state)))


def model(
  config: config_dict.ConfigDict,
  architecture: Mapping[str, Any],
  split: protocols.Split,
  arrays: Mapping[str, np.ndarray],
  weights: Mapping[str, np.ndarray],
) -> recognizer.Model:
  """The model that a fit of `config` ended with.

  Args:
    config: resolved.
    architecture: the model of the config and its options.
    split: the clips that it learned from.
    arrays: its input, [N, ...] each.
    weights: float [S, ...] by name.

  Raises:
    TrainingError: a parameter left the finite numbers.
  """
  return recognizer.Model(
    name=config.model.name,
    arrays=shapes(arrays),
    classes=tuple(split.class_names),
    weights=checked(weights),
    provenance=_provenance(config, split),
    versions=environment.versions(),
    **from_config(config, architecture),
  )


def from_config(config: config_dict.ConfigDict, architecture: Mapping[str, Any]) -> dict[str, Any]:
  """The fields of recognizer.Model that follow from a resolved config."""
  content = without_places(settings.to_json(config))
  return {
    # With the defaults of today: those of tomorrow may be others.
    "model": dict(architecture),
    "input": content["input"],
    "target": config.training.target,
    "mirror_at_test": config.training.mirror_at_test,
    "config": content,
  }


def without_places(content: dict[str, Any]) -> dict[str, Any]:
  """The JSON of a config, changed: where data and weights lay is no part of a model."""
  content["data"] |= {"data_dir": "", "cache_dir": ""}
  content["start"]["weights"] = pathlib.Path(content["start"]["weights"]).name
  return content


def shapes(arrays: Mapping[str, np.ndarray]) -> dict[str, dict[str, Any]]:
  """Shape and dtype of what an input gives of a clip, see recognizer.Model.arrays."""
  return {
    name: {"shape": list(array.shape[1:]), "dtype": str(array.dtype)}
    for name, array in arrays.items()
  }


def checked(weights: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
  """The same weights; raises TrainingError where a number is not finite."""
  if not all(np.isfinite(array).all() for array in weights.values()):
    raise TrainingError(
      "Parameters left the finite numbers, so there is no model. Lower"
      " config.optimizer.learning_rate or change config.model.norm."
    )
  return weights


def scores(path: pathlib.Path) -> dict[str, Any] | str:
  """What the run in the workdir `path` measured of the same config, or `NOT_MEASURED`.

  What leaky weights reached counts as not measured.
  """
  file = path / "metrics.json"
  try:
    summary = json.loads(regular_files.read_text(file))
    if LEAKY in summary:
      return NOT_MEASURED
    pooled = summary["pooled"]
    return {
      "of": "leave-one-subject-out with the same config",
      **{name: pooled[name] for name in _SCORES},
      "clips": pooled["clips"],
      "folds": summary["folds"],
      "seeds": len(summary["seeds"]),
    }
  except (OSError, ValueError, KeyError, TypeError, RecursionError):
    return NOT_MEASURED


def in_words(known: Mapping[str, Any] | str) -> str:
  """`Model.scores` on one line: "uf1 .593, uar .601 (leave-one-subject-out ...)"."""
  if isinstance(known, str):
    return known
  numbers = [f"{name} {value:.3f}" for name, value in known.items() if isinstance(value, float)]
  return f"{', '.join(numbers)} ({known.get('of', 'as its makers say')})"


def _predicting(state: FoldState) -> dict[str, Any]:
  """The variables that the engine predicts with: the means over the steps where it takes them."""
  if state.average:
    return {"params": state.average.params, "batch_stats": state.average.batch_stats}
  return {"params": state.params, "batch_stats": state.batch_stats}


def _provenance(config: config_dict.ConfigDict, split: protocols.Split) -> provenance.Provenance:
  seen = provenance.of_clips(split.clips)
  parts = [dataclasses.replace(seen, drawn=drawn_source.facts(config))]
  if config.start.weights:
    parts.insert(0, recognizer.load(config.start.weights).provenance)
  return provenance.combined(parts)
