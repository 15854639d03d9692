"""hoof: histograms of oriented optical flow between neighbouring frames of a clip.

Chaudhry, Ravichandran, Hager, Vidal, "Histograms of Oriented Optical Flow and Binet-Cauchy Kernels
on Nonlinear Dynamical Systems for the Recognition of Human Actions", CVPR 2009. With TIM (see
tim.py) and a support vector machine it is a baseline of Peng et al., "A Novel Apex-Time Network for
Cross-Dataset Micro-Expression Recognition" (ATNet), ACII 2019.
"""

from typing import Any

import numpy as np

from mer_jax import checks
from mer_jax.clips import GRAY, Clips
from mer_jax.inputs import tim
from mer_jax.inputs.cache import NO_CACHE, Cache
from mer_jax.inputs.declaration import declares
from mer_jax.inputs.flow import HEAD_MOTION, FlowOptions, batches, check_flow
from mer_jax.inputs.optical_flow import between
from mer_jax.inputs.oriented_histograms import (
  FINE,
  binned,
  check_bins,
  check_blocks,
  fine_histograms,
  shares,
)
from mer_jax.inputs.threads import on_all_cores
from mer_jax.runtime.progress import progress


@declares(reads=(GRAY,), gives=("features",), passes_on=FlowOptions, needs_motion=True)
def hoof(
  clips: Clips,
  cache: Cache = NO_CACHE,
  *,
  # ATNet's features have 9 for its clips of 10 frames and 64 for those it calls 64 frames long.
  flows: int = 9,
  bins: int = 8,
  # As Chaudhry et al. define it; ATNet's published features do not tell which it used.
  symmetric: bool = True,
  # ATNet has one histogram for the whole face.
  blocks: int = 1,
  # ATNet does not name its method.
  method: str = "farneback",
  **flow_options: Any,
) -> dict[str, np.ndarray]:
  """The directions of the motion, frame by frame.

  Each clip, from its first frame to its last, becomes `flows` + 1 frames by TIM. Of the flow
  between each two neighbours every pixel adds sqrt(u^2 + v^2) to the bin of its direction; then the
  histogram of a frame, all its blocks together, is divided by its sum. Where nothing moves at all
  every bin gets the same, so that every frame's histogram sums to 1.

  Args:
    clips: Clips [N] of gray frames of at least 128 x 128 pixels.
    cache: where histograms stay for further computations.
    flows: T, flows per clip; they need T + 1 frames.
    bins: B: with `symmetric` a divisor of 24, else of 48.
    symmetric: True: angles to the horizontal axis, -90 to 90 degrees, left and right alike; False:
      of the full circle, from -180 degrees (left) over -90 (up).
    blocks: a histogram for each of blocks x blocks parts of the frame.
    method: of the flow, "dis", "farneback" or "tv_l1", see optical_flow.py. DIS reads whole gray
      levels, to which TIM's frames are then rounded.
    **flow_options: head_motion, allow_small: as in `flow`.

  Returns:
    features: float32 [N, D], D = T * blocks^2 * B, frame by frame, and in it block by block, row by
      row. The sum is T.

  Raises:
    ConfigError: frames below 128 pixels, or a value that is not listed above.
  """
  checks.check_at_least("flows", flows, 1)
  check_bins(bins, symmetric)
  measured = FlowOptions(method, **flow_options)
  check_flow(clips, 1, measured)
  check_blocks(blocks, *clips.frames.shape[1:3])
  head_motion = measured.head_motion
  options = {"flows": flows, "blocks": blocks, "method": method, "head_motion": head_motion}
  fine = cache.load_or_compute(
    clips, "hoof", options, lambda: {"fine": _fine(clips, flows, blocks, method, head_motion)}
  )["fine"]
  features = shares(binned(fine, bins, symmetric), axes=(2, 3))
  return {"features": features.reshape(len(clips), flows * blocks**2 * bins).astype(np.float32)}


def _fine(clips: Clips, flows: int, blocks: int, method: str, head_motion: str) -> np.ndarray:
  """float32 [N, T, blocks^2, 2, FINE]: `fine_histograms` of every flow."""

  def histograms(uv: np.ndarray) -> np.ndarray:
    return fine_histograms(HEAD_MOTION[head_motion](uv), blocks)

  fine = []
  with progress(len(clips), "optical flow", "clip") as bar:
    for batch in batches([flows] * len(clips)):
      frames = [tim.resampled(clips.frames_of(n)[..., 0], flows + 1) for n in batch]
      before = np.concatenate([f[:-1] for f in frames])
      after = np.concatenate([f[1:] for f in frames])
      fine += on_all_cores(histograms, between(before, after, method))
      bar.update(len(batch))
  shape = (len(clips), flows, blocks**2, 2, FINE)
  return np.array(fine, np.float32).reshape(shape)
