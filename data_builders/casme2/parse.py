"""Reads CASME II's tree and coding sheet into records; touches no pixel."""

import pathlib
import re
from collections.abc import Mapping

from data_builders import annotate, sheets, tree
from data_builders.build_report import BuildReport
from data_builders.frames import FrameError, list_frames
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

_SUBJECT = r"(?:sub)?0*\d{1,2}"
_CLIP = r"EP\d\w*"
_REQUIRED = {
  "subject": ("Subject",),
  "filename": ("Filename", "File name", "Clip"),
  "onset": ("OnsetFrame", "Onset"),
  "apex": ("ApexFrame", "Apex"),
  "offset": ("OffsetFrame", "Offset"),
  "emotion": ("Estimated Emotion", "Emotion"),
}
_OPTIONAL = {"action_units": ("Action Units", "AU", "AUs")}
_OBJECTIVE = {
  "subject": ("Subject",),
  "filename": ("Filename",),
  "objective_class": ("Objective Class", "Objective Classes"),
}


def parse(
  manual_dir: pathlib.Path, config: str, sheet: pathlib.Path | None = None, crop: str = "auto"
) -> tuple[list[Record], BuildReport]:
  """Finds the clips of CASME II and repairs or refuses what is wrong with them.

  Args:
    manual_dir: holds the corpus as its owners distribute it, or is the tree itself.
    config: name of the builder config, for the report.
    sheet: the coding sheet; None chooses the newest by the date in its name.
    crop: "auto" (raw trees only), "face" or "as_is".

  Returns:
    Records sorted by key, and the report so far (damaged images are refused when they are decoded).

  Raises:
    DataError: tree or sheet absent or unreadable, or a column of the sheet is missing.
  """
  manual_dir = tree.require_folder(manual_dir, EXPECTED)
  report = BuildReport(DATASET, config, options={"crop": crop, "sheet": str(sheet or "newest")})
  trees = tree.find_trees(manual_dir, _SUBJECT, _CLIP)
  copy = annotate.choose_tree(trees, manual_dir, EXPECTED, report)
  workbooks = tree.find_sheets(manual_dir, copy.root)
  coding = sheet or annotate.choose_sheet(
    [p for p in workbooks if not re.search("objective", p.name, re.IGNORECASE)],
    _REQUIRED,
    manual_dir,
    EXPECTED,
    report,
  )
  report.source["sheet"] = str(coding)
  rows = annotate.keyed(sheets.read_rows(coding, _REQUIRED, _OPTIONAL), _key, DATASET, report)
  classes = _objective_classes(workbooks, report)
  folders = annotate.clip_folders(copy, _folder_key, DATASET, report)
  cropping = annotate.cropping(crop, copy, report)
  records = []
  for key in annotate.matched(rows, folders, DATASET, report):
    name = "/".join((DATASET, *key))
    try:
      frames, stray = list_frames(folders[key])
      annotate.note_stray(folders[key], stray, report)
      records.append(_record(key, rows[key], frames, classes.get(key, ""), cropping, report))
    except FrameError as error:
      report.refuse(name, str(error))
  objective = [p for p in workbooks if str(p) == report.source.get("objective classes")]
  annotate.close(records, copy, [coding, *objective], report)
  return records, report


def _key(row: sheets.Row) -> tuple[str, str]:
  subject = re.fullmatch(r"(?:sub)?0*(\d{1,2})(?:\.0*)?", row.text("subject"), re.IGNORECASE)
  clip = row.text("filename")
  if subject is None or not re.fullmatch(_CLIP, clip, re.IGNORECASE):
    raise ValueError(
      f"subject {row.text('subject')!r} and file name {clip!r} are not like '01' and 'EP02_01f'"
    )
  return f"sub{int(subject[1]):02d}", clip


def _folder_key(subject: pathlib.Path, clip: pathlib.Path) -> tuple[str, str]:
  return f"sub{int(re.findall(r'[0-9]+', subject.name)[-1]):02d}", clip.name


def _objective_classes(
  workbooks: list[pathlib.Path], report: BuildReport
) -> dict[tuple[str, str], str]:
  """{key: "I" to "VII"} from CASME2-ObjectiveClasses.xlsx, empty without it."""
  for path in workbooks:
    if re.search("objective", path.name, re.IGNORECASE):
      report.source["objective classes"] = str(path)
      classes: dict[tuple[str, str], str] = {}
      for row in sheets.read_rows(path, _OBJECTIVE):
        try:
          classes[_key(row)] = annotate.roman(row.text("objective_class"))
        except ValueError:
          report.note(f"{path.name}, row {row.number}: not a clip and a class from 1 to 7; skipped")
      return classes
  return {}


def _record(
  key: tuple[str, str],
  row: sheets.Row,
  frames: Mapping[int, pathlib.Path],
  objective_class: str,
  crop: bool,
  report: BuildReport,
) -> Record:
  name = "/".join((DATASET, *key))
  if not frames:
    raise FrameError("its folder holds no frame")
  emotion = annotate.emotion(row.text("emotion"), EMOTIONS)
  onset, offset = row.integer("onset"), row.integer("offset")
  if onset is None:
    raise FrameError(f"its onset is {row.text('onset')!r}, not a frame number")
  if offset is None:
    offset = max(frames)
    report.repair(
      name,
      f"offset {row.text('offset')!r}",
      f"{offset}, the last frame present",
      "it is no frame number",
    )
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
