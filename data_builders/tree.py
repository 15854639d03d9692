"""Finds the folders of a corpus below the folder a user points at."""

import dataclasses
import hashlib
import os
import pathlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from data_builders import frames, schema, sheets, videos
from data_builders.frames import Frame, LooseImages, Source
from data_builders.videos import VideoFrame
from mer_jax.errors import DataError, shown
from mer_jax.runtime import regular_files

_DEPTH = 9  # SMIC's longest path has 7 folders; nesting adds some
_FRAME = re.compile(r"(?:[a-z]*[ _-]?\d+|onset|apex|offset)", re.IGNORECASE)
_NAMES_ITS_KIND = re.compile(r"(crop|registered)|raw", re.IGNORECASE)


class Clip(NamedTuple):
  """A clip on disk.

  Attributes:
    subject: the folder that names the subject; None where none does.
    name: of the folder or the video, without suffix; of loose images, the part for the clip.
    source: the folder, the video or the images.
  """

  subject: pathlib.Path | None
  name: str
  source: Source


@dataclasses.dataclass(frozen=True)
class Tree:
  """One copy of a corpus, or of a part of it.

  Attributes:
    root: the folder in which the subjects' folders lie; without those, the clips.
    clips: sorted by path.
    cropped: the frames already show the face only.
    parts: the roots of the trees that were put together; () where it is one.
  """

  root: pathlib.Path
  clips: tuple[Clip, ...]
  cropped: bool
  parts: tuple[pathlib.Path, ...] = ()


def require_folder(manual_dir: pathlib.Path, expected: str) -> pathlib.Path:
  """`manual_dir` as an absolute path, if it is a folder that can be listed.

  Raises:
    DataError: it is not; `expected` shows how the tree should look.
  """
  manual_dir = pathlib.Path(manual_dir).expanduser().absolute()
  try:
    next(manual_dir.iterdir(), None)
  except OSError as error:
    raise DataError(
      f"--manual_dir {manual_dir} cannot be read ({error.strerror}).\n{expected}"
    ) from error
  return manual_dir


def find_trees(manual_dir: pathlib.Path, subject: str, clip: str) -> list[Tree]:
  """Every copy of the corpus below `manual_dir`, nested however deep.

  A clip is a folder of frames or a video. Only where there is none, images that are named by their
  clip ("EP02_01f_66.jpg") are looked for. What lies above `manual_dir` plays no part; it may itself
  be the folder of a subject.

  Args:
    manual_dir: the folder that holds the corpus, the tree itself, or one subject's folder.
    subject, clip: regular expressions (full match, any case) of the names of subjects' folders and
      of clips. Folders may lie between the two, as in SMIC's s1/micro/negative/s1_ne_01.

  Returns:
    Trees: cropped ones first, then those with more clips, then the shorter path.
  """
  subject_name = re.compile(subject, re.IGNORECASE)
  clip_name = re.compile(clip, re.IGNORECASE)
  found = [
    (_name_of(path), path) for path in _clip_paths(manual_dir, clip_name, 0)
  ] or _loose_images(manual_dir, clip_name)
  clips_of: dict[tuple[pathlib.Path, bool], list[Clip]] = {}
  for name, source in found:
    path = source.folder / "x" if isinstance(source, LooseImages) else source
    owner = _owner(path, manual_dir, subject_name)
    root = path.parent if owner is None else owner.parent
    in_video = isinstance(source, pathlib.Path) and videos.is_video(source)
    clips_of.setdefault((root, in_video), []).append(Clip(owner, name, source))
  trees = [
    Tree(root, tuple(sorted(clips, key=_path)), _is_cropped(manual_dir, root, clips))
    for (root, _), clips in clips_of.items()
  ]
  return sorted(trees, key=lambda t: (not t.cropped, -len(t.clips), len(str(t.root)), str(t.root)))


def merged(trees: Sequence[Tree]) -> Tree:
  """Trees whose clips differ as one; a single one stays what it is."""
  if len(trees) == 1:
    return trees[0]
  root = pathlib.Path(os.path.commonpath([tree.root for tree in trees]))
  clips = sorted((clip for tree in trees for clip in tree.clips), key=_path)
  return Tree(root, tuple(clips), trees[0].cropped, tuple(tree.root for tree in trees))


def find_sheets(manual_dir: pathlib.Path, root: pathlib.Path) -> list[pathlib.Path]:
  """Workbooks and csv files below `manual_dir`; where that is the tree itself, those around it.

  Lock files ("~$...") and hidden files are left out.
  """
  paths = list(_sheet_files(manual_dir, 0))
  here = manual_dir.resolve()
  if not paths and root in (manual_dir, manual_dir / here.name, manual_dir.parent):
    # Someone who points at .../CASME2/Cropped/Cropped keeps the sheet in .../CASME2.
    for folder in here.parents[:2]:
      paths += [path for path in _entries(folder) if _is_sheet(path)]
  return sorted(paths)


def is_synthetic(manual_dir: pathlib.Path, root: pathlib.Path) -> bool:
  """Whether the corpus carries the mark of `data_builders.synthetic`."""
  folders = [manual_dir, root, *list(root.resolve().parents)[:6]]
  return any((folder / schema.SYNTHETIC_MARK).is_file() for folder in folders)


