"""Dense optical flow between pairs of gray frames, by one of three methods.

TV-L1 (see tv_l1.py) is what most published systems use; DIS (Kroeger et al., ECCV 2016) and
Farneback's method (SCIA 2003) are OpenCV's.
"""

from collections.abc import Callable

import cv2
import numpy as np

from mer_jax import checks
from mer_jax.errors import DataError
from mer_jax.inputs.threads import on_all_cores
from mer_jax.inputs.tv_l1 import tv_l1


def between(before: np.ndarray, after: np.ndarray, method: str) -> np.ndarray:
  """The flow of many pairs of frames, computed on all cores or on the accelerator.

  A pair alone has the bits that it has among others.

  Args:
    before, after: [B, H, W] gray values in 0..255, uint8 or a float dtype. DIS rounds them.
    method: a key of `METHODS`.

  Returns:
    float32 [B, H, W, 2]: what stands at (x, y) in `before` stands at (x + u, y + v) in `after`; in
    pixels of these frames, v points down.

  Raises:
    ConfigError: an unknown method.
    DataError: the frames do not pair up.
  """
  checks.check_choice("method", method, METHODS)
  if before.shape != after.shape or before.ndim != 3:
    raise DataError(
      "Optical flow needs two arrays [B, H, W] of the same shape; got"
      f" {list(before.shape)} and {list(after.shape)}."
    )
  return METHODS[method](before, after)


def dis(before: np.ndarray, after: np.ndarray) -> np.ndarray:
  """Dense inverse search between two gray frames [H, W]: float32 [H, W, 2] in pixels."""
  before, after = (_rounded(frame) for frame in (before, after))
  search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
  search.setFinestScale(0)  # the presets stop at half the resolution; this motion is below it
  return search.calc(before, after, np.zeros((*before.shape, 2), np.float32))


def _rounded(frame: np.ndarray) -> np.ndarray:
  return frame if frame.dtype == np.uint8 else np.clip(np.rint(frame), 0, 255).astype(np.uint8)


def farneback(before: np.ndarray, after: np.ndarray) -> np.ndarray:
  """Farneback's polynomial expansion, gray frames [H, W] twice: float32 [H, W, 2] in pixels."""
  if np.array_equal(before, after):  # near the border it would see up to 0.1 pixels of motion
    return np.zeros((*before.shape, 2), np.float32)
  if before.dtype != np.uint8 or after.dtype != np.uint8:
    before, after = before.astype(np.float32), after.astype(np.float32)
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


def of_each_pair(
  method: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
  """A method for [H, W] and [H, W] as one for [B, H, W] and [B, H, W]."""

  def of_many(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    uv = np.empty((*before.shape, 2), np.float32)
    for b, field in enumerate(on_all_cores(method, before, after)):
      uv[b] = field
    return uv

  return of_many


METHODS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
  "dis": of_each_pair(dis),
  "farneback": of_each_pair(farneback),
  "tv_l1": tv_l1,
}
