"""How far each region of a face has moved, frame by frame, without the motion of the head."""

import dataclasses
import functools

import cv2
import numpy as np

from mer_jax.video import regions

LEAST_RATE = 30.0  # Hz: a micro-expression of a fifth of a second still has six samples
WINDOW = 1 / 3  # seconds over which motion is measured
KEYFRAME = 2.0  # seconds after which motion is measured against a new frame


@dataclasses.dataclass(frozen=True)
class MotionCurves:
  """What moved in a video of T measured frames.

  Attributes:
    time: float64 [T], seconds.
    frame: int64 [T], index of the frame in the video.
    position: float32 [T, R, 2], where each region is, against where it was in the first frame of
      its stretch: u right, v down, in pixels of an aligned face.
    motion: float32 [T, R], how far it has moved within the last third of a second, pixels.
    usable: bool [T], whether there was a face to measure.
    stretch: int64 [T], number of the stretch of usable frames; positions of different stretches
      cannot be compared.
    fps: measured frames per second.
  """

  time: np.ndarray
  frame: np.ndarray
  position: np.ndarray
  motion: np.ndarray
  usable: np.ndarray
  stretch: np.ndarray
  fps: float


def stride_of(fps: float) -> int:
  """Every how many frames motion is measured: as few as leave `LEAST_RATE` a second."""
  return max(1, int((fps + 0.5) // LEAST_RATE))


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
    self._rows: list[tuple[float, int, np.ndarray, bool, int]] = []
    self._key: tuple[np.ndarray, np.ndarray, float] | None = None  # crop, position, time
    self._last: tuple[np.ndarray, np.ndarray] | None = None  # crop, position
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
    if crop is None:
      if self._last is not None:
        self._stretch += 1
      self._key = self._last = None
      position = np.zeros((len(regions.REGIONS), 2), np.float32)
    else:
      position = self._measured(crop, time)
      self._last = crop, position
    self._rows.append((time, index, position, crop is not None, self._stretch))

  def new_window(self) -> None:
    """The alignment changes with the next frame: its flow is measured against the last frame."""
    if self._last is not None:
      self._key = *self._last, -np.inf

  def curves(self) -> MotionCurves:
    """What was measured so far."""
    count = len(regions.REGIONS)
    rows = self._rows
    position = np.array([row[2] for row in rows], np.float32).reshape(-1, count, 2)
    usable = np.array([row[3] for row in rows], bool)
    stretch = np.array([row[4] for row in rows], np.int64)
    return MotionCurves(
      time=np.array([row[0] for row in rows], np.float64),
      frame=np.array([row[1] for row in rows], np.int64),
      position=position,
      motion=windowed(position, usable, stretch, max(1, round(WINDOW * self._fps))),
      usable=usable,
      stretch=stretch,
      fps=self._fps,
    )

  def _measured(self, crop: np.ndarray, time: float) -> np.ndarray:
    if self._key is None:
      self._key = crop, np.zeros((len(regions.REGIONS), 2), np.float32), time
      return self._key[1]
    key_crop, key_position, since = self._key
    position = key_position + region_motion(key_crop, crop)
    if time - since >= KEYFRAME:
      self._key = crop, position, time
    return position


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


def region_motion(before: np.ndarray, after: np.ndarray) -> np.ndarray:
  """Mean displacement of each region between two aligned faces, the head's motion removed.

  Args:
    before, after: uint8 [128, 128].

  Returns:
    float32 [R, 2] in pixels, u right and v down.
  """
  return regions.weights() @ without_head(flow(before, after)).reshape(-1, 2)


def flow(before: np.ndarray, after: np.ndarray) -> np.ndarray:
  """Dense inverse search at half the resolution, float32 [H, W, 2] in pixels."""
  return _search().calc(before, after, np.zeros((*before.shape, 2), np.float32))


@functools.cache
def _search() -> "cv2.DISOpticalFlow":
  search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
  search.setFinestScale(1)
  return search


def without_head(uv: np.ndarray) -> np.ndarray:
  """`uv` [H, W, 2] minus the motion of a rigid head that fits it best where faces are rigid.

  The head is a rigid body of the average face's depth: shift, turn and growth in the picture, and
  turns to the side and up, which move what is near the camera further. Least squares, twice, the
  second time without the third of the pixels that fit worst.
  """
  basis, inner, inverse = _head_basis()
  target = uv.reshape(-1)[inner]
  motion = inverse @ target
  wrong = np.abs(target - basis[inner] @ motion)
  kept = wrong <= np.quantile(wrong, 2 / 3)
  motion = np.linalg.lstsq(basis[inner][kept], target[kept], rcond=None)[0]
  return uv - (basis @ motion).reshape(uv.shape)


@functools.cache
def _head_basis() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """float32 [H W 2, 6]; rows that belong to rigid pixels; pseudo-inverse of those rows."""
  x, y = np.moveaxis(regions.places(), -1, 0)
  one, zero, depth = np.ones_like(x), np.zeros_like(x), _depth(x, y)
  columns = [(one, zero), (zero, one), (-y, x), (x, y), (depth, zero), (zero, depth)]
  basis = np.stack([np.stack(pair, -1).ravel() for pair in columns], -1).astype(np.float32)
  rows = np.flatnonzero(np.repeat(regions.rigid().ravel(), 2))
  return basis, rows, np.linalg.pinv(basis[rows]).astype(np.float32)


def _depth(x: np.ndarray, y: np.ndarray) -> np.ndarray:
  """Height towards the camera of an average face, face widths: a skull with a nose."""
  skull = 0.42 * np.sqrt(np.clip(1 - (x / 0.55) ** 2 - ((y - 0.12) / 0.9) ** 2, 0.05, 1))
  bridge = np.clip((y + 0.12) / 0.4, 0, 1) * (y < 0.34)
  return skull + 0.12 * bridge * np.exp(-0.5 * (x / (0.035 + 0.04 * bridge)) ** 2)
