"""Files below a folder that can be clips, and paths that a table names, which never leave it."""

import pathlib
import re
from collections.abc import Iterator

from data_builders import frames, videos
from data_builders.frame_error import FrameError

_DEPTH = 9


def candidates(folder: pathlib.Path, depth: int = 0) -> Iterator[pathlib.Path]:
  """Folders with images in them, videos and images below `folder`, each folder before its files."""
  try:
    entries = sorted(folder.iterdir())
  except OSError:  # counts as empty; what a table names in it is refused
    return
  entries = [entry for entry in entries if not entry.name.startswith((".", "~", "__MACOSX"))]
  for entry in entries:
    if entry.is_dir():
      if any(is_image(inside) for inside in _files(entry)):
        yield entry
      if depth < _DEPTH:
        yield from candidates(entry, depth + 1)
    elif is_image(entry) or videos.is_video(entry):
      yield entry


def is_image(path: pathlib.Path) -> bool:
  """Whether the name is that of an image."""
  return path.suffix.lower() in frames.SUFFIXES


def inside(folder: pathlib.Path, text: str) -> pathlib.Path:
  """What a cell names below `folder`; a link out of it counts as outside.

  Raises:
    FrameError: the path leaves the folder, or there is nothing that can be a clip.
  """
  plain = text.replace("\\", "/")
  relative = pathlib.PurePosixPath(plain)
  if "\0" in plain or not plain or re.match(r"[A-Za-z]:|/|~", plain) or ".." in relative.parts:
    raise FrameError(f"its path {text!r} is not one below the folder of the table")
  path = folder / relative
  try:
    resolved = path.resolve()
    if not resolved.is_relative_to(folder.resolve()):
      raise FrameError(f"its path {text!r} leads out of the folder of the table")
    if not path.exists():
      raise FrameError(f"there is no {text}")
    usable = path.is_dir() or (path.is_file() and (is_image(path) or videos.is_video(path)))
  except (OSError, RuntimeError, ValueError) as error:  # too long a name, a circle of links
    raise FrameError(f"its path {text[:80]!r} cannot be used") from error
  if not usable:
    raise FrameError(f"{text} is no folder, video or image")
  return path


def _files(folder: pathlib.Path) -> list[pathlib.Path]:
  try:
    return [entry for entry in folder.iterdir() if not entry.name.startswith((".", "~"))]
  except OSError:
    return []
