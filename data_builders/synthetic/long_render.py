"""Draws the frames of a long video, fast enough for hours of it.

As in render.py a pixel is read from where it came, but the backward field of a frame starts from
that of the frame before it, lives on a coarser grid, and only knows the action units that move.
"""

from collections.abc import Iterator

import cv2
import numpy as np

from data_builders.synthetic import warp
from data_builders.synthetic.face import LID_LEVELS, Box, draw_face
from data_builders.synthetic.long_formats import LongFormat
from data_builders.synthetic.long_plan import Event, LongMotion
from data_builders.synthetic.render import SENSOR_NOISE, noise_bank, pick_noise
from data_builders.synthetic.scene import View, pixel_grid
from data_builders.synthetic.texture import ClipTextures, Look
from mer_jax.face import action_units
from mer_jax.face.anatomy import Identity

_NODES = 40  # of the coarse grid, per face width: the narrowest pull is 2.3 of them wide
_STEPS = 2  # of the inversion, which begins with the frame before
_PIVOT = np.array([0.0, 0.35], np.float32)


class Sitting:
  """One person in front of one camera.

  Args:
    kind: the format.
    person: who is seen.
    size: face width in pixels.
    rng: draws the view and the light.
  """

  def __init__(
    self, kind: LongFormat, person: Identity, size: int, rng: np.random.Generator
  ) -> None:
    width, height = (round(side * size) for side in kind.frame)
    shift = 0.04 * size * rng.uniform(-1, 1, size=2)
    self.view = View(
      width=width,
      height=height,
      scale=float(size),
      angle=float(np.deg2rad(1.5) * rng.uniform(-1, 1)),
      centre=(float(width / 2 + shift[0]), float(height * kind.eye_line + shift[1])),
    )
    self._person, self._gray = person, not kind.colour
    self._box = self._around(kind)
    self._density = float(size)
    stages = draw_face(person, self._box, self._density, 0.5)
    look = Look(person, ["L4"], np.zeros(1, np.float32), 0.05 * rng.normal(size=3))
    self._textures = ClipTextures(stages, self._box, self._density, self._gray, look)
    self._noise = noise_bank(width, height, 1 if self._gray else 3)

  def frames(self, motion: LongMotion, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yields uint8 [H, W, 3] in BGR, or [H, W] for a gray camera; `rng` draws the noise."""
    view = self.view
    grid = pixel_grid(view.width, view.height)
    start = (view.to_face(grid) - np.array(self._box[:2], np.float32)) * self._density - 0.5
    start = np.ascontiguousarray(start, np.float32)
    for t, backward in enumerate(_Backward(view, self._person, motion)):
      shift = cv2.resize(backward * np.float32(self._density), (view.width, view.height))
      stage = round(float(motion.lids[t]) * (LID_LEVELS - 1))
      clean = warp.read_at(self._textures.stage(stage), cv2.add(start, shift))
      grain = pick_noise(self._noise, view, rng)
      noise = SENSOR_NOISE / 32
      yield cv2.addWeighted(clean, float(motion.gain[t]), grain, noise, -128 * noise)

  def _around(self, kind: LongFormat) -> Box:
    width, height = kind.frame
    above = kind.eye_line * height
    return (-width / 2 - 0.2, -above - 0.2, width / 2 + 0.2, height - above + 0.2)


class _Backward:
  """Iterates over float32 [h, w, 2]: from a node of the coarse grid to its origin, face widths."""

  def __init__(self, view: View, person: Identity, motion: LongMotion) -> None:
    self._person, self._motion = person, motion
    rows = max(8, round(view.height / view.scale * _NODES))
    columns = max(8, round(view.width / view.scale * _NODES))
    nodes = pixel_grid(columns, rows, view.width, view.height)
    self._place = view.to_face(nodes).astype(np.float32)
    self._grid = pixel_grid(columns, rows)
    # From face widths to steps of the grid; rows and columns are equally far apart.
    self._to_grid = view.turn(1) * np.float32(view.scale * columns / view.width)
    x, y = self._place[..., 0], self._place[..., 1]
    self._depth = _depth(person, x, y)
    outside = np.clip((np.hypot(x / 0.62, (y - 0.1) / 0.95) - 1) / 0.5, 0, 1)
    self._fade = (1 - outside * outside * (3 - 2 * outside))[..., None].astype(np.float32)

  def __iter__(self) -> Iterator[np.ndarray]:
    waiting, active = list(reversed(self._motion.events)), []
    backward = np.zeros_like(self._place)
    for t, head in enumerate(self._motion.head):
      while waiting and waiting[-1].start <= t:
        active.append(self._with_fields(waiting.pop()))
      active = [(event, fields) for event, fields in active if t < event.behind]
      forward = self._forward(t, head, active)
      for _ in range(_STEPS):
        at = cv2.add(self._grid, cv2.transform(backward, self._to_grid))
        backward = -warp.read_at(forward, at)
      yield backward

  def _with_fields(self, event: Event) -> tuple[Event, np.ndarray]:
    x, y = self._place[..., 0], self._place[..., 1]
    return event, action_units.fields(event.names, self._person, x, y)

  def _forward(self, t: int, head: np.ndarray, active: list) -> np.ndarray:
    """float32 [h, w, 2] in face widths: expressions, then the head as a rigid body with depth."""
    skin = self._place
    for event, fields in active:
      skin = skin + np.tensordot(event.weights[t - event.start], fields, 1).astype(np.float32)
    right, down, turn, growth, side, up = map(float, head)
    cos, sin = (1 + growth) * np.cos(turn), (1 + growth) * np.sin(turn)
    # x' = x cos(side) + depth sin(side), likewise y, then the turn in the picture.
    ahead = np.array([[cos, -sin], [sin, cos]]) @ np.diag([np.cos(side), np.cos(up)])
    moved = cv2.transform(skin - _PIVOT, ahead.astype(np.float32))
    moved += self._depth[..., None] * np.array([np.sin(side), np.sin(up)], np.float32)
    moved += _PIVOT + np.array([right, down], np.float32)
    return self._fade * (moved - self._place)


def _depth(p: Identity, x: np.ndarray, y: np.ndarray) -> np.ndarray:
  """float32 [h, w]: how far the face stands out towards the camera, face widths."""
  reach = np.where(y > 0.12, p.chin_y - 0.04, 0.98)
  skull = 0.45 * np.sqrt(np.clip(1 - (x / 0.545) ** 2 - ((y - 0.12) / reach) ** 2, 0.0, 1))
  along = np.clip((y + 0.1) / (p.nose_y + 0.04), 0, 1) * np.clip((p.nose_y + 0.05 - y) / 0.08, 0, 1)
  nose = 0.13 * along * np.exp(-0.5 * (x / (0.5 * p.nose_w)) ** 2)
  return (skull + nose).astype(np.float32)
