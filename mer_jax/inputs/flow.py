"""flow: optical flow from onset to apex and its strain, the input of STSTNet and its relatives.

Liong et al., "Shallow Triple Stream Three-dimensional CNN (STSTNet) for Micro-expression
Recognition", FG 2019. Theirs is TV-L1 flow, `method="tv_l1"`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from mer_jax import checks, errors
from mer_jax.clips import GRAY, Clips
from mer_jax.inputs.cache import NO_CACHE, Cache
from mer_jax.inputs.declaration import declares
from mer_jax.inputs.optical_flow import METHODS, between
from mer_jax.inputs.relative import NORMALISATIONS, relative
from mer_jax.inputs.resize import resized
from mer_jax.inputs.threads import on_all_cores
from mer_jax.runtime.progress import progress

REFERENCE_WIDTH = 128  # pixels; flow is given in pixels of a face this wide
SMALLEST_WIDTH = 16  # pixels; below it the patches of DIS do not fit
MOTION_UNIT = 3.0  # pixels at 128: the upper end of what a micro-expression moves
STRAIN_UNIT = 0.1  # 3 pixels spread over 30, about the width of a mouth corner or half a brow
PAIRS = 64  # of frames at a time: 11 MB with their flow at 128 x 128


class FlowOptions(NamedTuple):
  """Options that the inputs of optical flow share.

  Attributes:
    method: "dis", "farneback" or "tv_l1", see optical_flow.py.
    head_motion: what is taken out of the flow, see `flow`.
    allow_small: accept frames below 128 x 128 pixels, in which sub-pixel motion is mostly lost.
  """

  method: str = "dis"
  head_motion: str = "keep"
  allow_small: bool = False


@declares(reads=(GRAY,), gives=("image",), needs_motion=True)
def flow(
  clips: Clips,
  cache: Cache = NO_CACHE,
  *,
  size: int = 28,
  method: str = "dis",
  # STSTNet's images are scaled so. "fixed" keeps how large the motion was.
  scaling: str = "minmax",
  # Published maps contain the head's motion too. "translation" and "affine" take it out.
  head_motion: str = "keep",
  normalise: str = "none",
  allow_small: bool = False,
) -> dict[str, np.ndarray]:
  """Horizontal flow u, vertical flow v and optical strain between onset and apex.

  The flow is computed on the stored frames and then averaged down: micro-expressions move less
  than a pixel of 28x28. A clip whose apex is its onset has no motion, so zero flow.

  Args:
    clips: Clips [N] of gray frames of at least 128 x 128 pixels.
    cache: where flows stay for further computations.
    size: H = W of the result, pixels.
    method: "dis", "farneback" or "tv_l1", see optical_flow.py.
    scaling: "minmax": each clip's channel to 0..1 on its own; "fixed": u and v in units of 3 pixels
      of a 128 pixels wide face, strain in units of 0.1.
    head_motion: "keep"; "translation": subtract the median of u and of v; "affine": subtract the
      affine motion that fits the flow best in the least squares sense.
    normalise: "none", or after scaling "relative" (relative.py), as with published maps.
    allow_small: accept smaller frames, in which sub-pixel motion is mostly lost.

  Returns:
    image: float32 [N, H, W, 3], channels u, v, strain. v points down.

  Raises:
    ConfigError: frames below 128 pixels, or a value that is not listed above.
  """
  checks.check_choice("scaling", scaling, SCALINGS)
  checks.check_choice("normalise", normalise, NORMALISATIONS)
  check_flow(clips, size, FlowOptions(method, head_motion, allow_small))
  onsets, apexes = clips.starts[:-1] + clips.onset, clips.starts[:-1] + clips.apex

  def maps() -> dict[str, np.ndarray]:
    image = np.empty((len(clips), size, size, 3), np.float32)
    with progress(len(clips), "optical flow", "clip") as bar:
      for batch in batches([1] * len(clips)):
        pairs = clips.frames[onsets[batch], ..., 0], clips.frames[apexes[batch], ..., 0]
        image[batch] = maps_between(*pairs, size, method, head_motion)
        bar.update(len(batch))
    return {"image": image}

  options = {"size": size, "method": method, "head_motion": head_motion}
  image = cache.load_or_compute(clips, "flow", options, maps)["image"]
  for n in range(len(clips)):
    image[n] = SCALINGS[scaling](image[n])
  return {"image": relative(image[:, None])[:, 0] if normalise == "relative" else image}


def check_flow(clips: Clips, size: int, options: FlowOptions) -> None:
  """Refuses frames too small for optical flow and options that `maps_between` does not know.

  Args:
    clips: Clips [N] of gray frames.
    size: H = W of the result, pixels.
    options: of the flow.

  Raises:
    ConfigError: frames below 128 pixels (16 with `allow_small`), or an unknown value.
  """
  checks.check_at_least("size", size, 1)
  checks.check_choice("method", options.method, METHODS)
  checks.check_choice("head_motion", options.head_motion, HEAD_MOTION)
  height, width = clips.frames.shape[1:3]
  least = SMALLEST_WIDTH if options.allow_small else REFERENCE_WIDTH
  if min(height, width) < least:
    raise errors.ConfigError(
      f"Optical flow needs frames of at least {least} x {least} pixels; these are {width} x"
      f" {height}. Build the dataset with --config frames128 and load that one"
      + ("." if options.allow_small else ", or set allow_small=True.")
    )


def batches(pairs_of_clips: Sequence[int] | np.ndarray) -> Iterator[range]:
  """Indices of clips one after another, `PAIRS` pairs of frames at most or one clip at a time.

  Args:
    pairs_of_clips: int [N], how many pairs each clip has.
  """
  ends = np.cumsum(pairs_of_clips)
  start, done = 0, 0
  while start < len(ends):
    end = max(int(np.searchsorted(ends, done + PAIRS, side="right")), start + 1)
    yield range(start, end)
    start, done = end, ends[end - 1]


def maps_between(
  before: np.ndarray, after: np.ndarray, size: int, method: str, head_motion: str
) -> np.ndarray:
  """u, v and strain of the motion between gray frames, averaged down.

  Args:
    before, after: uint8 [B, H, W].
    size: H = W of the result, pixels.
    method: a key of `METHODS`.
    head_motion: a key of `HEAD_MOTION`.

  Returns:
    float32 [B, size, size, 3]: u and v in pixels of a face 128 wide, strain without unit.
  """
  pixel = np.float32(REFERENCE_WIDTH / before.shape[2])  # of the frame, in pixels at 128

  def averaged(uv: np.ndarray) -> np.ndarray:
    uv = HEAD_MOTION[head_motion](pixel * uv)
    return resized(np.dstack([uv, strain(uv) / pixel])[None], size)[0]

  maps = on_all_cores(averaged, between(before, after, method))
  return np.array(maps, np.float32).reshape(-1, size, size, 3)


def strain(uv: np.ndarray) -> np.ndarray:
  """Optical strain magnitude sqrt(u_x^2 + v_y^2 + (u_y + v_x)^2 / 2).

  Args:
    uv: float [H, W, 2] in pixels, u to the right and v down.

  Returns:
    float [H, W], without unit; derivatives are central differences, so a linear field is exact.
  """
  u_y, u_x = np.gradient(uv[..., 0])
  v_y, v_x = np.gradient(uv[..., 1])
  return np.sqrt(u_x**2 + v_y**2 + (u_y + v_x) ** 2 / 2)


def without_translation(uv: np.ndarray) -> np.ndarray:
  """[H, W, 2] minus its median, which is the head's motion as long as most of the face rests."""
  return uv - np.median(uv, axis=(0, 1))


