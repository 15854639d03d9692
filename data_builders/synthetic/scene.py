"""A clip ready to be drawn, and the geometry of its motion.

A point p of the onset frame moves to q = p + d(p): the expression first, then the head.
"""

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from data_builders.synthetic import plan, warp
from data_builders.synthetic.corpora import Corpus
from data_builders.synthetic.plan import PlannedClip
from mer_jax.face import action_units, timing
from mer_jax.face.anatomy import Identity, draw_identity

_NODES = 64  # of the coarse grid, per face width
_MEDIAN_PEAK = 1.0
_PIVOT = np.array([0.0, 0.35], np.float32)  # the head turns about a point behind the mouth


@dataclasses.dataclass(frozen=True)
class View:
  """How a camera sees a face in one clip.

  Attributes:
    width, height: of the frame in pixels.
    scale: pixels per face width.
    angle: radians the face is turned in the picture.
    centre: pixel where the point between the eyes lies.
  """

  width: int
  height: int
  scale: float
  angle: float
  centre: tuple[float, float]

  def turn(self, sign: int) -> np.ndarray:
    """[2, 2] rotation from face axes to pixel axes (sign 1) or back (-1)."""
    cos, sin = np.cos(self.angle), sign * np.sin(self.angle)
    return np.array([[cos, -sin], [sin, cos]], np.float32)

  def to_face(self, pixels: np.ndarray) -> np.ndarray:
    """[..., 2] pixel positions (x, y) in face units."""
    return (pixels - np.array(self.centre, np.float32)) @ self.turn(-1).T / self.scale


@dataclasses.dataclass(frozen=True)
class Scene:
  """One clip ready to be rendered: identity, view and motion; `amplitude` scales the fields."""

  clip: PlannedClip
  person: Identity
  view: View
  motion: timing.Motion
  amplitude: float


class Setting(NamedTuple):
  """What all clips of a corpus have in common: kind of tree, face width in pixels, and so on."""

  corpus: Corpus
  tree: str
  size: int
  intensity: float
  seed: int

  def stream(self, purpose: int, *place: int) -> np.random.Generator:
    return plan.stream(self.seed, self.corpus, purpose, *place)


def compose(setting: Setting, clip: PlannedClip) -> Scene:
  """Draws everything about a clip that is not pixels."""
  # HS, VIS and NIR recorded the same act: its motion has the stream of the clip, not of the camera.
  act = setting.stream(plan.MOTION, clip.subject, clip.index)
  nuisance = setting.stream(plan.NUISANCE, clip.subject, clip.index, clip.camera_number)
  person = draw_identity(setting.stream(plan.IDENTITY, clip.subject))
  view = _view(setting, nuisance)
  frames, apex = clip.num_frames, clip.apex - clip.onset
  names, weights, profile = timing.draw_timing(clip.units, frames, apex, act)
  # Peak of the whole expression in pixels of a 128 px face, always within 0.3 to 3.
  peak = np.clip(np.exp(act.normal(np.log(_MEDIAN_PEAK), 0.45)), 0.3, 3.0) * setting.intensity
  at_apex = expressed(person, names, weights[apex], face_grid())
  amplitude = peak / 128 / np.linalg.norm(at_apex, axis=-1).max()
  stray, stray_weights = timing.draw_stray(frames, act)
  moving = timing.Motion(
    names + stray,
    np.concatenate([weights, stray_weights], 1),
    np.arange(len(names) + len(stray)) < len(names),
    profile,
    timing.draw_head(frames, clip.fps, nuisance),
    timing.draw_lids(frames, clip.fps, nuisance),
    timing.draw_gain(frames, clip.fps, nuisance),
  )
  return Scene(clip, person, view, moving, float(amplitude))


