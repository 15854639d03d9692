"""Frames of a video file, one after another, on an even grid of time."""

import collections
import dataclasses
import os
import pathlib
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np

from mer_jax.errors import DataError

_PROBED = 90  # frames whose timestamps tell the rate
_RATES = (1.0, 1000.0)  # frames a second that a file may claim
_LONGEST_GAP = 0.5  # seconds without a frame that the last one stands for
_TOLERANCE = 0.02  # share by which the rate of the header may differ from that of the timestamps


class Frame(NamedTuple):
  """One slot of the grid of time.

  Attributes:
    index: number of the slot; its time is index / fps.
    source: number of the frame in the file.
    image: uint8 [H, W, 3], BGR, upright; None in a gap of the timestamps.
  """

  index: int
  source: int
  image: np.ndarray | None

  @property
  def gray(self) -> np.ndarray | None:
    """uint8 [H, W]."""
    return None if self.image is None else cv2.cvtColor(self.image, cv2.COLOR_BGR2GRAY)


@dataclasses.dataclass
class Video:
  """A video file that can be read any number of times.

  Attributes:
    path: of the file.
    fps: slots a second of the grid.
    width, height: pixels of an upright frame.
    claimed: frames that the header promises; 0: it promises nothing.
    counts: of the last reading: "decoded" frames, those "repeated" where the file is late, and
      "dropped" where it is early, slots in a "gap"; filled while `frames` runs.
  """

  path: pathlib.Path
  fps: float
  width: int
  height: int
  claimed: int
  counts: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)

  def frames(self) -> Iterator[Frame]:
    """Frames in order; memory holds one.

    A frame of a variable rate stands in the slot nearest to its timestamp. A slot without one
    repeats the last frame; after half a second of that it is empty.
    """
    self.counts.clear()
    last: Frame | None = None
    for source, (seconds, image) in enumerate(_decoded(self.path, self.fps)):
      self.counts["decoded"] += 1
      index = round(seconds * self.fps)
      if last is not None and index <= last.index:
        self.counts["dropped"] += 1
        continue
      if last is not None:
        yield from self._between(last, index)
      last = Frame(index if last is not None else 0, source, image)
      yield last

  def _between(self, last: Frame, index: int) -> Iterator[Frame]:
    missing = index - last.index - 1
    repeats = missing <= _LONGEST_GAP * self.fps
    self.counts["repeated" if repeats else "gap"] += missing
    for slot in range(last.index + 1, index):
      yield Frame(slot, last.source, last.image if repeats else None)

  def remarks(self) -> list[str]:
    """What was repaired in the last reading, and where the file broke off."""
    counts, notes = self.counts, []
    if counts["repeated"] or counts["dropped"]:
      notes.append(
        f"The frame rate varies: on an even grid of {self.fps:.3f} frames a second"
        f" {counts['repeated']} frames are repeated and {counts['dropped']} left out."
      )
    if counts["gap"]:
      notes.append(f"The file has no picture for {counts['gap'] / self.fps:.1f} s; they are empty.")
    # Headers count a frame or two that no decoder gives.
    if self.claimed and counts["decoded"] < 0.99 * self.claimed - 2:
      notes.append(
        f"The file breaks off at frame {counts['decoded']} of {self.claimed}"
        f" ({counts['decoded'] / self.fps:.1f} s): it is damaged or incomplete. What could be read"
        " was used."
      )
    return notes


def open_video(path: str | os.PathLike[str]) -> Video:
  """The video in the file `path`.

  Raises:
    DataError: there is no such file, or OpenCV finds no frame in it.
  """
  path = pathlib.Path(path).expanduser()
  if path.is_dir():
    raise DataError(f"{path} is a folder; expected a video file, such as {path / 'video.mp4'}.")
  if not path.is_file():
    raise DataError(f"There is no file {path}; expected a video.")
  capture = _capture(path)
  times = []
  try:
    width, height = 0, 0
    while len(times) < _PROBED:
      if width == 0:
        good, image = capture.read()
        height, width = image.shape[:2] if good else (0, 0)
      else:
        good = capture.grab()
      if not good:
        break
      times.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
    if not times:
      raise DataError(
        f"{path} ({_size(path)}) holds no frame that OpenCV can decode. Expected a video: open it"
        " in a player, or convert it with: ffmpeg -i IN -c:v libx264 OUT.mp4"
      )
    claimed = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    fps = _rate(capture.get(cv2.CAP_PROP_FPS), np.array(times))
  finally:
    capture.release()
  return Video(path, fps, width, height, int(claimed) if 0 < claimed < 1e9 else 0)


def _capture(path: pathlib.Path) -> cv2.VideoCapture:
  capture = cv2.VideoCapture(str(path))
  # Turns frames as the file's rotation flag asks for.
  capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
  return capture


def _size(path: pathlib.Path) -> str:
  return f"{path.stat().st_size} bytes"


def _rate(header: float, times: np.ndarray) -> float:
  """Frames a second: the header's, unless the timestamps contradict it."""
  known = _RATES[0] <= header <= _RATES[1]
  steps = np.diff(times)
  steps = steps[steps > 0]
  if not len(steps):
    return header if known else 30.0
  measured = float(np.clip(1 / np.median(steps), *_RATES))
  return header if known and abs(header / measured - 1) < _TOLERANCE else measured


def _decoded(path: pathlib.Path, fps: float) -> Iterator[tuple[float, np.ndarray]]:
  """Seconds since the first frame, and the frame."""
  capture = _capture(path)
  first, last = None, -1 / fps
  try:
    while True:
      good, image = capture.read()
      if not good:
        return
      seconds = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
      first = seconds if first is None else first
      # Some containers have no timestamps, or begin again from 0.
      last = seconds - first if seconds - first > last else last + 1 / fps
      yield last, image
  finally:
    capture.release()
