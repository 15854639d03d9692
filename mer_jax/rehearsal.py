"""A rehearsal: several configs tried on one clip each, before the first of them runs for hours."""

import json
from collections.abc import Iterable

import jax
import numpy as np
from ml_collections import config_dict

from mer_jax import experiment, inputs, learning, settings
from mer_jax.clips import Clips
from mer_jax.errors import MerError


def check(named: Iterable[tuple[str, config_dict.ConfigDict]]) -> list[str]:
  """Finds what does not fit together, without computing an input of more than one clip.

  Args:
    named: configs with the names that an error is to call them by; "" for a nameless one.

  Returns:
    What must be known of the data of all of them, each sentence once.

  Raises:
    ConfigError, DataError, ProtocolError: one of them cannot run; says which.
  """
  loaded: dict[str, tuple[Clips, int]] = {}
  remarks: dict[str, None] = {}
  for name, config in named:
    data = json.dumps([config.data.to_dict(), config.protocol.to_dict()])
    try:
      if data not in loaded:
        split = experiment.load_split(config)
        loaded[data] = split.clips.select(np.arange(1)), len(split.class_names)
        remarks |= dict.fromkeys(split.remarks)
      _build(config, *loaded[data])
    except MerError as error:
      raise type(error)(f"{name}: {error}" if name else str(error)) from error
  return list(remarks)


def _build(config: config_dict.ConfigDict, one_clip: Clips, num_classes: int) -> None:
  """Everything between clips and training, on one clip and without computing the model."""
  model = learning.build_model(config, num_classes)
  arrays = inputs.make(config.input.name, one_clip, **settings.options(config.input))
  learning.check_input(config, model, arrays)
  if isinstance(model, learning.Network):
    jax.eval_shape(lambda: model.init(jax.random.key(0), arrays, np.ones(1), train=False))
