"""How far each region of a face has moved, frame by frame, without the motion of the head."""

import dataclasses
import functools
import threading
from typing import NamedTuple

import cv2
import numpy as np

from mer_jax.video import regions

LEAST_RATE = 30.0  # Hz: a micro-expression of a fifth of a second still has six samples
WINDOW = 1 / 3  # seconds over which motion is measured
KEYFRAME = 2.0  # seconds after which motion is measured against a new frame
# Squared gradient, gray values a pixel, below which a region has too little texture to be followed.
_RIDGE = 2.0
_local = threading.local()  # the search holds buffers, so every thread needs its own


@dataclasses.dataclass(frozen=True)
class MotionCurves:
  """What moved in a video of T measured frames.

  Attributes:
    time: float64 [T], seconds.
    frame: int64 [T], index of the frame in the video.
    position: float32 [T, R, 2], where each region is, against where it was in the first frame of
      its stretch: u right, v down, in pixels of an aligned face.
    head: float32 [T, 6], factors of the head's motion, see `head_motion`, since then.
    motion: float32 [T, R], how far it has moved within the last third of a second, pixels.
    usable: bool [T], whether there was a face to measure.
    stretch: int64 [T], number of the stretch of usable frames; positions of different stretches
      cannot be compared.
    fps: measured frames per second.
  """

  time: np.ndarray
  frame: np.ndarray
  position: np.ndarray
  head: np.ndarray
  motion: np.ndarray
  usable: np.ndarray
  stretch: np.ndarray
  fps: float


