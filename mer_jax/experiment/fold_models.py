"""The models of a finished run: one for each fold, from the state that it ended with.

A run keeps the state of all its folds in its checkpoints; checkpoints.json beside them says what
the state is of, so that neither the prepared data nor the input is needed to load a fold.
"""

import dataclasses
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from mer_jax import protocols, recognizer, training
from mer_jax.errors import ConfigError, DataError, unknown
from mer_jax.experiment import drawn_source, environment, fitted
from mer_jax.recognizer import engine, provenance
from mer_jax.recognizer.weights import nested
from mer_jax.runtime import atomic, regular_files

FILE = "checkpoints.json"


def load(
  name_or_folder: str | os.PathLike[str], *, fold: str | None = None, seed: int | None = None
) -> recognizer.Model:
  """A trained model: of a folder, of a name that ships, or a fold of a finished run.

  Args:
    name_or_folder: a folder that mer_jax fit left (WORKDIR/model), a name of `mer_jax models`; with
      `fold`, the workdir of a run.
    fold: of a run, the name of the fold, mostly "dataset/subject" of whom it holds out.
    seed: of the fold; None: all seeds of the run.

  Raises:
    ConfigError: there is no such model, fold or seed.
    DataError: a file is absent, damaged or of another version, or the run is not finished.
  """
  if fold is None:
    if seed is not None:
      raise ConfigError(f"seed={seed} is of a fold of a run: name that in fold.")
    return recognizer.load(name_or_folder)
  path = pathlib.Path(name_or_folder).expanduser()
  try:
    return _of_fold(path, fold, seed)
  except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
    raise DataError(
      f"What {path} holds of its folds cannot be read ({type(error).__name__}: {error}): its"
      f" config.json or {FILE} is not what the run wrote. Put it back, or run again."
    ) from error


def _of_fold(path: pathlib.Path, fold: str, seed: int | None) -> recognizer.Model:
  facts, content = _facts(path), _config(path)
  if fold not in facts["folds"]:
    raise ConfigError(f"{path}: {unknown('fold', fold, facts['folds'])}")
  seeds = facts["seeds"] if seed is None else [seed]
  if seeds[0] not in facts["seeds"]:
    raise ConfigError(f"{path} has no seed {seed}; it has {facts['seeds']}.")
  place = list(facts["folds"]).index(fold)
  model = recognizer.Model(
    name=f"{path.resolve().name} without {fold}",
    arrays=facts["arrays"],
    classes=tuple(facts["classes"]),
    weights={},
    provenance=_provenance(facts, fold),
    model=facts["architecture"],
    input=content["input"],
    target=content["training"]["target"],
    mirror_at_test=content["training"]["mirror_at_test"],
    config=content,
    versions=environment.versions(),
  )
  names = _names_in_order(engine.expected_shapes(model))
  weights = _weights(path, facts, names, place, [facts["seeds"].index(s) for s in seeds])
  return dataclasses.replace(model, weights=weights)


def write_facts(
  path: pathlib.Path,
  config: Any,
  split: protocols.Split,
  arrays: Mapping[str, np.ndarray],
  architecture: Mapping[str, Any],
) -> None:
  """Writes checkpoints.json into the workdir `path` of a run of a network, atomically.

  Args:
    path: the workdir.
    config: resolved.
    split: N clips, F folds.
    arrays: the input, [N, ...] each.
    architecture: name and options of the model.

  Raises:
    WorkdirError: the folder cannot be written.
  """
  pairs = np.array(list(zip(split.clips.dataset, split.clips.subject, strict=True)))
  start = config.start.weights
  facts = {
    "architecture": dict(architecture),
    "arrays": fitted.shapes(arrays),
    "classes": list(split.class_names),
    "seeds": list(range(config.seed, config.seed + config.seeds)),
    # Whom each fold holds out.
    "folds": {
      name: sorted({(str(d), str(s)) for d, s in pairs[held_out]})
      for name, held_out in zip(split.fold_names, split.held_out, strict=True)
    },
    "averaged": config.training.average != "none",
    "synthetic": bool(np.all(split.clips.synthetic)),
    "drawn": drawn_source.facts(config),
    "start": recognizer.load(start).provenance.to_json() if start else None,
  }
  atomic.write_text(path / FILE, json.dumps(facts, indent=2) + "\n")


def _facts(path: pathlib.Path) -> dict[str, Any]:
  if not (path / "predictions.csv").is_file() or not (path / FILE).is_file():
    raise DataError(
      f"{path} is no workdir whose folds can be loaded: that holds predictions.csv and {FILE}, as a"
      " finished run of one network leaves them (an SVM, a sweep, or a run of an older version does"
      " not). Fit the config to have a model: mer_jax fit."
    )
  return _json(path / FILE)


def _config(path: pathlib.Path) -> dict[str, Any]:
  return fitted.without_places(_json(path / "config.json")["config"])


def _json(file: pathlib.Path) -> dict[str, Any]:
  try:
    return json.loads(regular_files.read_text(file))
  except (OSError, ValueError, RecursionError) as error:
    raise DataError(f"{file} cannot be read ({error}). Use another workdir.") from error


def _weights(
  path: pathlib.Path, facts: Mapping[str, Any], names: list[str], fold: int, seeds: list[int]
) -> dict[str, np.ndarray]:
  """float32 [S, ...] by flax name, of the parameters that the fold predicts with."""
  leaves = training.newest_leaves(path / "checkpoints")
  if leaves is None:
    raise DataError(
      f"{path} holds no checkpoint: a run that trains nothing evaluates the weights it starts from;"
      " load those."
    )
  # A state begins with params and batch_stats and, where they are averaged, ends with their means
  # and the number of steps in these (training.fold.FoldState).
  first = 0
  if facts["averaged"] and np.all(leaves[-1][seeds, fold] > 0):
    first = len(leaves) - 1 - len(names)
  return {
    name: np.asarray(leaves[first + place][seeds, fold], np.float32)
    for place, name in enumerate(names)
  }


def _names_in_order(shapes: Mapping[str, tuple[int, ...]]) -> list[str]:
  """The names in the order in which jax lists the leaves of (params, batch_stats)."""
  tree = nested({name: name for name in shapes})
  return jax.tree.leaves((tree["params"], tree.get("batch_stats", {})))


def _provenance(facts: Mapping[str, Any], fold: str) -> provenance.Provenance:
  held_out = {tuple(pair) for pair in facts["folds"][fold]}
  everyone = {tuple(pair) for pairs in facts["folds"].values() for pair in pairs}
  own = provenance.from_json(
    {
      "subjects": sorted(everyone - held_out),
      "drawn": facts["drawn"],
      "synthetic": facts["synthetic"],
    }
  )
  start = [provenance.from_json(facts["start"])] if facts["start"] else []
  return provenance.combined([*start, own])
