"""The shapes of a model's variables, without computing any of them."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import numpy as np


def of_variables(model: nn.Module, inputs: Mapping[str, Any], count: int = 1) -> dict[str, Any]:
  """Shapes and dtypes of what the init of `model` returns: all collections, sown ones included.

  Args:
    model: a module of mer_jax.models, or one like them.
    inputs: arrays [N, ...] by name, of which only shapes and dtypes of a clip are looked at.
    count: clips of the batch that it is initialised with.
  """
  example = {
    name: jax.ShapeDtypeStruct((count, *x.shape[1:]), x.dtype) for name, x in inputs.items()
  }
  weights = np.ones(count, np.float32)
  return jax.eval_shape(lambda x: model.init(jax.random.key(0), x, weights, train=False), example)
