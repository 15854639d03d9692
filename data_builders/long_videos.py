"""Corpora of long videos as their owners distribute them: CAS(ME)^2 and SAMM Long Videos.

They are not built into clips: `mer_jax spot` reads their frames from where they lie.
"""

import dataclasses
import os
import pathlib
import re
from collections.abc import Iterator

from data_builders import sheets, tree
from data_builders.frames import FrameError, list_frames
from data_builders.sheets import Row
from mer_jax.errors import DataError

EXPECTED = """Expected a corpus of long videos as its owners distribute it:
  CAS(ME)^2          rawpic/s15/15_0101.../img001.jpg and CAS(ME)^2code_final.xlsx
  SAMM Long Videos   SAMM_longvideos/006_1/006_1_0001.jpg and SAMM_LongVideos_V2_Release.xlsx"""
_SAMM_LV = {
  "filename": ("Filename",),
  "onset": ("Onset", "Onset Frame"),
  "apex": ("Apex", "Apex Frame"),
  "offset": ("Offset", "Offset Frame"),
  "kind": ("Type", "Micro"),
}
_DEPTH = 6  # of folders; links may go in circles
_SAMM = {"filename": ("Filename",), "emotion": ("Estimated Emotion",)}


@dataclasses.dataclass(frozen=True)
class Expression:
  """One coded expression: indices into the frames of its video, inclusive.

  Attributes:
    onset, apex, offset: indices; apex is the middle where coders give none.
    kind: "micro" or "macro".
    emotion: native label in lower case, "" where there is none.
  """

  onset: int
  apex: int
  offset: int
  kind: str
  emotion: str


@dataclasses.dataclass(frozen=True)
class LongVideo:
  """One video: its frames in order of their numbers, and what coders saw in it."""

  subject: str
  name: str
  numbers: tuple[int, ...]
  frames: tuple[pathlib.Path, ...]
  expressions: tuple[Expression, ...]


@dataclasses.dataclass(frozen=True)
class LongCorpus:
  """Videos sorted by name; `remarks` say which rows or folders were left out, and why."""

  format: str
  fps: int
  videos: tuple[LongVideo, ...]
  remarks: tuple[str, ...]
  synthetic: bool


def read(root: str | os.PathLike[str]) -> LongCorpus:
  """The corpus in a folder; the name of its sheet decides which it is.

  Raises:
    DataError: there is no such corpus in it, or its sheet cannot be read.
  """
  root = tree.require_folder(pathlib.Path(root), EXPECTED)
  workbooks = tree.find_sheets(root, root)
  for name, (sheet_name, _, _) in _FORMATS.items():
    for sheet in workbooks:
      if re.search(sheet_name, sheet.name, re.IGNORECASE):
        return _read(root, name, sheet, workbooks)
  raise DataError(
    f"{root}: no coding sheet of long videos; sheets there:"
    f" {', '.join(path.name for path in workbooks) or 'none'}.\n{EXPECTED}"
  )


@dataclasses.dataclass(frozen=True)
class _Coded:
  """One row of a sheet: the key of its video, frame numbers, kind and emotion."""

  where: str
  video: tuple[str, str]
  onset: int
  apex: int
  offset: int
  kind: str
  emotion: str


def _read(
  root: pathlib.Path, name: str, sheet: pathlib.Path, workbooks: list[pathlib.Path]
) -> LongCorpus:
  _, folder_name, fps = _FORMATS[name]
  remarks: list[str] = []
  if name == "casme_squared":
    rows = _casme_squared(sheet, remarks)
  else:
    rows = _samm_lv(sheet, workbooks, remarks)
  videos, present = [], set()
  for folder, key in _video_folders(root, re.compile(folder_name)):
    present.add(key)
    try:
      numbered, _ = list_frames(folder)
    except FrameError as error:
      remarks.append(f"video {folder.name} left out: {error}")
      continue
    numbers = tuple(numbered)
    coded = tuple(_located([row for row in rows if row.video == key], numbers, remarks))
    videos.append(LongVideo(key[0], folder.name, numbers, tuple(numbered.values()), coded))
  absent = sorted({row.video for row in rows} - present)
  remarks += [f"video {'_'.join(video)} is coded and has no frames" for video in absent]
  if not videos:
    raise DataError(f"{root}: {sheet.name} is there, but no folder of frames.\n{EXPECTED}")
  return LongCorpus(name, fps, tuple(videos), tuple(remarks), tree.is_synthetic(root, root))


