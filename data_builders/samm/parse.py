"""Reads SAMM's tree and FACS sheet into records; touches no pixel."""

import pathlib
import re
from collections.abc import Mapping

from data_builders import annotate, sheets, tree
from data_builders.build_report import BuildReport
from data_builders.frames import FrameError, list_frames
from data_builders.record import Record

DATASET = "samm"
FPS = 200.0
EMOTIONS = (
  "anger",
  "others",
  "happiness",
  "surprise",
  "contempt",
  "disgust",
  "fear",
  "sadness",
)
EXPECTED = """SAMM should look like this (nested deeper is fine, and so is the tree alone with
the sheet beside it):
  MANUAL_DIR/
    SAMM_Micro_FACS_Codes_v2.xlsx
    SAMM/006/006_1_2/006_05562.jpg ...
Frames already cut to the face are taken as they are if their tree's name contains "crop"."""

_SUBJECT = r"\d{1,3}"
_CLIP = r"\d{1,3}_\d{1,2}_\d{1,2}"
_REQUIRED = {
  "subject": ("Subject",),
  "filename": ("Filename", "File name"),
  "onset": ("Onset Frame", "Onset"),
  "apex": ("Apex Frame", "Apex"),
  "offset": ("Offset Frame", "Offset"),
  "emotion": ("Estimated Emotion", "Emotion"),
}
_OPTIONAL = {
  "duration": ("Duration",),
  "micro": ("Micro", "Type"),
  "action_units": ("Action Units", "AU", "AUs"),
  "objective_class": ("Objective Classes", "Objective Class"),
}


def parse(
  manual_dir: pathlib.Path, config: str, sheet: pathlib.Path | None = None, crop: str = "auto"
) -> tuple[list[Record], BuildReport]:
  """Finds the micro-expressions of SAMM and repairs or refuses what is wrong with them.

  Args:
    manual_dir: holds the corpus as its owners distribute it, or is the tree itself.
    config: name of the builder config, for the report.
    sheet: the FACS sheet; None chooses the newest by the date in its name.
    crop: "auto" (unless the tree is called cropped), "face" or "as_is".

  Returns:
    Records sorted by key, and the report so far (damaged images are refused when they are decoded).

  Raises:
    DataError: tree or sheet absent or unreadable, or a column of the sheet is missing.
  """
  manual_dir = tree.require_folder(manual_dir, EXPECTED)
  report = BuildReport(DATASET, config, options={"crop": crop, "sheet": str(sheet or "newest")})
  trees = tree.find_trees(manual_dir, _SUBJECT, _CLIP)
  copy = annotate.choose_tree(trees, manual_dir, EXPECTED, report)
  codes = sheet or annotate.choose_sheet(
    tree.find_sheets(manual_dir, copy.root), _REQUIRED, manual_dir, EXPECTED, report
  )
  report.source["sheet"] = str(codes)
  rows = annotate.keyed(
    _micro(sheets.read_rows(codes, _REQUIRED, _OPTIONAL), report), _key, DATASET, report
  )
  folders = annotate.clip_folders(copy, lambda _, clip: _canonical(clip.name), DATASET, report)
  cropping = annotate.cropping(crop, copy, report)
  records = []
  for key in annotate.matched(rows, folders, DATASET, report):
    try:
      frames, stray = list_frames(folders[key])
      annotate.note_stray(folders[key], stray, report)
      records.append(_record(key, rows[key], frames, cropping, report))
    except FrameError as error:
      report.refuse("/".join((DATASET, *key)), str(error))
  annotate.close(records, copy, [codes], report)
  return records, report


def _micro(rows: list[sheets.Row], report: BuildReport) -> list[sheets.Row]:
  # Sheets of the long videos list macro-expressions too; an absent column means micro only.
  micro = [row for row in rows if not row.text("micro").lower().startswith("macro")]
  if len(micro) < len(rows):
    report.note(f"{len(rows) - len(micro)} macro-expressions of the sheet left out")
  return micro


def _key(row: sheets.Row) -> tuple[str, str]:
  # The file name begins with the subject, and unlike the subject's cell it is never a number.
  name = row.text("filename")
  subject = re.fullmatch(r"0*(\d{1,3})(?:\.0*)?", row.text("subject"))
  if not re.fullmatch(_CLIP, name):
    raise ValueError(f"file name {name!r} is not like '006_1_2'")
  key = _canonical(name)
  if subject is not None and int(subject[1]) != int(key[0]):
    raise ValueError(f"subject {row.text('subject')!r} contradicts file name {name!r}")
  return key


def _canonical(clip: str) -> tuple[str, str]:
  subject, inducement, index = (int(part) for part in clip.split("_"))
  return f"{subject:03d}", f"{subject:03d}_{inducement}_{index}"


def _record(
  key: tuple[str, str],
  row: sheets.Row,
  frames: Mapping[int, pathlib.Path],
  crop: bool,
  report: BuildReport,
) -> Record:
  name = "/".join((DATASET, *key))
  if not frames:
    raise FrameError("its folder holds no frame")
  emotion = annotate.emotion(row.text("emotion"), EMOTIONS)
  onset = row.integer("onset")
  if onset is None:
    raise FrameError(f"its onset is {row.text('onset')!r}, not a frame number")
  offset = _offset(name, row, onset, frames, report)
  try:
    objective_class = annotate.roman(row.text("objective_class"))
  except ValueError:
    objective_class = ""
  return annotate.record(
    key,
    row,
    frames,
    (onset, offset),
    report,
    labels=annotate.Labels(emotion, objective_class),
    fps=FPS,
    crop=crop,
  )


def _offset(
  name: str,
  row: sheets.Row,
  onset: int,
  frames: Mapping[int, pathlib.Path],
  report: BuildReport,
) -> int:
  """The offset; where it is "?" or contradicted, onset + Duration - 1.

  The key of the sheet says that "?" marks an unclear offset. Duration counts both ends in every
  row of the release, so that it settles which digits of an offset were swapped.
  """
  offset, duration = row.integer("offset"), row.integer("duration")
  rebuilt = None if duration is None or duration < 1 else onset + duration - 1
  if offset is not None and (rebuilt in (None, offset) or offset in frames):
    return offset
  written = row.text("offset")
  if rebuilt is None:
    last = max(frames)
    report.repair(
      name,
      f"offset {written!r}",
      f"{last}, the last frame present",
      "it is no frame number, and Duration gives none",
    )
    return last
  why = "it is no frame number" if offset is None else f"no frame {offset} exists"
  report.repair(
    name, f"offset {written!r}", f"{rebuilt} = onset + Duration - 1 ({duration} frames)", why
  )
  return rebuilt
