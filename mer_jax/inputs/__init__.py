"""Inputs: pure functions from Clips to the arrays a model reads, each clip on its own.

A sequence input gives {"frames": float32 [N, T, H, W, C], "mask": bool [N, T]}, an image input
{"image": float32 [N, H, W, C]}, an input for an SVM {"features": float32 [N, D]}; others name their
arrays themselves. Row n depends on clip n and the options alone, so no input can carry anything
from a held-out subject into training.
"""

from collections.abc import Callable, Collection
from typing import Any

import cv2
import numpy as np

from mer_jax import checks
from mer_jax.clips import Clips
from mer_jax.errors import ConfigError
from mer_jax.inputs.apex_frame import apex_frame
from mer_jax.inputs.bi_woof import bi_woof
from mer_jax.inputs.cache import NO_CACHE, Cache, cache_in
from mer_jax.inputs.counterpart import counterpart
from mer_jax.inputs.declaration import Declaration, declaration, declares
from mer_jax.inputs.expression_states import expression_states
from mer_jax.inputs.flow import flow
from mer_jax.inputs.flow_maps import flow_maps
from mer_jax.inputs.flow_sequence import flow_sequence
from mer_jax.inputs.hoof import hoof
from mer_jax.inputs.lbp_top import lbp_top
from mer_jax.inputs.onset_difference import onset_difference
from mer_jax.inputs.padded_frames import padded_frames
from mer_jax.inputs.pooled_flow import apex_and_pooled_flow, pooled_flow
from mer_jax.inputs.spotting import APEXES, spot_apexes
from mer_jax.inputs.temporal_sampling_deformation import (
  apex_flow_and_frames,
  temporal_sampling_deformation,
)

# What numpy and OpenCV answer beside MemoryError.
_TOO_LARGE = ("array is too big", "Maximum allowed dimension exceeded", "Insufficient memory")

INPUTS: dict[str, Callable[..., dict[str, np.ndarray]]] = {
  "padded_frames": padded_frames,
  "onset_difference": onset_difference,
  "expression_states": expression_states,
  "flow": flow,
  "flow_sequence": flow_sequence,
  "flow_maps": flow_maps,
  "apex_frame": apex_frame,
  "pooled_flow": pooled_flow,
  "apex_and_pooled_flow": apex_and_pooled_flow,
  "temporal_sampling_deformation": temporal_sampling_deformation,
  "apex_flow_and_frames": apex_flow_and_frames,
  "hoof": hoof,
  "bi_woof": bi_woof,
  "lbp_top": lbp_top,
}

__all__ = [
  "APEXES",
  "INPUTS",
  "NO_CACHE",
  "Cache",
  "Declaration",
  "cache_in",
  "counterpart",
  "declaration",
  "declares",
  "find",
  "inputs_giving",
  "make",
  "spot_apexes",
]


def make(
  name: str, clips: Clips, /, cache: Cache = NO_CACHE, **settings: Any
) -> dict[str, np.ndarray]:
  """Computes the input `name` of `clips`.

  Args:
    name: see `find`.
    clips: Clips [N].
    cache: where results stay for further computations.
    **settings: options of that input.

  Returns:
    Arrays of leading dimension N, see the module's docstring.

  Raises:
    ConfigError: unknown input, option or value, clips whose channels the input cannot read, or
      arrays that do not fit into memory.
  """
  function = find(name)
  declared = declaration(function)
  checks.check_names(f"input {name}", declared.options, settings)
  kept = {"cache": cache} if declared.uses_cache else {}
  try:
    return function(clips, **kept, **settings)
  except (MemoryError, ValueError, cv2.error) as error:
    if not (isinstance(error, MemoryError) or any(text in str(error) for text in _TOO_LARGE)):
      raise
    raise ConfigError(
      f"The input {name} of {len(clips)} clips does not fit into memory ({error or 'no more'})."
      " Lower config.input.size or config.input.num_frames, or take fewer clips."
    ) from error


def find(name: str) -> Callable[..., dict[str, np.ndarray]]:
  """The function of the input `name`: a key of `INPUTS`, or "package.module:function".

  Raises:
    ConfigError: there is no such input, or it does not declare what it reads and gives.
  """
  function = checks.look_up("input", name, INPUTS)
  declaration(function)
  return function


def inputs_giving(arrays: Collection[str]) -> list[str]:
  """Names of the inputs that give all of `arrays`, by their names."""
  return [name for name, f in INPUTS.items() if set(arrays) <= set(declaration(f).gives)]
