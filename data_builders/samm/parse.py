"""Reads SAMM's tree and FACS sheet into records; touches no pixel."""

import pathlib
import re
from collections.abc import Mapping

from data_builders import sheet_corpus, sheets, tree
from data_builders.build_report import BuildReport
from data_builders.choice import Key
from data_builders.frames import Frame
from data_builders.options import Options
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

_SUBJECT = r"(?:subject|subj|sub|s|p)?[ _-]?\d{1,3}"
_CLIP = r"\d{1,3}_\d{1,2}_\d{1,2}"
# The name of a clip begins with its subject, which some copies put before it once more.
_JOINED = re.compile(rf"(?:{_SUBJECT}_)?({_CLIP})", re.IGNORECASE)
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
  manual_dir: pathlib.Path,
  config: str,
  sheet: pathlib.Path | None = None,
  crop: str = "auto",
  apex: pathlib.Path | None = None,
  retimed: bool = False,
) -> tuple[list[Record], BuildReport]:
  """Records and report of the SAMM in `manual_dir`, see `sheet_corpus.read` and `Options`."""
  options = Options(sheet, crop, apex, retimed)
  return sheet_corpus.read(CORPUS, manual_dir, config, options)


def _micro(rows: list[sheets.Row], report: BuildReport) -> list[sheets.Row]:
  # Sheets of the long videos list macro-expressions too; an absent column means micro only.
  micro = [row for row in rows if not row.text("micro").lower().startswith("macro")]
  if len(micro) < len(rows):
    report.note(f"{len(rows) - len(micro)} macro-expressions of the sheet left out")
  return micro


def _row_key(row: sheets.Row) -> Key:
  # The file name begins with the subject, and unlike the subject's cell it is never a number.
  name = row.text("filename")
  subject = re.fullmatch(r"0*(\d{1,3})(?:\.0*)?", row.text("subject"))
  if not re.fullmatch(_CLIP, name):
    raise ValueError(f"file name {name!r} is not like '006_1_2'")
  key = _canonical(name)
  if subject is not None and int(subject[1]) != int(key[0]):
    raise ValueError(f"subject {row.text('subject')!r} contradicts file name {name!r}")
  return key


def _canonical(clip: str) -> Key:
  subject, inducement, index = (int(part) for part in clip.split("_"))
  return f"{subject:03d}", f"{subject:03d}_{inducement}_{index}"


def _clip_key(clip: tree.Clip) -> Key:
  match = _JOINED.fullmatch(clip.name)
  assert match is not None  # the tree was searched for such names
  return _canonical(match[1])


def _offset(
  name: str,
  row: sheets.Row,
  onset: int,
  frames: Mapping[int, Frame],
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


CORPUS = sheet_corpus.SheetCorpus(
  dataset=DATASET,
  expected=EXPECTED,
  fps=FPS,
  emotions=EMOTIONS,
  subject=_SUBJECT,
  clip=_JOINED.pattern,
  required=_REQUIRED,
  optional=_OPTIONAL,
  row_key=_row_key,
  clip_key=_clip_key,
  offset=_offset,
  rows=_micro,
)
