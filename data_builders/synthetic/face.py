"""Draws the neutral face of an identity: a shaded relief with skin, hair, eyes, brows, nose, lips.

Everything is painted by soft masks over a grid in face units (see mer_jax.face.anatomy), back to
front. The relief is what the light acts on, so that two people differ in more than their outlines.
"""

import cv2
import numpy as np

from mer_jax.face.anatomy import Identity

LID_LEVELS = 6  # drawn stages from open to closed eyes
Box = tuple[float, float, float, float]  # left, top, right, bottom in face units


def draw_face(person: Identity, box: Box, scale: float, blur: float) -> list[np.ndarray]:
  """The face with its surroundings, once per stage of closing the lids.

  Args:
    person: whom to draw.
    box: the part of the plane to draw, in face units.
    scale: pixels per face width.
    blur: of the lens, standard deviation in pixels; without it the texture would alias when the
      face moves by parts of a pixel.

  Returns:
    `LID_LEVELS` images uint8 [H, W, 3] in BGR, from open to closed.
  """
  canvas = _Canvas.blank(box, scale)
  rng = np.random.default_rng(person.grain)
  _surroundings(canvas, person)
  _skin(canvas, person, rng)
  _mouth(canvas.window(-0.45, 0.2, 0.45, 1.0), person)
  _nostrils(canvas.window(-0.3, 0.0, 0.3, 0.6), person)
  for side in (-1, 1):
    _brow(canvas.window(-0.5, -0.4, 0.5, 0.1), person, side, rng)
  _hair(canvas, person, rng)
  stages = []
  for closed in np.linspace(0, 1, LID_LEVELS):
    stage = _Canvas(canvas.x, canvas.y, canvas.image.copy(), canvas.scale)
    for side in (-1, 1):
      _eye(stage.window(-0.5, -0.2, 0.5, 0.2), person, side, float(closed))
    if person.glasses:
      _glasses(stage.window(-0.62, -0.3, 0.62, 0.35), person)
    stages.append(cv2.GaussianBlur(np.clip(stage.image, 0, 255), (0, 0), blur).astype(np.uint8))
  return stages


class _Canvas:
  """A picture in progress: coordinates x, y [H, W] in face units and image float32 [H, W, 3]."""

  def __init__(self, x: np.ndarray, y: np.ndarray, image: np.ndarray, scale: float) -> None:
    self.x, self.y, self.image, self.scale = x, y, image, scale

  @classmethod
  def blank(cls, box: Box, scale: float) -> "_Canvas":
    width, height = round((box[2] - box[0]) * scale), round((box[3] - box[1]) * scale)
    x = box[0] + (np.arange(width, dtype=np.float32) + 0.5) / scale
    y = box[1] + (np.arange(height, dtype=np.float32) + 0.5) / scale
    return cls(*np.meshgrid(x, y), np.zeros((height, width, 3), np.float32), scale)

  def window(self, left: float, top: float, right: float, bottom: float) -> "_Canvas":
    """The part in that box; painting on it paints on this canvas."""
    columns = slice(*np.searchsorted(self.x[0], (left, right)))
    rows = slice(*np.searchsorted(self.y[:, 0], (top, bottom)))
    return _Canvas(
      self.x[rows, columns], self.y[rows, columns], self.image[rows, columns], self.scale
    )

  def inside(self, distance: np.ndarray, soft: float) -> np.ndarray:
    """Mask that is 1 where `distance` (face units) is negative, with an edge `soft` wide."""
    return np.clip(0.5 - distance / max(soft, 1.5 / self.scale), 0, 1)

  def paint(self, mask: np.ndarray, colour: np.ndarray) -> None:
    self.image += mask[..., None] * (np.asarray(colour, np.float32) - self.image)

  def darken(self, mask: np.ndarray, by: float | np.ndarray) -> None:
    self.image *= 1 - mask[..., None] * by


