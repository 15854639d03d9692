"""What one person's face is like: proportions, colours, hair, glasses, light.

Lengths are in face widths (cheek to cheek, about 137 mm), from the point between the eyes: x to the
right of the picture, y down. Means and spreads follow the proportions of adult faces (Farkas,
Anthropometry of the Head and Face, 1994), rounded.
"""

import dataclasses
from typing import Any, NamedTuple

import numpy as np

# Mean and standard deviation of each length among people, in face widths.
LENGTHS = {
  "eye_x": (0.23, 0.010),
  "eye_w": (0.105, 0.008),
  "eye_h": (0.036, 0.006),
  "brow_y": (-0.135, 0.014),
  "brow_w": (0.135, 0.010),
  "brow_h": (0.024, 0.006),
  "brow_tilt": (0.020, 0.015),
  "nose_y": (0.33, 0.018),
  "nose_w": (0.125, 0.014),
  "mouth_y": (0.50, 0.018),
  "mouth_w": (0.185, 0.014),
  "lip": (0.055, 0.010),
  "chin_y": (0.83, 0.030),
  "jaw": (2.8, 0.35),
  "hairline": (-0.50, 0.045),
}
# No length is drawn further from its mean than this many standard deviations.
FURTHEST = 2.0
# Standard deviation of shift x, shift y, log of the extent and turn of the field of an action unit.
MUSCLES = (0.02, 0.02, 0.2, 0.35)


class Proportions(NamedTuple):
  """What decides where a person's face moves: the part of `Identity` that no picture needs.

  Scalars and `anatomy` as there, of numpy or of jax.
  """

  eye_x: Any
  eye_w: Any
  eye_h: Any
  brow_y: Any
  brow_w: Any
  brow_h: Any
  brow_tilt: Any
  nose_y: Any
  nose_w: Any
  mouth_y: Any
  mouth_w: Any
  lip: Any
  chin_y: Any
  jaw: Any
  hairline: Any
  anatomy: Any


@dataclasses.dataclass(frozen=True)
class Identity:
  """One person; see the module for the unit.

  Attributes:
    eye_x: half the distance between the pupils. eye_w, eye_h: half width and height of the opening.
    brow_y: height of the brows above the eyes, negative. brow_w: half length. brow_h: thickness.
    brow_tilt: rise of the outer end. nose_y: underside of the nose. nose_w: half width.
    mouth_y: line of the lips. mouth_w: half width. lip: thickness of the lower lip.
    chin_y: tip of the chin. jaw: 2 (pointed) to 4 (square). hairline: y where the hair begins.
    skin, hair, iris, lips, cloth, wall: BGR in 0..255.
    texture: contrast of the skin. moles: [n, 3] x, y and radius.
    stubble, folds: strength of beard shadow and of the folds from nose to mouth, 0..1.
    glasses: rim thickness, 0 for none. light: direction towards the lamp. ambient: 0..1.
    grain: seed of the fine texture.
    anatomy: [2, 32, 4] by side (left, right) and number of an action unit: shift x, y, log of the
      extent, and turn in radians of its field.
  """

  eye_x: float
  eye_w: float
  eye_h: float
  brow_y: float
  brow_w: float
  brow_h: float
  brow_tilt: float
  nose_y: float
  nose_w: float
  mouth_y: float
  mouth_w: float
  lip: float
  chin_y: float
  jaw: float
  hairline: float
  skin: np.ndarray
  hair: np.ndarray
  iris: np.ndarray
  lips: np.ndarray
  cloth: np.ndarray
  wall: np.ndarray
  texture: float
  moles: np.ndarray
  stubble: float
  folds: float
  glasses: float
  light: np.ndarray
  ambient: float
  grain: int
  anatomy: np.ndarray


# Light to dark; the corpora were recorded in Beijing, Oulu and Manchester.
_SKINS = np.array(
  [
    [178, 200, 232],
    [160, 186, 222],
    [140, 172, 214],
    [122, 158, 204],
    [92, 126, 176],
    [60, 86, 128],
  ],
  np.float32,
)
_HAIRS = np.array([[22, 22, 26], [30, 34, 44], [38, 52, 74], [70, 104, 140], [120, 124, 130]])
_IRISES = np.array([[20, 36, 60], [34, 58, 86], [90, 88, 70], [130, 112, 84]])


def draw_identity(rng: np.random.Generator) -> Identity:
  """Draws one person."""

  def around(mean: float, spread: float) -> float:
    return float(mean + spread * np.clip(rng.normal(), -FURTHEST, FURTHEST))

  tone = int(rng.integers(len(_SKINS)))
  skin = _SKINS[tone] * (1 + 0.02 * rng.normal(size=3))
  side = float(rng.uniform(-0.55, 0.55))
  light = np.array([side, rng.uniform(-0.6, -0.15), 1.0])
  # Dark skin goes with dark hair and eyes; light skin with any.
  shades = np.array([0.4, 0.25, 0.2, 0.1, 0.05]) * (
    [1, 1, 1, 1, 1] if tone < 3 else [1, 1, 0, 0, 0]
  )
  hair = _HAIRS[rng.choice(len(_HAIRS), p=shades / shades.sum())].astype(np.float32)
  iris = _IRISES[rng.choice(2 if tone >= 3 else len(_IRISES))].astype(np.float32)
  moles = np.stack(
    [rng.uniform(-0.38, 0.38, 6), rng.uniform(-0.35, 0.7, 6), rng.uniform(0.004, 0.011, 6)], 1
  )
  return Identity(
    **{name: around(*spread) for name, spread in LENGTHS.items()},
    skin=skin.astype(np.float32),
    hair=hair,
    iris=iris,
    lips=(skin * (0.62, 0.60, 0.80) * rng.uniform(0.92, 1.05)).astype(np.float32),
    cloth=rng.uniform(40, 200, 3).astype(np.float32),
    wall=(rng.uniform(95, 165) * (1 + 0.05 * rng.normal(size=3))).astype(np.float32),
    texture=float(rng.uniform(0.6, 1.4)),
    moles=moles[: rng.integers(0, 7)],
    stubble=float(rng.uniform(0.1, 0.35) if rng.random() < 0.35 else 0.0),
    folds=float(rng.uniform(0.1, 0.8)),
    glasses=float(rng.uniform(0.008, 0.016) if rng.random() < 0.3 else 0.0),
    light=(light / np.linalg.norm(light)).astype(np.float32),
    ambient=float(rng.uniform(0.35, 0.6)),
    grain=int(rng.integers(2**31)),
    anatomy=(rng.normal(size=(2, 32, 4)) * MUSCLES).astype(np.float32),
  )


def proportions(person: Identity) -> Proportions:
  """The proportions of a person."""
  return Proportions(*(getattr(person, name) for name in Proportions._fields))
