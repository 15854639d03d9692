"""flow_maps: one published optical-flow map of each clip, as STSTNet and its successors read it."""

import numpy as np

from mer_jax import checks, errors
from mer_jax.clips import FLOW_MAPS, Clips
from mer_jax.inputs.declaration import declares
from mer_jax.inputs.relative import NORMALISATIONS, relative
from mer_jax.inputs.resize import resized


@declares(reads=(FLOW_MAPS,), gives=("image",))
def flow_maps(
  clips: Clips, *, index: int = 0, size: int = 0, normalise: str = "none"
) -> dict[str, np.ndarray]:
  """Map number `index` of each clip.

  Args:
    clips: Clips [N] of flow maps.
    index: which map, from 0; archives with several put onset to apex first.
    size: H = W of the result, pixels, for models that read larger maps: they are enlarged
      bilinearly, which adds no detail; 0: as published.
    normalise: "none", or "relative" (relative.py): against the head's shift, in units of its size.

  Returns:
    image: float32 [N, H, W, 3]: horizontal flow, vertical flow, optical strain; with normalise
      "none" in 0..1, scaled per map by whoever published them.

  Raises:
    ConfigError: a clip has no map of that number, or there is no such normalisation.
  """
  checks.check_at_least("index", index, 0)
  checks.check_at_least("size", size, 0)
  checks.check_choice("normalise", normalise, NORMALISATIONS)
  short = np.flatnonzero(clips.num_frames <= index)
  if len(short):
    raise errors.ConfigError(
      f"There is no map {index} for {len(short)} of {len(clips)} clips, the first of them"
      f" {clips.name(int(short[0]))} with {clips.num_frames[short[0]]} (numbered from 0). Choose a"
      " smaller index."
    )
  image = clips.frames[clips.starts[:-1] + index] / np.float32(255)
  image = resized(image, size) if size else image
  return {"image": relative(image[:, None])[:, 0] if normalise == "relative" else image}