def _bump(canvas: _Canvas, x: float, y: float, width: float, height: float) -> np.ndarray:
  return np.exp(-0.5 * (((canvas.x - x) / width) ** 2 + ((canvas.y - y) / height) ** 2))


def _surroundings(canvas: _Canvas, p: Identity) -> None:
  x, y = canvas.x, canvas.y
  canvas.image[...] = p.wall * (1.02 - 0.06 * y[..., None] + 0.05 * p.light[0] * x[..., None])
  shoulders = 1.04 + 0.22 * np.clip(np.abs(x) - 0.2, 0, None) ** 1.5 - y
  neck = np.maximum(np.abs(x) - 0.27 - 0.5 * np.clip(y - 0.95, 0, None) ** 1.5, 0.5 - y)
  canvas.paint(canvas.inside(neck, 0.02), p.skin * (0.55 + 0.15 * p.ambient))
  canvas.paint(canvas.inside(shoulders, 0.015), p.cloth)


def _outline(canvas: _Canvas, p: Identity) -> np.ndarray:
  """Signed distance (roughly) to the outline of the head, negative inside."""
  y = canvas.y
  above = np.clip((0.15 - y) / 0.88, 0, 1)
  below = np.clip((y - 0.15) / (p.chin_y - 0.15), 0, 1)
  half = 0.5 * np.sqrt(1 - above**3.2) * (1 - below**p.jaw) ** (1 / 1.9)
  return np.where((y > -0.73) & (y < p.chin_y), np.abs(canvas.x) - half, 0.5)


def _skin(canvas: _Canvas, p: Identity, rng: np.random.Generator) -> None:
  for side in (-1, 1):
    ear = np.hypot((canvas.x - side * 0.505) / 0.05, (canvas.y - 0.09) / 0.13) - 1
    canvas.paint(canvas.inside(ear * 0.06, 0.012), p.skin * 0.72)
  head = canvas.inside(_outline(canvas, p), 0.014)
  albedo = np.broadcast_to(p.skin, canvas.image.shape) * _texture(canvas, p, rng)[..., None]
  red = _bump(canvas, -0.27, 0.24, 0.09, 0.09) + _bump(canvas, 0.27, 0.24, 0.09, 0.09)
  red = red + 0.7 * _bump(canvas, 0, p.nose_y - 0.04, 0.06, 0.05)
  albedo = albedo * (1 - 0.09 * red[..., None] * np.array([1.0, 1.0, 0.2], np.float32))
  if p.stubble:
    beard = _bump(canvas, 0, p.mouth_y + 0.16, 0.26, 0.16) + 0.6 * _bump(
      canvas, 0, p.mouth_y - 0.1, 0.14, 0.04
    )
    speckle = 0.7 + 0.3 * rng.random(canvas.x.shape, dtype=np.float32)
    albedo = albedo * (1 - np.clip(p.stubble * beard * speckle, 0, 0.6)[..., None])
  shaded = albedo * _shade(canvas, p)[..., None]
  canvas.image += head[..., None] * (shaded - canvas.image)
  for x, y, radius in p.moles:
    spot = np.hypot(canvas.x - x, canvas.y - y) - radius
    canvas.darken(canvas.inside(spot, 0.006) * head, 0.5)


def _texture(canvas: _Canvas, p: Identity, rng: np.random.Generator) -> np.ndarray:
  """Factor around 1: pores, mottling and broad blotches of the skin, finest first."""
  height, width = canvas.x.shape
  factor = np.ones((height, width), np.float32)
  for size, contrast in ((0.008, 0.018), (0.03, 0.020), (0.12, 0.030)):
    cell = max(1.0, size * canvas.scale)
    coarse = rng.normal(size=(int(height / cell) + 2, int(width / cell) + 2)).astype(np.float32)
    factor += (
      p.texture * contrast * cv2.resize(coarse, (width, height), None, 0, 0, cv2.INTER_CUBIC)
    )
  return factor


