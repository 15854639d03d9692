"""Finds the folders of a corpus below the folder a user points at."""

import dataclasses
import hashlib
import pathlib
import re
from collections.abc import Iterable, Iterator

from data_builders import schema, sheets
from mer_jax.errors import DataError

_DEPTH = 9  # SMIC's longest path has 7 folders; nesting adds some
_NAMES_ITS_KIND = re.compile(r"(crop|registered)|raw", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Tree:
  """One copy of a corpus: a folder of subjects, and the clip folders in it.

  Attributes:
    root: the folder in which the subjects' folders lie.
    clips: (subject folder, clip folder) of every clip, sorted by path.
    cropped: the frames already show the face only.
  """

  root: pathlib.Path
  clips: tuple[tuple[pathlib.Path, pathlib.Path], ...]
  cropped: bool


def require_folder(manual_dir: pathlib.Path, expected: str) -> pathlib.Path:
  """`manual_dir`, if it is a folder that can be listed.

  Raises:
    DataError: it is not; `expected` shows how the tree should look.
  """
  manual_dir = pathlib.Path(manual_dir).expanduser()
  try:
    next(manual_dir.iterdir(), None)
  except OSError as error:
    raise DataError(
      f"--manual_dir {manual_dir} cannot be read ({error.strerror}).\n{expected}"
    ) from error
  return manual_dir


def find_trees(manual_dir: pathlib.Path, subject: str, clip: str) -> list[Tree]:
  """Every copy of the corpus below `manual_dir`, nested however deep.

  Args:
    manual_dir: the folder that holds the corpus, or the tree itself.
    subject, clip: regular expressions (full match, any case) of the folder names. Folders may
      lie between the two, as in SMIC's s1/micro/negative/s1_ne_01.

  Returns:
    Trees: cropped ones first, then those with more clips, then the shorter path.
  """
  subject_name = re.compile(subject, re.IGNORECASE)
  clip_name = re.compile(clip, re.IGNORECASE)
  clips_of: dict[pathlib.Path, list[tuple[pathlib.Path, pathlib.Path]]] = {}
  for folder in _clip_folders(manual_dir, clip_name, 0):
    above = [p for p in folder.parents if subject_name.fullmatch(p.name)]
    if above:
      clips_of.setdefault(above[0].parent, []).append((above[0], folder))
  trees = [
    Tree(root, tuple(sorted(clips)), _is_cropped(manual_dir, root, clips))
    for root, clips in clips_of.items()
  ]
  return sorted(trees, key=lambda t: (not t.cropped, -len(t.clips), len(str(t.root)), str(t.root)))


def find_sheets(manual_dir: pathlib.Path, root: pathlib.Path) -> list[pathlib.Path]:
  """Workbooks and csv files below `manual_dir`; where that is the tree itself, those around it.

  Lock files ("~$...") and hidden files are left out.
  """
  paths = list(_sheet_files(manual_dir, 0))
  if not paths and root in (manual_dir, manual_dir / manual_dir.name):
    # Someone who points at .../CASME2/Cropped/Cropped keeps the sheet in .../CASME2.
    for folder in [manual_dir.resolve(), *manual_dir.resolve().parents][1:3]:
      paths += [path for path in _entries(folder) if _is_sheet(path)]
  return sorted(paths)


def is_synthetic(manual_dir: pathlib.Path, root: pathlib.Path) -> bool:
  """Whether the corpus carries the mark of `data_builders.synthetic`."""
  folders = [manual_dir, root, *list(root.resolve().parents)[:6]]
  return any((folder / schema.SYNTHETIC_MARK).is_file() for folder in folders)


def fingerprint(
  root: pathlib.Path, frames: Iterable[pathlib.Path], sheets_read: Iterable[pathlib.Path]
) -> str:
  """The identity of a corpus, as a sha256 in hexadecimal.

  It covers the names (relative to `root`) and sizes of the frames, which are too many to be read
  for it, and the content of the sheets, in which an edited number need not change the size.
  """
  lines = []
  for path in frames:
    name = path.relative_to(root) if path.is_relative_to(root) else path.name
    try:
      lines.append(f"{name} {path.stat().st_size}")
    except OSError:
      lines.append(f"{name} unreadable")
  lines += [hashlib.sha256(path.read_bytes()).hexdigest() for path in sheets_read]
  return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def _clip_folders(
  folder: pathlib.Path, clip_name: re.Pattern[str], depth: int
) -> Iterator[pathlib.Path]:
  for entry in _entries(folder):
    if entry.is_dir():
      if clip_name.fullmatch(entry.name):
        yield entry
      elif depth < _DEPTH:
        yield from _clip_folders(entry, clip_name, depth + 1)


def _is_cropped(
  manual_dir: pathlib.Path,
  root: pathlib.Path,
  clips: Iterable[tuple[pathlib.Path, pathlib.Path]],
) -> bool:
  # CASME II and SMIC call cropped frames reg_*, and the trees Cropped, *_cropped or *RAW*.
  for _, clip in sorted(clips):
    names = [entry.name for entry in _entries(clip)]
    if names:
      if any(name.startswith("reg_") for name in names):
        return True
      break
  # Folders above the corpus are the user's own and may be called anything; only of a tree that
  # is itself pointed at does the folder around it count (SMIC_all_cropped/HS).
  here = manual_dir.resolve()
  above = [here.name, here.parent.name] if root == manual_dir else [here.name]
  for part in [*reversed(root.relative_to(manual_dir).parts), *above]:
    kind = _NAMES_ITS_KIND.search(part)
    if kind:
      return kind[1] is not None
  return False


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
