"""Whether a face in a frame can be measured: what keeps it from that, by its landmarks."""

import numpy as np

from mer_jax.video import align
from mer_jax.video.align import OUTER_EYES

# What is said of a frame, in the order of the numbers in arrays; a blink is marked, and measured.
STATES = ("usable", "blinking", "no face", "too small", "too dark", "turned away", "cut", "jump")
USABLE, BLINKING, NO_FACE, TOO_SMALL, TOO_DARK, TURNED, CUT, JUMP = range(len(STATES))
MEASURED = (USABLE, BLINKING)
LEAST_EYES = 80.0  # pixels between the outer corners of the eyes
_DARK, _FLAT = 25.0, 6.0  # gray values: mean and standard deviation of an aligned face
_PROFILE = 0.25  # the nearer edge of the face against the further one, seen from the nose
# Opening of the lids against what it mostly is in this video, and by itself; what it mostly is
# rises and falls by so much from frame to frame: eyes that stay closed must not become the rule.
_CLOSED, _SHUT = 0.65, 0.1
_FALL, _RISE = -0.001, 0.01
_OUTSIDE = 0.04  # share of the landmarks that may lie outside the frame
_NOSE_TIP, _EDGES = 1, (234, 454)


class Judge:
  """Judges the frames of one face; it remembers how far the eyes mostly are open."""

  def __init__(self) -> None:
    self._opening: float | None = None

  def state(
    self, points: np.ndarray, opening: float, crop: np.ndarray, shape: tuple[int, int]
  ) -> int:
    """The state of a frame, an index into `STATES`.

    Args:
      points: float [468, 3], landmarks in pixels.
      opening: of the lids, see Landmarks.opening.
      crop: uint8 [128, 128], the aligned face.
      shape: height and width of the frame.
    """
    state = _of_frame(points, crop, shape)
    if state != USABLE:
      return state
    usual = opening if self._opening is None else self._opening
    self._opening = usual + float(np.clip(opening - usual, _FALL, _RISE))
    return BLINKING if opening < max(_SHUT, _CLOSED * usual) else USABLE


def of_crop(crop: np.ndarray, width: float) -> int:
  """The state of a frame without landmarks: its aligned face, and how wide that is in pixels."""
  if crop.mean() < _DARK or crop.std() < _FLAT:
    return TOO_DARK
  return TOO_SMALL if 2 * align.OUTER * width < LEAST_EYES else USABLE


def _of_frame(points: np.ndarray, crop: np.ndarray, shape: tuple[int, int]) -> int:
  if crop.mean() < _DARK or crop.std() < _FLAT:
    return TOO_DARK
  x, y = points[:, 0], points[:, 1]
  if np.mean((x < 0) | (y < 0) | (x > shape[1] - 1) | (y > shape[0] - 1)) > _OUTSIDE:
    return CUT
  across = [np.linalg.norm(points[_NOSE_TIP, :2] - points[edge, :2]) for edge in _EDGES]
  if min(across) < _PROFILE * max(across):
    return TURNED
  right, left = points[list(OUTER_EYES)]
  # With the depth, so that a face turned a little does not count as small.
  return TOO_SMALL if np.linalg.norm(left - right) < LEAST_EYES else USABLE
