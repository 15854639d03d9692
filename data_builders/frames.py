"""Frame files: listed in the order of their numbers, decoded to gray, resized."""

import pathlib
import re
import struct
from collections.abc import Sequence

import cv2
import numpy as np

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")


COLOR = cv2.IMREAD_COLOR
GRAY = cv2.IMREAD_GRAYSCALE


class FrameError(Exception):
  """A clip cannot be read; the message is the reason for which the clip is refused."""


def list_frames(folder: pathlib.Path) -> tuple[dict[int, pathlib.Path], list[str]]:
  """The frames of one clip.

  The number of a frame is the last group of digits in its name, whatever stands around it
  (img46.jpg, reg_image090823.bmp, 009_3577.jpg, 46.jpg), and numbers are compared as numbers.

  Returns:
    {number: path} in increasing order, and the names of the files that are no frames.

  Raises:
    FrameError: the folder cannot be listed, or two different files claim one number.
  """
  frames: dict[int, pathlib.Path] = {}
  stray = []
  try:
    entries = sorted(entry for entry in folder.iterdir() if not entry.is_dir())
  except OSError as error:
    raise FrameError(f"its folder {folder} cannot be listed ({error.strerror})") from error
  for path in entries:
    digits = re.findall(r"\d{1,18}", path.stem)
    if path.name.startswith((".", "~")) or path.suffix.lower() not in SUFFIXES or not digits:
      stray.append(path.name)
    elif int(digits[-1]) not in frames:
      frames[int(digits[-1])] = path
    elif _same_bytes(frames[int(digits[-1])], path):
      stray.append(path.name)
    else:
      raise FrameError(
        f"two files claim frame {int(digits[-1])}: {frames[int(digits[-1])].name} and {path.name}"
      )
  return dict(sorted(frames.items())), stray


def read(path: pathlib.Path, flags: int = GRAY) -> np.ndarray:
  """Decodes one image: uint8 [H, W], or [H, W, 3] in OpenCV's channel order for COLOR.

  Raises:
    FrameError: the file is empty, truncated or no image.
  """
  try:
    data = path.read_bytes()
  except OSError as error:
    raise FrameError(f"{path.name} cannot be read ({error.strerror})") from error
  if not data:
    raise FrameError(f"{path.name} is empty")
  if _truncated(data):
    raise FrameError(f"{path.name} is truncated ({len(data)} bytes)")
  try:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
  except cv2.error:
    image = None
  if image is None:
    raise FrameError(f"{path.name} is no readable image ({len(data)} bytes)")
  return image


def read_clip(
  paths: Sequence[pathlib.Path], size: int, box: tuple[int, int, int, int] | None = None
) -> np.ndarray:
  """Decodes, crops and resizes the frames of one clip.

  Args:
    paths: T image files, all of one size.
    size: height and width of the result, in pixels.
    box: (x, y, width, height) cut out of every frame; None: the full frame.

  Returns:
    uint8 [T, size, size, 1], gray.

  Raises:
    FrameError: an image cannot be read, or its size differs from that of the first.
  """
  clip = np.empty((len(paths), size, size, 1), np.uint8)
  shape = None
  for t, path in enumerate(paths):
    image = read(path)
    shape = shape or image.shape
    if image.shape != shape:
      raise FrameError(
        f"{path.name} is {image.shape[1]}x{image.shape[0]}, the frames before it are"
        f" {shape[1]}x{shape[0]}"
      )
    if box is not None:
      x, y, width, height = box
      image = image[y : y + height, x : x + width]
    # INTER_AREA averages the pixels that fall together; other kernels alias when shrinking.
    clip[t, :, :, 0] = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
  return clip


def _same_bytes(a: pathlib.Path, b: pathlib.Path) -> bool:
  try:
    return a.read_bytes() == b.read_bytes()
  except OSError:
    return False


def _truncated(data: bytes) -> bool:
  # OpenCV fills the missing part of a cut JPEG with gray and returns it as if it were complete.
  if data.startswith(b"\xff\xd8"):
    # Neither marker can occur inside entropy-coded data; comparing them skips EXIF thumbnails.
    return data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda") or b"\xff\xd9" not in data
  if data.startswith(b"\x89PNG"):
    return b"IEND" not in data[-64:]
  if data.startswith(b"BM"):
    return len(data) < 30 or len(data) < _bitmap_length(data)
  return False


def _bitmap_length(data: bytes) -> int:
  # The file size in the header is often wrong; the pixel array's extent is not.
  pixels_at = struct.unpack_from("<I", data, 10)[0]
  width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
  return pixels_at + (0 if compression else (abs(width) * bits + 31) // 32 * 4 * abs(height))
