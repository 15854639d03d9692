"""Frames of a clip, from a folder, a video or loose images: by number, decoded to gray, resized."""

import io
import pathlib
import re
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import PIL.Image

from data_builders import videos
from data_builders.frame_error import FrameError as FrameError
from data_builders.videos import VideoFrame
from mer_jax.runtime import regular_files
from mer_jax.video import align

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")
KEY_FRAMES = ("onset", "apex", "offset")
LARGEST = 2**28  # bytes of an image

COLOR = cv2.IMREAD_COLOR
GRAY = cv2.IMREAD_GRAYSCALE

_KEY_FRAME = re.compile(r"(?<![a-z])(onset|apex|offset)(?:[ _-]?frame)?(?![a-z])")


class LooseImages(NamedTuple):
  """The images of one clip among those of others.

  Attributes:
    folder: in which they lie.
    images: for each, what its name says behind the name of the clip, and the file.
  """

  folder: pathlib.Path
  images: tuple[tuple[str, pathlib.Path], ...]

  def __str__(self) -> str:
    return str(self.images[0][1])


Source = pathlib.Path | LooseImages  # a folder or a video; or images among others
Frame = pathlib.Path | VideoFrame


def list_frames(source: Source) -> tuple[dict[int, Frame], list[str]]:
  """The frames of one clip.

  The number of a frame is the last group of digits in its name, whatever stands around it
  (img46.jpg, reg_image090823.bmp, 009_3577.jpg, 46.jpg), and numbers are compared as numbers.
  A folder without images that holds one video is read as that video.

  Returns:
    {number: frame} in increasing order, and the names of the files that are no frames.

  Raises:
    FrameError: the folder cannot be listed, a video cannot be read, or two different files claim
      one number.
  """
  if isinstance(source, pathlib.Path) and videos.is_video(source) and not source.is_dir():
    return dict(videos.list_frames(source)), []
  frames: dict[int, pathlib.Path] = {}
  stray = []
  for text, path in _files(source):
    digits = re.findall(r"\d{1,18}", text)
    if not _is_image(path) or not digits:
      stray.append(path)
    elif int(digits[-1]) not in frames:
      frames[int(digits[-1])] = path
    elif _same_bytes(frames[int(digits[-1])], path):
      stray.append(path)
    else:
      raise FrameError(
        f"two files claim frame {int(digits[-1])}: {frames[int(digits[-1])].name} and {path.name}"
      )
  inside = [path for path in stray if videos.is_video(path)]
  if not frames and len(inside) == 1:
    return dict(videos.list_frames(inside[0])), [p.name for p in stray if p not in inside]
  return dict(sorted(frames.items())), [path.name for path in stray]


def key_frames(source: Source) -> dict[str, pathlib.Path]:
  """{"onset", "apex" or "offset": image} where every image of the clip is named by such a word.

  One image without word or number, alone among those of other clips, is the apex frame.

  Raises:
    FrameError: the folder cannot be listed, or two images go by one word.
  """
  if isinstance(source, pathlib.Path) and videos.is_video(source):
    return {}
  named: dict[str, pathlib.Path] = {}
  images = [(text, path) for text, path in _files(source) if _is_image(path)]
  if isinstance(source, LooseImages) and len(images) == 1 and not images[0][0]:
    return {"apex": images[0][1]}
  for text, path in images:
    words = set(_KEY_FRAME.findall(text.lower()))
    if len(words) != 1:
      return {}
    word = words.pop()
    if word in named:
      raise FrameError(f"two images are its {word} frame: {named[word].name} and {path.name}")
    named[word] = path
  return named


def _files(source: Source) -> list[tuple[str, pathlib.Path]]:
  """What the name of each file says, and the file."""
  if isinstance(source, LooseImages):
    return list(source.images)
  try:
    return [(entry.stem, entry) for entry in sorted(source.iterdir()) if not entry.is_dir()]
  except OSError as error:
    raise FrameError(f"its folder {source} cannot be listed ({error.strerror})") from error


def _is_image(path: pathlib.Path) -> bool:
  return not path.name.startswith((".", "~")) and path.suffix.lower() in SUFFIXES


def read(path: Frame, flags: int = GRAY) -> np.ndarray:
  """Decodes one frame: uint8 [H, W], or [H, W, 3] in OpenCV's channel order for COLOR.

  Raises:
    FrameError: the file is empty, truncated, too large or no image.
  """
  if isinstance(path, VideoFrame):
    return _as(flags, next(videos.read([path])))
  try:
    data = regular_files.read_bytes(path, LARGEST)
  except OSError as error:
    raise FrameError(f"{path.name} cannot be read ({error.strerror})") from error
  if not data:
    raise FrameError(f"{path.name} is empty")
  if _truncated(data):
    raise FrameError(f"{path.name} is truncated ({len(data)} bytes)")
  _check_pixels(path.name, data)
  try:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
  except cv2.error:
    image = None
  if image is None:
    raise FrameError(f"{path.name} is no readable image ({len(data)} bytes)")
  return image


def read_clip(
  paths: Sequence[Frame], size: int, box: tuple[int, int, int, int] | np.ndarray | None = None
) -> np.ndarray:
  """Decodes, crops and resizes the frames of one clip.

  Args:
    paths: T image files, all of one size, or frames of one video.
    size: height and width of the result, in pixels.
    box: (x, y, width, height) cut out of every frame; float [2, 3]: the alignment of
      `mer_jax.video.align.similarity`, by which every frame is cut; None: the full frame.

  Returns:
    uint8 [T, size, size, 1], gray.

  Raises:
    FrameError: an image cannot be read, or its size differs from that of the first.
  """
  clip = np.empty((len(paths), size, size, 1), np.uint8)
  shape = None
  for t, (path, image) in enumerate(zip(paths, _decoded(paths), strict=True)):
    shape = shape or image.shape
    if image.shape != shape:
      raise FrameError(
        f"{path.name} is {image.shape[1]}x{image.shape[0]}, the frames before it are"
        f" {shape[1]}x{shape[0]}"
      )
    if isinstance(box, np.ndarray):
      clip[t, :, :, 0] = align.cut(image, box, size)
      continue
    if box is not None:
      x, y, width, height = box
      image = image[y : y + height, x : x + width]
    # INTER_AREA averages the pixels that fall together; other kernels alias when shrinking.
    clip[t, :, :, 0] = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
  return clip


def _decoded(paths: Sequence[Frame]) -> Iterator[np.ndarray]:
  """The frames in gray, each decoded when it is asked for."""
  in_video = [path for path in paths if isinstance(path, VideoFrame)]
  if in_video:
    yield from (_as(GRAY, image) for image in videos.read(in_video))
  else:
    yield from map(read, paths)


def _as(flags: int, image: np.ndarray) -> np.ndarray:
  return image if flags == COLOR else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)


def _check_pixels(name: str, data: bytes) -> None:
  """Raises FrameError where the header claims more pixels than a frame can have."""
  try:
    with PIL.Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "BMP", "TIFF")) as image:
      pixels = image.width * image.height
  except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning):
    pixels = videos.MOST_PIXELS + 1
  except Exception:  # a damaged header, which the decoder judges
    return
  if pixels > videos.MOST_PIXELS:
    raise FrameError(f"{name} claims more than {videos.MOST_PIXELS} pixels")


def _same_bytes(a: pathlib.Path, b: pathlib.Path) -> bool:
  try:
    a_bytes, b_bytes = (regular_files.read_bytes(path, LARGEST) for path in (a, b))
    return a_bytes == b_bytes
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
