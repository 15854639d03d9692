"""How large a system is: what it reads of a clip, its parameters and its multiply-adds."""

from collections.abc import Mapping
from functools import partial

import numpy as np
from ml_collections import config_dict

from mer_jax import inputs, models
from mer_jax.experiment import settings, trainer
from mer_jax.models.multiply_adds import multiply_adds
from mer_jax.models.shapes import of_variables
from mer_jax.protocols import Split
from mer_jax.report.grid_results import Size


def size_of(config: config_dict.ConfigDict, split: Split) -> Size:
  """The size of the system that `config` describes, on the clips of `split`.

  Nothing is trained: the input of a single clip and the shapes of the model are enough.

  Raises:
    ConfigError: model and input do not fit together.
  """
  model = trainer.build_model(config, len(split.class_names))
  clip = split.clips.select(np.arange(1))
  arrays = inputs.make(config.input.name, clip, **settings.options(config.input))
  trainer.check_input(config, model, arrays)
  if not isinstance(model, trainer.Network):
    return Size(_reads(config.input.name, arrays), None, None)
  read = {name: arrays[name] for name in models.arrays_read(model)}
  return Size(_reads(config.input.name, read), *_counts(model, arrays))


def _reads(name: str, arrays: Mapping[str, np.ndarray]) -> str:
  """ "apex_frame: image 64 × 64 × 1"."""
  shapes = [f"{array} {' × '.join(map(str, x.shape[1:]))}" for array, x in arrays.items()]
  return f"{name}: {', '.join(shapes)}"


def _counts(model: trainer.Network, arrays: Mapping[str, np.ndarray]) -> tuple[int, int | None]:
  """Parameters, and multiply-adds of a clip; None where a loop does not show them."""
  weights = np.ones(1, np.float32)
  variables = of_variables(model, arrays)
  try:
    cost = multiply_adds(partial(model.apply, train=False), variables, dict(arrays), weights)
  except NotImplementedError:
    cost = None
  return models.count_parameters(variables["params"]), cost
