"""flow_maps: one published optical-flow map of each clip, as STSTNet and its successors read it."""

import numpy as np

from mer_jax import checks, errors
from mer_jax.clips import FLOW_MAPS, Clips
from mer_jax.inputs.declaration import declares


@declares(reads=(FLOW_MAPS,), gives=("image",))
def flow_maps(clips: Clips, *, index: int = 0) -> dict[str, np.ndarray]:
  """Map number `index` of each clip.

  Args:
    clips: Clips [N] of flow maps.
    index: which map, from 0; archives with several put onset to apex first.

  Returns:
    image: float32 [N, H, W, 3] in 0..1: horizontal flow, vertical flow, optical strain, scaled per
      map by whoever published them.

  Raises:
    ConfigError: a clip has no map of that number.
  """
  checks.check_at_least("index", index, 0)
  short = np.flatnonzero(clips.num_frames <= index)
  if len(short):
    raise errors.ConfigError(
      f"There is no map {index} for {len(short)} of {len(clips)} clips, the first of them"
      f" {clips.name(int(short[0]))} with {clips.num_frames[short[0]]} (numbered from 0). Choose a"
      " smaller index."
    )
  return {"image": clips.frames[clips.starts[:-1] + index] / np.float32(255)}
