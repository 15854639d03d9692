"""Dry run: several configs tried on a single clip each, before the first of them runs for hours."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from ml_collections import config_dict

from mer_jax import inputs
from mer_jax.clips import Clips
from mer_jax.errors import MerError
from mer_jax.experiment import data, feasible, settings, start, trainer
from mer_jax.models.shapes import of_variables
from mer_jax.recognizer import provenance


def check(named: Iterable[tuple[str, config_dict.ConfigDict]]) -> list[str]:
  """Checks that the parts of configs fit together, on an input of a single clip.

  Args:
    named: configs with the names that an error is to call them by; "" for a nameless one.

  Returns:
    What must be known of the data of all of them, each sentence once.

  Raises:
    ConfigError, DataError, ProtocolError: one of them cannot run; says which.
  """
  loaded: dict[str, _Loaded] = {}
  remarks: dict[str, None] = {}
  for name, config in named:
    try:
      key = data.key(config)
      if key not in loaded:
        split = data.load_split(config)
        first = split.clips.select(np.arange(1))
        loaded[key] = _Loaded(first, split.class_names, provenance.subjects_of(split.clips))
        remarks |= dict.fromkeys(split.remarks)
      remarks |= dict.fromkeys(start.remarks(config, loaded[key].subjects))
      _build(config, loaded[key])
    except MerError as error:
      raise type(error)(f"{name}: {error}" if name else str(error)) from error
  return list(remarks)


class _Loaded(NamedTuple):
  """What is kept of a split: its first clip, the K classes, and who is held out."""

  clip: Clips
  class_names: tuple[str, ...]
  subjects: set[provenance.Drawn]


def _build(config: config_dict.ConfigDict, loaded: _Loaded) -> None:
  """Everything between clips and training, on a single clip and without computing the model."""
  model = trainer.build_model(config, len(loaded.class_names))
  clip = inputs.spot_apexes(config.data.apex, loaded.clip)
  arrays = inputs.make(config.input.name, clip, **settings.options(config.input))
  trainer.check_input(config, model, arrays)
  if isinstance(model, trainer.Network):
    with feasible.tracing(config, arrays):
      of_variables(model, arrays)
    start.of(config, loaded.class_names, model, arrays)
