"""Where an aligned face is looked at: regions that move, places that only move with the head.

An aligned face is a gray crop of `SIZE` x `SIZE` pixels that shows `FACE_BOX` of the face. The box
is that of published flow maps, on which the shipped networks have learned (face/drawn.py): pupils
.475 of the width apart and .335 below the upper edge, lips .39 below them.
"""

import functools

import numpy as np

from mer_jax.face.anatomy import LENGTHS

SIZE = 128  # pixels
_EYE_X, _MOUTH_Y = LENGTHS["eye_x"][0], LENGTHS["mouth_y"][0]
_WIDTH, _HEIGHT = 2 * _EYE_X / 0.475, _MOUTH_Y / 0.39
# Left, top, right, bottom in face widths from the point between the eyes, see face/anatomy.py.
FACE_BOX = (-_WIDTH / 2, -0.335 * _HEIGHT, _WIDTH / 2, 0.665 * _HEIGHT)
# Centre x, y and half axes of the ellipse that is looked at, in face widths; the left of the person
# is at positive x. Upper and lower lip are apart because they move against each other.
_ELLIPSES = {
  "left inner brow": (0.15, -0.145, 0.075, 0.065),
  "left outer brow": (0.30, -0.145, 0.085, 0.065),
  "right inner brow": (-0.15, -0.145, 0.075, 0.065),
  "right outer brow": (-0.30, -0.145, 0.085, 0.065),
  "left eyelids": (0.23, 0.0, 0.11, 0.055),
  "right eyelids": (-0.23, 0.0, 0.11, 0.055),
  "nose": (0.0, 0.24, 0.13, 0.09),
  "left mouth corner": (0.19, 0.50, 0.065, 0.065),
  "right mouth corner": (-0.19, 0.50, 0.065, 0.065),
  "upper lip": (0.0, 0.46, 0.11, 0.035),
  "lower lip": (0.0, 0.545, 0.11, 0.035),
  "chin": (0.0, 0.70, 0.11, 0.07),
}
REGIONS = tuple(_ELLIPSES)  # the order of arrays over R
EYELIDS = tuple(name for name in REGIONS if "eyelids" in name)
# Hardly any muscle ends here: the bridge of the nose, the edges of the forehead, the temples, and
# the sides of the cheeks, without which the lower face would be an extrapolation.
_RIGID = (
  (0.0, 0.06, 0.06, 0.12),
  (0.40, -0.30, 0.06, 0.12),
  (-0.40, -0.30, 0.06, 0.12),
  (0.0, -0.36, 0.30, 0.06),
  (0.42, 0.05, 0.05, 0.10),
  (-0.42, 0.05, 0.05, 0.10),
  (0.39, 0.30, 0.05, 0.13),
  (-0.39, 0.30, 0.05, 0.13),
  (0.34, 0.53, 0.05, 0.08),
  (-0.34, 0.53, 0.05, 0.08),
)


def to_crop(x: np.ndarray | float, y: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
  """Places in face widths as pixels (column, row) of an aligned face."""
  left, top, right, bottom = FACE_BOX
  column = (np.asarray(x) - left) / (right - left) * SIZE - 0.5
  return column, (np.asarray(y) - top) / (bottom - top) * SIZE - 0.5


@functools.cache
def places() -> np.ndarray:
  """float32 [H, W, 2]: where the pixels of an aligned face lie, x and y in face widths."""
  left, top, right, bottom = FACE_BOX
  share = (np.arange(SIZE, dtype=np.float32) + 0.5) / SIZE
  x, y = left + share * (right - left), top + share * (bottom - top)
  return np.stack(np.meshgrid(x, y), -1).astype(np.float32)


@functools.cache
def weights() -> np.ndarray:
  """float32 [R, H W]: a mean over the pixels of each region, in the order of `REGIONS`."""
  rows = np.stack([_inside(ellipse).ravel() for ellipse in _ELLIPSES.values()])
  return (rows / rows.sum(axis=1, keepdims=True)).astype(np.float32)


@functools.cache
def rigid() -> np.ndarray:
  """bool [H, W]: pixels that only move with the head."""
  return np.any([_inside(ellipse) for ellipse in _RIGID], axis=0)


def _inside(ellipse: tuple[float, float, float, float]) -> np.ndarray:
  centre_x, centre_y, half_width, half_height = ellipse
  across = (places()[..., 0] - centre_x) / half_width
  return across**2 + ((places()[..., 1] - centre_y) / half_height) ** 2 <= 1