def _relief(canvas: _Canvas, p: Identity) -> np.ndarray:
  """Height of the face towards the camera, in face units."""
  x, y = canvas.x, canvas.y
  middle = 0.12
  reach = np.where(y > middle, p.chin_y - middle + 0.08, middle + 0.86)
  skull = 0.42 * np.sqrt(np.clip(1 - (x / 0.545) ** 2 - ((y - middle) / reach) ** 2, 0.01, 1))
  bridge = np.clip((y + 0.12) / (p.nose_y + 0.06), 0, 1) * (y < p.nose_y)
  ridge = 0.11 * bridge * np.exp(-0.5 * (x / (0.035 + 0.035 * bridge)) ** 2)
  relief = skull + cv2.GaussianBlur(ridge.astype(np.float32), (0, 0), 0.012 * canvas.scale)
  relief += 0.065 * _bump(canvas, 0, p.nose_y - 0.055, 0.062, 0.045)
  for side in (-1, 1):
    relief += 0.038 * _bump(canvas, side * 0.72 * p.nose_w, p.nose_y - 0.04, 0.032, 0.036)
    relief += 0.030 * _bump(canvas, side * 0.27, 0.20, 0.10, 0.08)
    relief += 0.022 * _bump(canvas, side * p.eye_x, p.brow_y + 0.02, 0.13, 0.035)
    relief -= 0.040 * _bump(canvas, side * (p.eye_x - 0.02), 0.0, 0.11, 0.055)
    relief += 0.014 * _bump(canvas, side * p.eye_x, 0.0, 0.075, 0.035)
    relief -= 0.016 * p.folds * _fold(canvas, p, side)
  relief += 0.020 * _bump(canvas, 0, p.mouth_y - 0.45 * p.lip, 0.7 * p.mouth_w, 0.020)
  relief += 0.026 * _bump(canvas, 0, p.mouth_y + 0.55 * p.lip, 0.6 * p.mouth_w, 0.022)
  relief -= 0.022 * _bump(canvas, 0, p.mouth_y + 1.45 * p.lip, 0.11, 0.022)
  relief += 0.030 * _bump(canvas, 0, p.chin_y - 0.12, 0.085, 0.065)
  return relief


def _fold(canvas: _Canvas, p: Identity, side: int) -> np.ndarray:
  """The nasolabial fold: a curve from the wing of the nose past the corner of the mouth."""
  along = np.clip((canvas.y - p.nose_y + 0.06) / (p.mouth_y - p.nose_y + 0.07), 0, 1)
  x = side * (p.nose_w + 0.025 + (p.mouth_w - p.nose_w + 0.035) * along**1.3)
  within = (canvas.y > p.nose_y - 0.06) & (canvas.y < p.mouth_y + 0.02)
  fade = np.sin(np.pi * np.clip(along, 0.03, 0.97))
  return np.exp(-0.5 * ((canvas.x - x) / 0.016) ** 2) * within * fade


def _shade(canvas: _Canvas, p: Identity) -> np.ndarray:
  """Brightness of a matt surface under one lamp and a bright room, around 1."""
  relief = _relief(canvas, p)
  slope_y, slope_x = np.gradient(relief, 1 / canvas.scale)
  normal = np.stack([-slope_x, -slope_y, np.ones_like(relief)], -1)
  normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
  lit = np.clip(normal @ p.light, 0, None)
  return p.ambient * (0.55 + 0.45 * normal[..., 2]) + (1.08 - p.ambient) * lit