def _video_folders(
  root: pathlib.Path, pattern: re.Pattern[str]
) -> list[tuple[pathlib.Path, tuple[str, str]]]:
  """Folders of frames with the keys of their videos, sorted by name."""
  videos = []
  for where, folders, _ in os.walk(root, followlinks=True):
    if len(pathlib.Path(where).relative_to(root).parts) >= _DEPTH:
      folders.clear()
    matches = [match for folder in folders if (match := pattern.match(folder))]
    videos += [(pathlib.Path(where, m.string), (m[1], m[2])) for m in matches]
    folders[:] = [folder for folder in folders if not pattern.match(folder)]
  return sorted(videos, key=lambda video: video[0].name)


def _located(
  rows: list[_Coded], numbers: tuple[int, ...], remarks: list[str]
) -> Iterator[Expression]:
  """Expressions by index of frame; those outside the frames are left out with a remark."""
  at = {number: index for index, number in enumerate(numbers)}
  for row in rows:
    inside = [number for number in range(row.onset, row.offset + 1) if number in at]
    if not inside:
      remarks.append(f"{row.where} left out: no frame from {row.onset} to {row.offset}")
      continue
    apex = min(inside, key=lambda number: abs(number - row.apex))
    yield Expression(at[inside[0]], at[apex], at[inside[-1]], row.kind, row.emotion)


def _casme_squared(sheet: pathlib.Path, remarks: list[str]) -> list[_Coded]:
  """Sheet 1: subject, video, onset, apex, offset, AUs, emotion, type; 2 and 3: their codes."""
  pages = [rows for _, rows in sheets.tables(sheet)]
  if len(pages) < 3:
    raise DataError(
      f"{sheet} has {len(pages)} sheets; expected three: expressions, subjects, names of videos."
    )
  subjects = {_text(row[2]): _text(row[1]) for row in pages[1] if len(row) > 2}
  films = {_text(row[1]): f"{_text(row[0]):0>4}" for row in pages[2] if len(row) > 1}
  coded = []
  for number, cells in enumerate(pages[0], 1):
    names = ["subject", "video", "onset", "apex", "offset", "units", "emotion", "kind"]
    row = Row(number, dict(zip(names, cells, strict=False)))
    video = row.text("video").split("_")[0]
    key = subjects.get(row.text("subject"), ""), films.get(video, "")
    made = _coded(f"{sheet.name} row {number}", key, row, row.text("emotion"))
    if made is None or not all(key):
      remarks.append(f"{sheet.name} row {number} left out: {_cells(cells)} is not an expression")
    else:
      coded.append(made)
  return coded


def _samm_lv(
  sheet: pathlib.Path, workbooks: list[pathlib.Path], remarks: list[str]
) -> list[_Coded]:
  """Emotions of micro-expressions stand in the sheet of SAMM itself, where that is present."""
  emotions: dict[str, str] = {}
  for path in workbooks:
    if re.search(r"samm_micro", path.name, re.IGNORECASE):
      emotions |= {r.text("filename"): r.text("emotion") for r in sheets.read_rows(path, _SAMM)}
  coded = []
  for row in sheets.read_rows(sheet, _SAMM_LV):
    name, where = row.text("filename"), f"{sheet.name} row {row.number}"
    match = re.fullmatch(r"(\d{3})_(\d+)_\d+", name)
    made = _coded(where, (match[1], match[2]), row, emotions.get(name, "")) if match else None
    if made is None:
      remarks.append(f"{where} left out: {name} {row.text('onset')} to {row.text('offset')}")
    else:
      coded.append(made)
  return coded


def _coded(where: str, video: tuple[str, str], row: Row, emotion: str) -> _Coded | None:
  """The row, or None where it is no expression with an onset.

  CAS(ME)^2 has offset 0 where coders saw none: the apex stands for it. SAMM Long Videos has onset
  0 where a movement lasts through the video.
  """
  onset, apex, offset = (row.integer(name) for name in ("onset", "apex", "offset"))
  kind = re.match(r"micro|macro", row.text("kind"), re.IGNORECASE)
  offset = offset or apex
  if not onset or offset is None or offset < onset or kind is None:
    return None
  apex = apex if apex is not None and onset <= apex <= offset else (onset + offset) // 2
  return _Coded(where, video, onset, apex, offset, kind[0].lower(), emotion.lower())


def _text(cell: object) -> str:
  return Row(0, {"cell": cell}).text("cell")


def _cells(cells: list[object]) -> str:
  return ", ".join(_text(cell) for cell in cells[:5])


# Name of the sheet, name of a video's folder with the two parts of its key, frames per second.
_FORMATS = {
  "casme_squared": (r"code_final", r"(\d+)_(\d{4})", 30),
  "samm_lv": (r"longvideos", r"(\d{3})_(\d+)$", 200),
}
