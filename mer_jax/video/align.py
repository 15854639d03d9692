"""From landmarks to an aligned face: one similarity for a stretch of frames."""

import math

import cv2
import numpy as np

from mer_jax.face.anatomy import LENGTHS
from mer_jax.video import regions

# Numbers of landmarks of the mesh, and the places in face widths (face/anatomy.py) that they have
# in the average face: corners of the eyes, underside of the nose, corners of the mouth. The mouth
# counts less because it moves.
OUTER_EYES = (33, 263)
INNER_EYES = (133, 362)
NOSE, CORNERS = 2, (61, 291)
# Half the distance between the outer corners of the eyes, in face widths.
OUTER = LENGTHS["eye_x"][0] + LENGTHS["eye_w"][0]
_INNER = LENGTHS["eye_x"][0] - LENGTHS["eye_w"][0]
_MOUTH = LENGTHS["mouth_w"][0], LENGTHS["mouth_y"][0]
_POINTS = (*OUTER_EYES, *INNER_EYES, NOSE, *CORNERS)
_PLACES = np.array(
  [
    (-OUTER, 0.0),
    (OUTER, 0.0),
    (-_INNER, 0.0),
    (_INNER, 0.0),
    (0.0, LENGTHS["nose_y"][0]),
    (-_MOUTH[0], _MOUTH[1]),
    (_MOUTH[0], _MOUTH[1]),
  ]
)
_WEIGHTS = np.array([1, 1, 1, 1, 1, 0.5, 0.5])


def similarity(points: np.ndarray) -> np.ndarray:
  """What maps places of the average face to pixels of a frame.

  Args:
    points: float [468, 2 or more], landmarks in pixels.

  Returns:
    float64 [2, 3]: turn, size and shift that bring the anatomy nearest to the landmarks in the
    least squares sense; pixels = M[:, :2] @ place + M[:, 2], places in face widths.
  """
  target = points[list(_POINTS), :2].astype(np.float64)
  share = (_WEIGHTS / _WEIGHTS.sum())[:, None]
  middle, target_middle = (share * _PLACES).sum(0), (share * target).sum(0)
  places, target = _PLACES - middle, target - target_middle
  size = (share * places**2).sum()
  cos = (share * places * target).sum() / size
  sin = (share[:, 0] * (places[:, 0] * target[:, 1] - places[:, 1] * target[:, 0])).sum() / size
  turn = np.array([[cos, -sin], [sin, cos]])
  return np.hstack([turn, (target_middle - turn @ middle)[:, None]])


def cut(image: np.ndarray, transform: np.ndarray, size: int = regions.SIZE) -> np.ndarray:
  """The aligned face: uint8 [size, size] that shows regions.FACE_BOX of the face.

  Args:
    image: uint8 [H, W] or [H, W, 3] (BGR). Beyond it its border goes on.
    transform: float [2, 3], see `similarity`.
    size: height and width of the result, pixels.
  """
  left, top, right, bottom = regions.FACE_BOX
  width = float(np.hypot(*transform[:, 0]))
  # Sampled at least as finely as the frame, then averaged down: a plain warp would alias.
  finer = min(4, max(1, math.ceil((bottom - top) * width / size)))
  side = finer * size
  step = np.diag([(right - left) / side, (bottom - top) / side])
  corner = np.array([left, top]) + np.diag(step) / 2
  linear = transform[:, :2] @ step
  shift = transform[:, :2] @ corner + transform[:, 2]
  crop = cv2.warpAffine(
    image,
    np.hstack([linear, shift[:, None]]),
    (side, side),
    flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    borderMode=cv2.BORDER_REPLICATE,
  )
  if crop.ndim == 3:
    crop = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)
  if finer == 1:
    return crop
  return cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA)


def apart(transform: np.ndarray, other: np.ndarray) -> float:
  """How far the corners of the face box lie apart under two transforms, at most, in face widths."""
  left, top, right, bottom = regions.FACE_BOX
  corners = np.array([(x, y, 1) for x in (left, right) for y in (top, bottom)])
  distance = np.linalg.norm(corners @ (transform - other).T, axis=1).max()
  return float(distance / np.hypot(*transform[:, 0]))
