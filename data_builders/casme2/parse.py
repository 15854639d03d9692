"""Reads CASME II's tree and coding sheet into records; touches no pixel."""

import pathlib
import re
from collections.abc import Mapping

from data_builders import annotate, sheet_corpus, sheets, tree
from data_builders.build_report import BuildReport
from data_builders.choice import Key
from data_builders.frames import Frame
from data_builders.options import Options
from data_builders.record import Record

DATASET = "casme2"
FPS = 200.0
EMOTIONS = ("others", "disgust", "happiness", "repression", "surprise", "sadness", "fear")
EXPECTED = """CASME II should look like this (nested deeper is fine, and so is the tree alone
with the sheet beside it):
  MANUAL_DIR/
    CASME2-coding-20140508.xlsx      or CASME2-coding-20190701.xlsx
    CASME2-ObjectiveClasses.xlsx     optional
    Cropped/sub01/EP02_01f/reg_img46.jpg ...
    CASME2_RAW_selected/sub01/EP02_01f/img46.jpg ...   instead of Cropped, or beside it"""

_NUMBER = r"(?:subject|subj|sub|s|p)?[ _-]?0*(\d{1,2})"
_CLIP = r"EP\d\w*"
# A clip may name its subject: sub01_EP02_01f.
_JOINED = re.compile(rf"(?:{_NUMBER}[ _-]?)?({_CLIP})", re.IGNORECASE)
_REQUIRED = {
  "subject": ("Subject",),
  "filename": ("Filename", "File name", "Clip"),
  "onset": ("OnsetFrame", "Onset"),
  "apex": ("ApexFrame", "Apex"),
  "offset": ("OffsetFrame", "Offset"),
  "emotion": ("Estimated Emotion", "Emotion"),
}
_OPTIONAL = {
  "action_units": ("Action Units", "AU", "AUs"),
  "objective_class": ("Objective Classes", "Objective Class"),
}
_OBJECTIVE = {
  "subject": ("Subject",),
  "filename": ("Filename",),
  "objective_class": ("Objective Class", "Objective Classes"),
}


def parse(
  manual_dir: pathlib.Path,
  config: str,
  sheet: pathlib.Path | None = None,
  crop: str = "auto",
  apex: pathlib.Path | None = None,
  retimed: bool = False,
) -> tuple[list[Record], BuildReport]:
  """Records and report of the CASME II in `manual_dir`, see `sheet_corpus.read` and `Options`."""
  options = Options(sheet, crop, apex, retimed)
  return sheet_corpus.read(CORPUS, manual_dir, config, options)


def _row_key(row: sheets.Row) -> Key:
  subject = re.fullmatch(rf"{_NUMBER}(?:\.0*)?", row.text("subject"), re.IGNORECASE)
  clip = row.text("filename")
  if subject is None or not re.fullmatch(_CLIP, clip, re.IGNORECASE):
    raise ValueError(
      f"subject {row.text('subject')!r} and file name {clip!r} are not like '01' and 'EP02_01f'"
    )
  return f"sub{int(subject[1]):02d}", clip


def _clip_key(clip: tree.Clip) -> Key:
  match = _JOINED.fullmatch(clip.name)
  assert match is not None  # the tree was searched for such names
  number = match[1]
  if number is None and clip.subject is not None:
    number = re.findall(r"[0-9]+", clip.subject.absolute().name)[-1]
  return "" if number is None else f"sub{int(number):02d}", match[2]


def _objective_classes(workbooks: list[pathlib.Path], report: BuildReport) -> dict[Key, str]:
  """{key: "I" to "VII"} from CASME2-ObjectiveClasses.xlsx, empty without it."""
  for path in workbooks:
    if re.search("objective", path.name, re.IGNORECASE):
      report.source["objective classes"] = str(path)
      classes: dict[Key, str] = {}
      for row in sheets.read_rows(path, _OBJECTIVE):
        try:
          classes[_row_key(row)] = annotate.roman(row.text("objective_class"))
        except ValueError:
          report.note(f"{path.name}, row {row.number}: not a clip and a class from 1 to 7; skipped")
      return classes
  return {}


def _offset(
  name: str, row: sheets.Row, onset: int, frames: Mapping[int, Frame], report: BuildReport
) -> int:
  offset = row.integer("offset")
  if offset is None:
    offset = max(frames)
    report.repair(
      name,
      f"offset {row.text('offset')!r}",
      f"{offset}, the last frame present",
      "it is no frame number",
    )
  return offset


CORPUS = sheet_corpus.SheetCorpus(
  dataset=DATASET,
  expected=EXPECTED,
  fps=FPS,
  emotions=EMOTIONS,
  subject=_NUMBER,
  clip=_JOINED.pattern,
  required=_REQUIRED,
  optional=_OPTIONAL,
  row_key=_row_key,
  clip_key=_clip_key,
  offset=_offset,
  objective_classes=_objective_classes,
)
