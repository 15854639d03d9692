"""Videos in the place of folders of frames: their frames by number, decoded one after another.

The first frame of a video has the number 1, as img1.jpg is the first of the clip that CASME II's
owners cut into images. Frames are counted by decoding, because headers of videos are often wrong,
and never sought, because codecs with predicted frames then answer with others.
"""

import pathlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from data_builders.frame_error import FrameError
from mer_jax.runtime import regular_files

SUFFIXES = (".avi", ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv")
MOST_FRAMES = 100_000
MOST_PIXELS = 2**26  # of one frame, 8192 x 8192; also of an image
# A playlist would make the decoder open other files, and addresses, that it names.
_PLAYLISTS = (b"#EXTM3U", b"ffconcat", b"[playlist]")


class VideoFrame(NamedTuple):
  """One frame of a video.

  Attributes:
    path: the video.
    index: of the frame, from 0.
  """

  path: pathlib.Path
  index: int

  @property
  def name(self) -> str:
    """For messages: "clip.avi, frame 3"."""
    return f"{self.path.name}, frame {self.index + 1}"


def is_video(path: pathlib.Path) -> bool:
  """Whether the name is that of a video."""
  return path.suffix.lower() in SUFFIXES


def list_frames(path: pathlib.Path) -> dict[int, VideoFrame]:
  """{number: frame} of all frames, numbered from 1.

  Raises:
    FrameError: the file is no video that can be read, or is too long or too large.
  """
  capture = _opened(path)
  count = 0
  while count <= MOST_FRAMES and capture.grab():
    count += 1
  if not 0 < count <= MOST_FRAMES:
    raise FrameError(f"{path.name} has {'no' if not count else 'too many'} frames")
  return {index + 1: VideoFrame(path, index) for index in range(count)}


def read(frames: Sequence[VideoFrame]) -> Iterator[np.ndarray]:
  """The frames of one video, uint8 [H, W, 3] in OpenCV's channel order, at increasing indices.

  Raises:
    FrameError: the video cannot be read, or ends before.
  """
  capture, at = _opened(frames[0].path), 0
  for frame in frames:
    while at < frame.index and capture.grab():
      at += 1
    read, image = capture.read()
    if at != frame.index or not read:
      raise FrameError(f"{frame.name} cannot be decoded")
    at += 1
    yield image


def _opened(path: pathlib.Path) -> "cv2.VideoCapture":
  try:
    with regular_files.opened(path) as file:
      start = file.read(16)
  except OSError as error:
    raise FrameError(f"{path.name} cannot be read ({error.strerror})") from error
  if not start or start.lstrip().startswith(_PLAYLISTS):
    raise FrameError(f"{path.name} is no readable video")
  try:
    # FFmpeg alone: OpenCV would take a name with % for a series of images.
    capture = cv2.VideoCapture(str(path.resolve()), cv2.CAP_FFMPEG)
  except cv2.error as error:
    raise FrameError(f"{path.name} is no readable video") from error
  width, height = (
    int(capture.get(p)) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
  )
  if not capture.isOpened() or not 0 < width * height <= MOST_PIXELS:
    raise FrameError(f"{path.name} is no readable video ({width}x{height} pixels)")
  return capture
