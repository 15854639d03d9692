"""The detectors of faces that can be chosen, and the largest face of one video by either."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from mer_jax.video import align, landmarks, usable
from mer_jax.video.crops import SteadyCrops
from mer_jax.video.decode import Frame
from mer_jax.video.follow import LandmarkFollower
from mer_jax.video.methods import Measure

DETECTORS = ("auto", "landmarks", "cascade")
IN_WORDS = {"landmarks": "landmarks", "cascade": "OpenCV's cascade"}
Pair = tuple[np.ndarray, np.ndarray]  # aligned faces, uint8 [128, 128]


class LargestFace(Protocol):
  """The largest face of a video, frame after frame.

  Attributes:
    colour: whether frames are uint8 [H, W, 3] (BGR); otherwise [H, W], gray.
  """

  colour: bool

  def add(self, frame: np.ndarray | None) -> None:
    """Aligns and measures the next frame; None: it cannot be read."""

  def curves(self) -> Any:
    """What was measured so far."""

  def pair(self, onset: np.ndarray, apex: np.ndarray, index: int) -> Pair | None:
    """Two frames aligned alike, as a face is in the first; None: it shows none.

    Args:
      onset, apex: frames.
      index: of the first among the frames that were added.
    """

  @property
  def states(self) -> list[int]:
    """Of the frames so far, indices into usable.STATES."""


def chosen(detector: str) -> str:
  """ "landmarks" or "cascade": what a value of `DETECTORS` means with what is installed.

  Raises:
    ConfigError: landmarks are asked for and not installed.
  """
  if detector == "landmarks":
    landmarks.check_installed()
  if detector != "auto":
    return detector
  return "landmarks" if landmarks.installed() else "cascade"


def largest_face(
  detector: str, fps: float, measure: Callable[[], Measure], *, follow: bool
) -> LargestFace:
  """What looks at the frames of one video.

  Args:
    detector: "landmarks" or "cascade".
    fps: frames per second of what is added, so low that all of them are measured.
    measure: makes what looks at the aligned face.
    follow: align again where the head moves; otherwise one alignment serves the video.

  Raises:
    ConfigError, DataError: the detector is not installed.
  """
  kind = _ByLandmarks if detector == "landmarks" else _ByCascade
  return kind(fps, measure, follow)


class _ByLandmarks:
  colour = True

  def __init__(self, fps: float, measure: Callable[[], Measure], follow: bool) -> None:
    self._follower = LandmarkFollower(fps, measure, follow=follow)
    self._nothing, self._added = measure, 0

  def add(self, frame: np.ndarray | None) -> None:
    self._follower.add(Frame(self._added, self._added, frame))
    self._added += 1

  def curves(self) -> Any:
    faces = self._follower.faces
    return faces[0].measure.curves() if faces else self._nothing().curves()

  def pair(self, onset: np.ndarray, apex: np.ndarray, index: int) -> Pair | None:
    transform = self._follower.faces[0].transform_at(index)
    return (
      transform if transform is None else (align.cut(onset, transform), align.cut(apex, transform))
    )

  @property
  def states(self) -> list[int]:
    faces = self._follower.faces
    return list(faces[0].states) if faces else [usable.NO_FACE] * self._added


class _ByCascade:
  colour = False

  def __init__(self, fps: float, measure: Callable[[], Measure], follow: bool) -> None:
    self._crops, self._measure, self._fps = SteadyCrops(fps, follow=follow), measure(), fps
    self.states: list[int] = []

  def add(self, frame: np.ndarray | None) -> None:
    crop, changed = (None, False) if frame is None else self._crops.next(frame)
    if changed:
      self._measure.new_window()
    self._measure.add(crop, len(self.states) / self._fps)
    self.states.append(usable.NO_FACE if crop is None else usable.USABLE)

  def curves(self) -> Any:
    return self._measure.curves()

  def pair(self, onset: np.ndarray, apex: np.ndarray, index: int) -> Pair | None:
    crops = SteadyCrops(1, follow=False)
    (before, _), (after, _) = crops.next(onset), crops.next(apex)
    return None if before is None or after is None else (before, after)