def _mouth(canvas: _Canvas, p: Identity) -> None:
  across = np.clip(np.abs(canvas.x) / p.mouth_w, 0, 1)
  bow = 0.010 * (np.cos(np.pi * np.clip(canvas.x / (0.5 * p.mouth_w), -1, 1)) - 1) * 0.5
  line = p.mouth_y + 0.010 * across**2 + 0.3 * bow
  top = line - 0.62 * p.lip * (1 - across**1.7) + 1.1 * bow * -1
  bottom = line + p.lip * (1 - across**2.3)
  present = canvas.inside((np.abs(canvas.x) - p.mouth_w), 0.02)
  upper = canvas.inside(np.maximum(top - canvas.y, canvas.y - line), 0.010) * present
  lower = canvas.inside(np.maximum(line - canvas.y, canvas.y - bottom), 0.012) * present
  light = canvas.image.mean() / max(float(p.skin.mean()), 1.0)
  canvas.paint(0.62 * upper, p.lips * 0.78 * light)
  canvas.paint(0.55 * lower, p.lips * 0.95 * light)
  canvas.paint(0.22 * _bump(canvas, 0.03, p.mouth_y + 0.5 * p.lip, 0.05, 0.010), p.skin * 1.15)
  gap = np.abs(canvas.y - line) - 0.0055 * (1.2 - across)
  canvas.darken(canvas.inside(gap, 0.010) * present, 0.72)
  for side in (-1, 1):
    canvas.darken(_bump(canvas, side * p.mouth_w, p.mouth_y + 0.010, 0.014, 0.011), 0.45)
  canvas.darken(_bump(canvas, 0, p.mouth_y + 1.35 * p.lip, 0.09, 0.014), 0.10)


def _nostrils(canvas: _Canvas, p: Identity) -> None:
  for side in (-1, 1):
    hole = _bump(canvas, side * 0.42 * p.nose_w, p.nose_y - 0.004, 0.021, 0.010)
    canvas.darken(np.clip(1.3 * hole, 0, 1), 0.66)
    wing = np.hypot(
      (canvas.x - side * 0.74 * p.nose_w) / 0.042, (canvas.y - p.nose_y + 0.040) / 0.046
    )
    outer = (side * canvas.x > 0.74 * p.nose_w) | (canvas.y > p.nose_y - 0.02)
    canvas.darken(np.exp(-0.5 * ((wing - 1) / 0.16) ** 2) * outer, 0.24)
  canvas.darken(_bump(canvas, 0, p.nose_y + 0.022, 0.085, 0.016), 0.20)


def _brow(canvas: _Canvas, p: Identity, side: int, rng: np.random.Generator) -> None:
  along = (side * canvas.x - p.eye_x) / p.brow_w  # -1 at the inner end, 1 at the outer
  arch = p.brow_y - p.brow_tilt * (along + 0.3) + 0.030 * np.clip(along, -1, 1.2) ** 2 - 0.012
  thick = p.brow_h * np.clip(1.0 - 0.45 * np.clip(along, -0.4, 1) - 0.1, 0.2, 1)
  shape = np.maximum(np.abs(canvas.y - arch) - thick, (np.abs(along) - 1) * p.brow_w)
  mask = canvas.inside(shape, 0.020)
  hairs = rng.normal(size=canvas.x.shape).astype(np.float32)
  hairs = cv2.GaussianBlur(hairs, (0, 0), 0.004 * canvas.scale + 0.4)
  canvas.paint(np.clip(mask * (0.72 + 0.25 * hairs / hairs.std()), 0, 0.9), p.hair * 0.9)