def _view(setting: Setting, rng: np.random.Generator) -> View:
  corpus, tree, size = setting.corpus, setting.tree, setting.size
  width, height = (round(side * size) for side in corpus.frame[tree])
  # A registered crop puts the face nearly in the same place; in a raw frame people sit anywhere.
  loose = 0.012 if tree == "cropped" else 0.06
  shift = loose * size * rng.uniform(-1, 1, size=2)
  centre = (width / 2 + shift[0], height * corpus.eye_line[tree] + shift[1])
  return View(
    width=width,
    height=height,
    scale=float(size * (1 + 0.02 * rng.uniform(-1, 1))),
    angle=float(np.deg2rad(1.5) * rng.uniform(-1, 1)),
    centre=(float(centre[0]), float(centre[1])),
  )


def displacement(scene: Scene, t: int, stride: int = 1) -> np.ndarray:
  """The true motion from the onset frame to frame t.

  Args:
    scene: the clip.
    t: index of the frame.
    stride: every how many pixels; entry [i, j] belongs to pixel row i * stride + (stride - 1) / 2.

  Returns:
    float32 [H // stride, W // stride, 2] in pixels of the written frame, u right, v down, at the
    place where the point lies in the onset frame. Expression and head; not the lids of a blink.
  """
  rows, columns = scene.view.height // stride, scene.view.width // stride
  grid = pixel_grid(columns, rows) * stride + np.float32((stride - 1) / 2)
  place = scene.view.to_face(grid)
  return _forward(scene, t, place, _fields(scene, place))


def backward_fields(scene: Scene) -> Iterator[np.ndarray]:
  """For every frame, float32 [h, w, 2] in pixels: from a node of the coarse grid to its origin."""
  view = scene.view
  rows = max(8, round(view.height / view.scale * _NODES))
  columns = max(8, round(view.width / view.scale * _NODES))
  place = view.to_face(pixel_grid(columns, rows, view.width, view.height))
  fields = _fields(scene, place)
  cell = np.array([view.width / columns, view.height / rows], np.float32)
  for t in range(scene.clip.num_frames):
    yield warp.invert(_forward(scene, t, place, fields) / cell) * cell


def _fields(scene: Scene, place: np.ndarray) -> np.ndarray:
  fields = action_units.fields(scene.motion.names, scene.person, place[..., 0], place[..., 1])
  return np.float32(scene.amplitude) * fields


def _forward(scene: Scene, t: int, place: np.ndarray, fields: np.ndarray) -> np.ndarray:
  """float32 [..., 2] in pixels: expression, then head, fading out where the head ends."""
  moved_skin = place + np.tensordot(scene.motion.weights[t], fields, 1)
  right, down, turn, growth = scene.motion.head[t]
  cos, sin = (1 + growth) * np.cos(turn), (1 + growth) * np.sin(turn)
  rotation = np.array([[cos, -sin], [sin, cos]], np.float32)
  moved = (moved_skin - _PIVOT) @ rotation.T + _PIVOT + np.array([right, down], np.float32)
  outside = np.hypot(place[..., 0] / 0.62, (place[..., 1] - 0.1) / 0.95) - 1
  stays = np.clip(outside / 0.5, 0, 1)
  fade = 1 - stays * stays * (3 - 2 * stays)
  return (fade[..., None] * (moved - place)) @ scene.view.turn(1).T * np.float32(scene.view.scale)


def expressed(
  person: Identity, names: list[str], weights: np.ndarray, place: np.ndarray
) -> np.ndarray:
  return np.tensordot(weights, action_units.fields(names, person, place[..., 0], place[..., 1]), 1)


def face_grid() -> np.ndarray:
  x, y = np.meshgrid(np.linspace(-0.5, 0.5, 51), np.linspace(-0.4, 0.85, 63))
  return np.stack([x, y], -1).astype(np.float32)


def pixel_grid(
  columns: int, rows: int, width: int | None = None, height: int | None = None
) -> np.ndarray:
  """float32 [rows, columns, 2]: centres of a grid laid over width x height pixels, as (x, y)."""
  x = (np.arange(columns) + 0.5) * ((width or columns) / columns) - 0.5
  y = (np.arange(rows) + 0.5) * ((height or rows) / rows) - 0.5
  return np.stack(np.meshgrid(x, y), -1).astype(np.float32)