def without_affine(uv: np.ndarray) -> np.ndarray:
  """[H, W, 2] minus the least-squares fit of (1, x, y) to u and to v: shift, turn, zoom, shear."""
  y, x = np.indices(uv.shape[:2], np.float32)
  basis = np.stack([np.ones_like(x), x, y], axis=-1).reshape(-1, 3)
  weights = np.linalg.lstsq(basis, uv.reshape(-1, 2), rcond=None)[0]
  return uv - (basis @ weights).reshape(uv.shape)


def minmax(maps: np.ndarray) -> np.ndarray:
  """[H, W, C] with each channel's smallest value at 0 and largest at 1; 0 where it is constant."""
  low, high = maps.min(axis=(0, 1)), maps.max(axis=(0, 1))
  return (maps - low) / np.where(high > low, high - low, 1)


def fixed(maps: np.ndarray) -> np.ndarray:
  """[H, W, 3] in units of `MOTION_UNIT`, `MOTION_UNIT` and `STRAIN_UNIT`."""
  return maps / np.array([MOTION_UNIT, MOTION_UNIT, STRAIN_UNIT], np.float32)


HEAD_MOTION: dict[str, Callable[[np.ndarray], np.ndarray]] = {
  "keep": lambda uv: uv,
  "translation": without_translation,
  "affine": without_affine,
}
SCALINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"minmax": minmax, "fixed": fixed}