def fingerprint(
  root: pathlib.Path, frames: Iterable[Frame], sheets_read: Iterable[pathlib.Path]
) -> str:
  """The identity of a corpus, as a sha256 in hexadecimal.

  It covers the names (relative to `root`) and sizes of the frames, which are too many to be read
  for it, and the content of the sheets, in which an edited number need not change the size.
  """
  lines = []
  for frame in frames:
    path, index = frame if isinstance(frame, VideoFrame) else (frame, None)
    name = str(path.relative_to(root) if path.is_relative_to(root) else path.name)
    name += "" if index is None else f" {index}"
    try:
      lines.append(f"{name} {path.stat().st_size}")
    except OSError:
      lines.append(f"{name} unreadable")
  lines += [hashlib.sha256(regular_files.read_bytes(path)).hexdigest() for path in sheets_read]
  return hashlib.sha256(shown("\n".join(sorted(lines))).encode()).hexdigest()


def _clip_paths(
  folder: pathlib.Path, clip_name: re.Pattern[str], depth: int
) -> Iterator[pathlib.Path]:
  for entry in _entries(folder):
    if entry.is_dir():
      if clip_name.fullmatch(entry.name):
        yield entry
      elif depth < _DEPTH:
        yield from _clip_paths(entry, clip_name, depth + 1)
    elif videos.is_video(entry) and clip_name.fullmatch(entry.stem):
      yield entry


def _loose_images(
  manual_dir: pathlib.Path, clip_name: re.Pattern[str]
) -> list[tuple[str, LooseImages]]:
  """Images by every clip that their names can mean; only a sheet can say which of them it is."""
  found: dict[tuple[pathlib.Path, str], list[tuple[str, pathlib.Path]]] = {}
  for path in _images(manual_dir, 0):
    for name, rest in [(path.stem, ""), *_parted(path.stem)]:
      if clip_name.fullmatch(name):
        found.setdefault((path.parent, name), []).append((rest, path))
  return [(name, LooseImages(folder, tuple(i))) for (folder, name), i in sorted(found.items())]


def _images(folder: pathlib.Path, depth: int) -> Iterator[pathlib.Path]:
  for entry in _entries(folder):
    if entry.is_dir():
      if depth < _DEPTH:
        yield from _images(entry, depth + 1)
    elif entry.suffix.lower() in frames.SUFFIXES:
      yield entry


def _parted(stem: str) -> list[tuple[str, str]]:
  """("EP02_01f", "66") of "EP02_01f_66": every way to part a name of a clip from a frame's."""
  parts = [(stem[: m.start()], stem[m.end() :]) for m in re.finditer(r"[ _.\-]+", stem)]
  return [(name, rest) for name, rest in parts if _FRAME.fullmatch(rest)]


def _owner(
  path: pathlib.Path, manual_dir: pathlib.Path, subject_name: re.Pattern[str]
) -> pathlib.Path | None:
  """The nearest folder that is named like a subject, rather one with letters than a bare number."""
  above = []
  for folder in path.parents:
    name = manual_dir.resolve().name if folder == manual_dir else folder.name
    # The folder pointed at may have a number of its own; only clips in it make it a subject's.
    foreign = folder == manual_dir != path.parent and name.isdigit()
    if subject_name.fullmatch(name) and not foreign:
      above.append((name[:1].isdigit(), folder))
    if folder == manual_dir:
      break
  return min(above, key=lambda entry: entry[0])[1] if above else None


def _name_of(path: pathlib.Path) -> str:
  return path.stem if videos.is_video(path) and not path.is_dir() else path.name


def _path(clip: Clip) -> tuple[str, str]:
  return str(clip.source), clip.name


def _is_cropped(manual_dir: pathlib.Path, root: pathlib.Path, clips: Iterable[Clip]) -> bool:
  # CASME II and SMIC call cropped frames reg_*, and the trees Cropped, *_cropped or *RAW*.
  for clip in sorted(clips, key=_path):
    names = _file_names(clip.source)
    if names:
      if any(name.startswith("reg_") for name in names):
        return True
      break
  # Folders above the corpus are the user's own and may be called anything; only of a tree that
  # is itself pointed at does the folder around it count (SMIC_all_cropped/HS).
  here = manual_dir.resolve()
  above = [here.name, here.parent.name] if root == manual_dir else [here.name]
  inside = root.relative_to(manual_dir).parts if root.is_relative_to(manual_dir) else ()
  if root == manual_dir.parent:  # one subject's folder is pointed at
    above = [root.name, root.parent.name]
  for part in [*reversed(inside), *above]:
    kind = _NAMES_ITS_KIND.search(part)
    if kind:
      return kind[1] is not None
  return False


def _file_names(source: Source) -> list[str]:
  if isinstance(source, LooseImages):
    return [path.name for _, path in source.images]
  return [entry.name for entry in _entries(source)] if source.is_dir() else [source.name]


def _sheet_files(folder: pathlib.Path, depth: int) -> Iterator[pathlib.Path]:
  for entry in _entries(folder):
    if _is_sheet(entry):
      yield entry
    # Sheets lie beside the trees, not among a hundred thousand frames.
    elif depth < 3 and entry.is_dir():
      yield from _sheet_files(entry, depth + 1)


def _is_sheet(path: pathlib.Path) -> bool:
  return (
    path.suffix.lower() in sheets.SUFFIXES
    and not path.name.startswith(("~", "."))
    and path.is_file()
  )


def _entries(folder: pathlib.Path) -> list[pathlib.Path]:
  try:
    entries = sorted(folder.iterdir())
  except OSError:  # counts as a folder without clips; rows of a sheet for it are refused
    return []
  return [entry for entry in entries if not entry.name.startswith((".", "__MACOSX"))]
