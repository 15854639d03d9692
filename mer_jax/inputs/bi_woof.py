"""bi_woof: directions of the flow from onset to apex, block by block, weighted by its strain.

Liong, See, Wong, Phan, "Less is more: Micro-expression recognition from video using apex frame"
(Bi-WOOF), Signal Processing: Image Communication 62, 2018. With a support vector machine it is a
baseline of MEGC2019.
"""

import numpy as np

from mer_jax.clips import GRAY, Clips
from mer_jax.inputs.cache import NO_CACHE, Cache
from mer_jax.inputs.declaration import declares
from mer_jax.inputs.flow import HEAD_MOTION, FlowOptions, batches, check_flow, strain
from mer_jax.inputs.optical_flow import between
from mer_jax.inputs.oriented_histograms import (
  FINE,
  binned,
  block_of_pixels,
  check_bins,
  check_blocks,
  fine_histograms,
  shares,
)
from mer_jax.inputs.threads import on_all_cores
from mer_jax.runtime.progress import progress

# Public code sums strain over the pixels of a flow of this size, which sets the features' scale.
SIDE = 100


@declares(reads=(GRAY,), gives=("features",), needs_motion=True)
def bi_woof(
  clips: Clips,
  cache: Cache = NO_CACHE,
  *,
  bins: int = 8,
  blocks: int = 5,
  method: str = "tv_l1",
  head_motion: str = "keep",
  allow_small: bool = False,
) -> dict[str, np.ndarray]:
  """Bi-weighted oriented optical flow.

  In each block every pixel adds sqrt(u^2 + v^2) to the bin of atan2(v, u), and the histogram is
  divided by its sum (the local weight); then it is multiplied by the block's optical strain (the
  global weight).

  Args:
    clips: Clips [N] of gray frames of at least 128 x 128 pixels.
    cache: where histograms stay for further computations.
    bins: B, of the full circle from -180 degrees (left) over -90 (up); a divisor of 48.
    blocks: the face is divided into blocks x blocks parts.
    method, head_motion, allow_small: as in `flow`.

  Returns:
    features: float32 [N, D], D = blocks^2 * B, block by block, row by row. A block's features sum
      to the mean of its strain (see `flow.strain`) times its pixels in an image of 100 x 100.

  Raises:
    ConfigError: frames below 128 pixels, or a value that is not listed above.
  """
  check_bins(bins, symmetric=False)
  check_flow(clips, 1, FlowOptions(method, head_motion, allow_small))
  check_blocks(blocks, *clips.frames.shape[1:3])
  options = {"blocks": blocks, "method": method, "head_motion": head_motion}
  arrays = cache.load_or_compute(
    clips, "bi_woof", options, lambda: _of_blocks(clips, blocks, method, head_motion)
  )
  directions = shares(binned(arrays["fine"], bins, symmetric=False), axes=(2,))
  features = directions * arrays["strain"][..., None]
  return {"features": features.reshape(len(clips), blocks**2 * bins).astype(np.float32)}


def _of_blocks(clips: Clips, blocks: int, method: str, head_motion: str) -> dict[str, np.ndarray]:
  """`fine`, float64 [N, blocks^2, 2, FINE], and `strain`, float64 [N, blocks^2], of the blocks."""
  height, width = clips.frames.shape[1:3]
  block = block_of_pixels(height, width, blocks).ravel()
  sizes = np.bincount(block)

  def of_one(uv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    uv = HEAD_MOTION[head_motion](uv)
    means = np.bincount(block, strain(uv).ravel()) / sizes
    return fine_histograms(uv, blocks), means * SIDE**2 / blocks**2

  fine = np.empty((len(clips), blocks**2, 2, FINE))
  strains = np.empty((len(clips), blocks**2))
  with progress(len(clips), "optical flow", "clip") as bar:
    for batch in batches([1] * len(clips)):
      onsets = clips.frames[clips.starts[batch] + clips.onset[batch], ..., 0]
      apexes = clips.frames[clips.starts[batch] + clips.apex[batch], ..., 0]
      measured = on_all_cores(of_one, between(onsets, apexes, method))
      for n, (histograms, of_strain) in zip(batch, measured, strict=True):
        fine[n], strains[n] = histograms, of_strain
      bar.update(len(batch))
  return {"fine": fine, "strain": strains}