def _eye(canvas: _Canvas, p: Identity, side: int, closed: float) -> None:
  """Eyeball first, then the upper lid down to where it stands, its lashes and its crease."""
  along = (side * canvas.x - p.eye_x) / p.eye_w
  bend = np.clip(1 - along**2, 0, 1)
  tilt = -0.006 * along
  bottom = 0.55 * p.eye_h * bend**0.8 + tilt
  open_top = -1.05 * p.eye_h * bend**0.65 + tilt
  top = open_top + closed * (bottom - open_top)
  width = (np.abs(along) - 1) * p.eye_w
  lids = canvas.inside(np.maximum(np.maximum(open_top - canvas.y, canvas.y - bottom), width), 0.006)
  opening = canvas.inside(np.maximum(np.maximum(top - canvas.y, canvas.y - bottom), width), 0.008)
  opening = opening * (1 - closed**4)
  skin = cv2.GaussianBlur(canvas.image, (0, 0), 0.02 * canvas.scale)
  light = float(np.clip(skin.mean() / p.skin.mean(), 0.4, 1.1))
  canvas.image += lids[..., None] * (0.93 * skin - canvas.image)
  ball = np.array([205, 212, 220], np.float32) * light * 0.92
  canvas.paint(opening, ball)
  radius = np.hypot(side * canvas.x - p.eye_x, canvas.y + 0.2 * p.eye_h)
  canvas.paint(opening * canvas.inside(radius - 0.044, 0.008), p.iris * (0.6 + 0.4 * light))
  canvas.paint(opening * canvas.inside(radius - 0.019, 0.006), np.array([12, 12, 12]))
  glint = np.hypot(canvas.x - side * p.eye_x - 0.012, canvas.y + 0.2 * p.eye_h + 0.014)
  canvas.paint(opening * canvas.inside(glint - 0.007, 0.006) * 0.85, np.array([240, 240, 240]))
  canvas.darken(opening * np.exp(-np.clip(canvas.y - top, 0, None) / 0.012), 0.45)
  present = canvas.inside(width - 0.008, 0.02)
  lashes = np.abs(canvas.y - top) - 0.0075
  canvas.darken(canvas.inside(lashes, 0.010) * present, 0.78)
  canvas.darken(canvas.inside(np.abs(canvas.y - bottom) - 0.003, 0.010) * present, 0.30)
  crease = np.abs(canvas.y - (open_top - 0.022 + 0.010 * closed)) - 0.003
  canvas.darken(canvas.inside(crease, 0.014) * present, 0.34 * (1 - 0.6 * closed))
  canvas.darken(_bump(canvas, side * p.eye_x, 0.105, 0.10, 0.020), 0.07)


def _hair(canvas: _Canvas, p: Identity, rng: np.random.Generator) -> None:
  x, y = canvas.x, canvas.y
  edge = p.hairline + 0.10 * np.abs(x / 0.4) ** 2 + 3.0 * np.clip(np.abs(x) - 0.41, 0, None)
  edge = edge + 0.012 * np.sin(17 * x + p.grain % 7) + 0.010 * np.sin(41 * x + p.grain % 11)
  cap = np.abs(x / 0.555) ** 2.5 + np.abs((y - 0.12) / 0.90) ** 2.5 - 1
  mask = canvas.inside(np.maximum(cap, y - np.minimum(edge, -0.02)), 0.035)
  strands = rng.normal(size=(4, x.shape[1])).astype(np.float32)
  strands = cv2.resize(strands, (x.shape[1], x.shape[0]), None, 0, 0, cv2.INTER_CUBIC)
  shine = 1 + 0.22 * strands + 0.25 * np.exp(-(((y + 0.62) / 0.10) ** 2))
  canvas.image += mask[..., None] * (p.hair * shine[..., None] - canvas.image)


def _glasses(canvas: _Canvas, p: Identity) -> None:
  for side in (-1, 1):
    lens = (
      (np.abs(canvas.x - side * (p.eye_x + 0.005)) / 0.175) ** 3.2
      + (np.abs(canvas.y - 0.035) / 0.125) ** 3.2
    ) ** (1 / 3.2) - 1
    rim = np.abs(lens) * 0.14 - 0.5 * p.glasses
    canvas.paint(canvas.inside(lens * 0.14, 0.01) * 0.06, np.array([235, 235, 235]))
    canvas.paint(0.88 * canvas.inside(rim, 0.008), 0.25 * p.hair + 22)
  bridge = np.maximum(np.abs(canvas.y + 0.015) - 0.5 * p.glasses, np.abs(canvas.x) - 0.060)
  canvas.paint(0.88 * canvas.inside(bridge, 0.008), 0.25 * p.hair + 22)
