"""Aligned faces from frames by a detector alone: OpenCV's cascade for frontal faces.

Its weights come with OpenCV. One box serves a stretch of frames: where the detector sees the face
moves by more than a micro-expression from frame to frame.
"""

import pathlib

import cv2
import numpy as np

from mer_jax.errors import DataError
from mer_jax.video.regions import FACE_BOX, SIZE

# Side of the detector's box in face widths, and how far below its upper edge the eyes are, as a
# share of the side; measured on 20 drawn faces, of which the spreads are .03 and .008.
_SIDE, _EYES = 1.225, 0.417
_EVERY = 2.0  # seconds between detections
_MOVED = 0.04  # of the side: a box that moved by less stays where it is

_Box = tuple[float, float, float]  # centre x, line of the eyes, face width: pixels


class SteadyCrops:
  """Cuts the largest face out of the frames of one video.

  Args:
    fps: frames per second of what is given to `next`.
    follow: look for the face again every two seconds; otherwise one box serves the video.

  Raises:
    DataError: the installed OpenCV has no cascade.
  """

  def __init__(self, fps: float, *, follow: bool = True) -> None:
    self._every = max(1, round(_EVERY * fps)) if follow else 0
    self._cascade = _cascade()
    self._given = 0
    self._box: _Box | None = None

  def next(self, frame: np.ndarray) -> tuple[np.ndarray | None, bool]:
    """The aligned face of the next frame, and whether its alignment differs from the last one's.

    Args:
      frame: uint8 [H, W], gray.

    Returns:
      uint8 [128, 128] or None: no face has been seen so far; and a flag.
    """
    due = self._box is None or (self._every and self._given % self._every == 0)
    self._given += 1
    changed = False
    if due:
      box = self._detected(frame)
      if box is not None and (self._box is None or _differs(box, self._box)):
        changed, self._box = self._box is not None, box
    return (None, False) if self._box is None else (_cut(frame, self._box), changed)

  @property
  def box(self) -> _Box | None:
    """Where the face is: centre x, line of the eyes, face width, in pixels; None: not seen yet."""
    return self._box

  def _detected(self, frame: np.ndarray) -> _Box | None:
    least = min(frame.shape) // 5
    faces = self._cascade.detectMultiScale(
      frame, scaleFactor=1.1, minNeighbors=5, minSize=(least, least)
    )
    if not len(faces):
      return None
    x, y, side, _ = max(faces, key=lambda face: face[2])
    return x + side / 2, y + _EYES * side, side / _SIDE


def _cascade() -> "cv2.CascadeClassifier":
  path = pathlib.Path(cv2.data.haarcascades) / "haarcascade_frontalface_default.xml"
  cascade = cv2.CascadeClassifier(str(path))
  if cascade.empty():
    raise DataError(
      f"OpenCV {cv2.__version__} comes without Haar cascades. Install opencv-python-headless 4.x."
    )
  return cascade


def _differs(box: _Box, other: _Box) -> bool:
  return max(abs(a - b) for a, b in zip(box, other, strict=True)) > _MOVED * other[2]


def _cut(frame: np.ndarray, box: _Box) -> np.ndarray:
  """The part of `frame` that `FACE_BOX` is of a face there; beyond the frame its border goes on."""
  x, y, width = box
  sides = (x, y, x, y)
  left, top, right, bottom = (round(s + width * b) for s, b in zip(sides, FACE_BOX, strict=True))
  height, across = frame.shape
  beyond = max(0, -left, -top, right - across, bottom - height)
  if beyond:
    frame = np.pad(frame, beyond, mode="edge")
    left, top, right, bottom = (side + beyond for side in (left, top, right, bottom))
  shrinks = right - left > SIZE
  kind = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
  return cv2.resize(frame[top:bottom, left:right], (SIZE, SIZE), interpolation=kind)
