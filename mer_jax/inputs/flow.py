"""flow: optical flow from onset to apex and its strain, the input of STSTNet and its relatives.

Liong et al., "Shallow Triple Stream Three-dimensional CNN (STSTNet) for Micro-expression
Recognition", FG 2019, with OpenCV's DIS (Kroeger et al., ECCV 2016) or Farneback's method (SCIA
2003) in the place of TV-L1.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from multiprocessing.pool import ThreadPool

import cv2
import numpy as np

from mer_jax import errors, options
from mer_jax.clips import GRAY, Clips
from mer_jax.inputs.channels import reads
from mer_jax.inputs.resize import resized
from mer_jax.progress import progress

REFERENCE_WIDTH = 128  # pixels; flow is given in pixels of a face this wide
SMALLEST_WIDTH = 16  # pixels; below it the patches of DIS do not fit
MOTION_UNIT = 3.0  # pixels at 128: the upper end of what a micro-expression moves
STRAIN_UNIT = 0.1  # 3 pixels spread over 30, about the width of a mouth corner or half a brow


@reads(GRAY)
def flow(
  clips: Clips,
  *,
  size: int = 28,
  method: str = "dis",
  # STSTNet's images are scaled so. "fixed" keeps how large the motion was.
  scaling: str = "minmax",
  # Published maps contain the head's motion too. "translation" and "affine" take it out.
  head_motion: str = "keep",
  allow_small: bool = False,
) -> dict[str, np.ndarray]:
  """Horizontal flow u, vertical flow v and optical strain between onset and apex.

  The flow is computed on the stored frames and then averaged down: micro-expressions move less
  than a pixel of 28x28. A clip whose apex is its onset has no motion, so zero flow.

  Args:
    clips: Clips [N] of gray frames of at least 128 x 128 pixels.
    size: H = W of the result, pixels.
    method: "dis" or "farneback".
    scaling: "minmax": each clip's channel to 0..1 on its own; "fixed": u and v in units of 3 pixels
      of a 128 pixels wide face, strain in units of 0.1.
    head_motion: "keep"; "translation": subtract the median of u and of v; "affine": subtract the
      affine motion that fits the flow best in the least squares sense.
    allow_small: accept smaller frames, in which sub-pixel motion is mostly lost.

  Returns:
    image: float32 [N, H, W, 3], channels u, v, strain. v points down.

  Raises:
    ConfigError: frames below 128 pixels, or a value that is not listed above.
  """
  options.check_choice("scaling", scaling, SCALINGS)
  check_flow(clips, size, method, head_motion, allow_small)

  def image_of(n: int) -> np.ndarray:
    frames = clips.frames_of(n)[..., 0]
    maps = maps_between(frames[clips.onset[n]], frames[clips.apex[n]], size, method, head_motion)
    return SCALINGS[scaling](maps)

  image = np.empty((len(clips), size, size, 3), np.float32)
  for n, result in enumerate(of_each_clip(image_of, len(clips))):
    image[n] = result
  return {"image": image}


def check_flow(clips: Clips, size: int, method: str, head_motion: str, allow_small: bool) -> None:
  """Refuses frames too small for optical flow and options that `maps_between` does not know.

  Raises:
    ConfigError: frames below 128 pixels (16 with `allow_small`), or an unknown value.
  """
  options.check_at_least("size", size, 1)
  options.check_choice("method", method, METHODS)
  options.check_choice("head_motion", head_motion, HEAD_MOTION)
  height, width = clips.frames.shape[1:3]
  least = SMALLEST_WIDTH if allow_small else REFERENCE_WIDTH
  if min(height, width) < least:
    raise errors.ConfigError(
      f"Optical flow needs frames of at least {least} x {least} pixels; these are {width} x"
      f" {height}. Build the dataset with --config frames128 and load that one"
      + ("." if allow_small else ", or set allow_small=True.")
    )


def of_each_clip(function: Callable[[int], np.ndarray], num_clips: int) -> Iterator[np.ndarray]:
  """Yields `function(n)` for n = 0..num_clips - 1 in order, computed on all cores, with a bar."""
  bar = progress(num_clips, "optical flow", "clip")
  with one_thread_in_opencv(), bar, ThreadPool(os.cpu_count()) as pool:
    for result in pool.imap(function, range(num_clips)):
      yield result
      bar.update()


def maps_between(
  before: np.ndarray, after: np.ndarray, size: int, method: str, head_motion: str
) -> np.ndarray:
  """u, v and strain of the motion between two gray frames, averaged down.

  Args:
    before, after: uint8 [H, W].
    size: H = W of the result, pixels.
    method: a key of `METHODS`.
    head_motion: a key of `HEAD_MOTION`.

  Returns:
    float32 [size, size, 3]: u and v in pixels of a face 128 wide, strain without unit.
  """
  pixel = np.float32(REFERENCE_WIDTH / before.shape[1])  # of the frame, in pixels at 128
  uv = HEAD_MOTION[head_motion](pixel * METHODS[method](before, after))
  maps = np.dstack([uv, strain(uv) / pixel])
  return resized(maps[None], size)[0]


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


def dis(before: np.ndarray, after: np.ndarray) -> np.ndarray:
  """Dense inverse search between two gray frames, uint8 [H, W]: float32 [H, W, 2] in pixels."""
  search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
  search.setFinestScale(0)  # the presets stop at half the resolution; this motion is below it
  return search.calc(before, after, np.zeros((*before.shape, 2), np.float32))


def farneback(before: np.ndarray, after: np.ndarray) -> np.ndarray:
  """Farneback's polynomial expansion, uint8 [H, W] twice: float32 [H, W, 2] in pixels."""
  if np.array_equal(before, after):  # near the border it would see up to 0.1 pixels of motion
    return np.zeros((*before.shape, 2), np.float32)
  return cv2.calcOpticalFlowFarneback(
    before,
    after,
    np.zeros((*before.shape, 2), np.float32),
    pyr_scale=0.5,
    levels=3,
    winsize=15,
    iterations=3,
    poly_n=5,
    poly_sigma=1.2,
    flags=0,
  )


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


METHODS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
  "dis": dis,
  "farneback": farneback,
}
HEAD_MOTION: dict[str, Callable[[np.ndarray], np.ndarray]] = {
  "keep": lambda uv: uv,
  "translation": without_translation,
  "affine": without_affine,
}
SCALINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"minmax": minmax, "fixed": fixed}


@contextlib.contextmanager
def one_thread_in_opencv() -> Iterator[None]:
  """OpenCV's own threads off and back on: the clips already occupy every core."""
  threads = cv2.getNumThreads()
  cv2.setNumThreads(1)
  try:
    yield
  finally:
    cv2.setNumThreads(threads)