def stride_of(fps: float) -> int:
  """Every how many frames motion is measured: as few as leave `LEAST_RATE` a second."""
  return max(1, int((fps + 0.5) // LEAST_RATE))


class _Row(NamedTuple):
  """One measured frame: position [R, 2] and head [6] against the first of its stretch."""

  time: float
  frame: int
  position: np.ndarray
  head: np.ndarray
  usable: bool
  stretch: int


class RegionMotion:
  """Measures the regions of one face, frame after frame.

  Motion is dense optical flow (DIS) against a keyframe, which is replaced every `KEYFRAME` seconds;
  memory holds two crops and the curves.

  Args:
    fps: frames per second of the video.
  """

  def __init__(self, fps: float) -> None:
    self._stride = stride_of(fps)
    self._fps = fps / self._stride
    self._added = 0
    self._rows: list[_Row] = []
    self._key: tuple[np.ndarray, _Row] | None = None
    self._last: tuple[np.ndarray, _Row] | None = None
    self._stretch = 0

  def add(self, crop: np.ndarray | None, time: float) -> None:
    """Measures the next frame.

    Args:
      crop: uint8 [128, 128], the aligned face; None: the frame has no usable one.
      time: seconds, increasing.
    """
    index, self._added = self._added, self._added + 1
    if index % self._stride:
      return
    position, head = np.zeros((len(regions.REGIONS), 2), np.float32), np.zeros(6, np.float32)
    if crop is None:
      self._stretch += self._last is not None
      self._rows.append(_Row(time, index, position, head, False, self._stretch))
      self._key = self._last = None
      return
    if self._key is not None:
      key_crop, key = self._key
      moved, turned = region_motion(key_crop, crop)
      position, head = key.position + moved, key.head + turned
    row = _Row(time, index, position, head, True, self._stretch)
    if self._key is None or time - self._key[1].time >= KEYFRAME:
      self._key = crop, row
    self._last = crop, row
    self._rows.append(row)

  def new_window(self) -> None:
    """The alignment changes with the next frame: its flow is measured against the last frame."""
    if self._last is not None:
      self._key = self._last[0], self._last[1]._replace(time=-np.inf)

  def curves(self) -> MotionCurves:
    """What was measured so far."""
    count, rows = len(regions.REGIONS), self._rows
    position = np.array([row.position for row in rows], np.float32).reshape(-1, count, 2)
    usable = np.array([row.usable for row in rows], bool)
    stretch = np.array([row.stretch for row in rows], np.int64)
    return MotionCurves(
      time=np.array([row.time for row in rows], np.float64),
      frame=np.array([row.frame for row in rows], np.int64),
      position=position,
      head=np.array([row.head for row in rows], np.float32).reshape(-1, 6),
      motion=windowed(position, usable, stretch, max(1, round(WINDOW * self._fps))),
      usable=usable,
      stretch=stretch,
      fps=self._fps,
    )


def windowed(
  position: np.ndarray, usable: np.ndarray, stretch: np.ndarray, window: int
) -> np.ndarray:
  """float32 [T, R]: the distance of `position` [T, R, 2] from `window` frames earlier.

  At the beginning of a stretch it is that from the stretch's first frame; 0 where not usable.
  """
  index = np.arange(len(position))
  first = np.searchsorted(stretch, stretch, side="left")
  # A stretch may begin with frames that are not usable.
  starts = np.maximum.accumulate(np.where(usable & ~np.r_[False, usable[:-1]], index, 0))
  before = np.maximum.reduce([index - window, first, starts])
  moved = np.linalg.norm(position - position[before], axis=-1)
  return np.where(usable[:, None], moved, 0).astype(np.float32)


def region_motion(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Displacement of each region between two aligned faces, the head's motion removed.

  The mean of the flow in each region, and what Lucas and Kanade's method finds left of it: dense
  flow is smooth and loses up to half of a motion below a pixel.

  Args:
    before, after: uint8 [128, 128].

  Returns:
    float32 [R, 2] in pixels, u right and v down; and the head's motion, float32 [6].
  """
  uv = flow(before, after)
  head = head_motion(uv)
  means = regions.weights() @ uv.reshape(-1, 2) + _left_over(before, after, uv)
  return means - np.einsum("rck,k->rc", _basis_of_regions(), head), head


def _left_over(before: np.ndarray, after: np.ndarray, uv: np.ndarray) -> np.ndarray:
  """float32 [R, 2]: one shift of each region between `before` and `after` moved back by `uv`."""
  no_map = np.empty(0, np.float32)  # OpenCV's convention where positions hold both coordinates
  back = cv2.remap(after, _pixels() + uv, no_map, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
  first, second = (cv2.GaussianBlur(x, (0, 0), 1.0).astype(np.float32) for x in (before, back))
  mean = (first + second) / 2
  x, y = (cv2.Sobel(mean, cv2.CV_32F, *axis, scale=1 / 8).ravel() for axis in ((1, 0), (0, 1)))
  change = (second - first).ravel()
  # Means over each region; a change of brightness is taken out by their covariances.
  mean_x, mean_y, mean_t = (regions.weights() @ np.stack([x, y, change], 1)).T
  products = np.stack([x * x, x * y, y * y, x * change, y * change], 1)
  xx, xy, yy, xt, yt = (regions.weights() @ products).T
  xx, xy, yy = xx - mean_x**2 + _RIDGE, xy - mean_x * mean_y, yy - mean_y**2 + _RIDGE
  xt, yt = xt - mean_x * mean_t, yt - mean_y * mean_t
  determinant = xx * yy - xy**2
  return np.stack([xy * yt - yy * xt, xy * xt - xx * yt], 1) / determinant[:, None]


@functools.cache
def _pixels() -> np.ndarray:
  """float32 [H, W, 2]: x and y of each pixel."""
  return np.stack(np.meshgrid(*[np.arange(regions.SIZE, dtype=np.float32)] * 2), -1)


def flow(before: np.ndarray, after: np.ndarray) -> np.ndarray:
  """Dense inverse search at half the resolution, float32 [H, W, 2] in pixels."""
  if not hasattr(_local, "search"):
    _local.search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    _local.search.setFinestScale(1)
  return _local.search.calc(before, after, np.zeros((*before.shape, 2), np.float32))


def without_head(uv: np.ndarray) -> np.ndarray:
  """`uv` [H, W, 2] minus the motion of the head in it."""
  return uv - np.einsum("hwck,k->hwc", _head_basis(), head_motion(uv))


def head_motion(uv: np.ndarray) -> np.ndarray:
  """The motion of a rigid head that fits `uv` [H, W, 2] best where faces are rigid, float32 [6].

  Factors of shifts to the right and down, of turn and growth in the picture, and of turns to the
  side and up, which move what is nearer to the camera further; the depth is that of an average
  face. Least squares, and again without the third of the values that fit worst.
  """
  rows, basis = _rigid_basis()
  values = uv.reshape(-1)[rows]
  motion = _least_squares(basis, values)
  wrong = np.abs(values - basis @ motion)
  kept = wrong <= np.partition(wrong, 2 * len(wrong) // 3)[2 * len(wrong) // 3]
  return _least_squares(basis[kept], values[kept])


def _least_squares(basis: np.ndarray, values: np.ndarray) -> np.ndarray:
  return np.linalg.solve(basis.T @ basis, basis.T @ values)


@functools.cache
def _rigid_basis() -> tuple[np.ndarray, np.ndarray]:
  """Indices into a flattened flow of every fourth rigid pixel, and their rows of the basis."""
  rigid = regions.rigid() & (np.indices(regions.rigid().shape) % 2 == 0).all(axis=0)
  rows = np.flatnonzero(np.repeat(rigid.ravel(), 2))
  return rows, _head_basis().reshape(-1, 6)[rows]


@functools.cache
def _basis_of_regions() -> np.ndarray:
  """float32 [R, 2, 6]: what each motion of the head moves the regions by."""
  basis = _head_basis().reshape(-1, 12)
  return (regions.weights() @ basis).reshape(-1, 2, 6)


@functools.cache
def _head_basis() -> np.ndarray:
  """float32 [H, W, 2, 6]."""
  x, y = np.moveaxis(regions.places(), -1, 0)
  one, zero, depth = np.ones_like(x), np.zeros_like(x), _depth(x, y)
  columns = [(one, zero), (zero, one), (-y, x), (x, y), (depth, zero), (zero, depth)]
  return np.stack([np.stack(pair, -1) for pair in columns], -1).astype(np.float32)


def _depth(x: np.ndarray, y: np.ndarray) -> np.ndarray:
  """Height towards the camera of an average face, face widths: a skull with a nose."""
  skull = 0.42 * np.sqrt(np.clip(1 - (x / 0.55) ** 2 - ((y - 0.12) / 0.9) ** 2, 0.05, 1))
  bridge = np.clip((y + 0.12) / 0.4, 0, 1) * (y < 0.34)
  return skull + 0.12 * bridge * np.exp(-0.5 * (x / (0.035 + 0.04 * bridge)) ** 2)
