"""Writes the coding sheets of long videos in the layouts that their owners distribute."""

import pathlib
from typing import NamedTuple

import openpyxl

from data_builders.synthetic import long_formats
from data_builders.synthetic.long_formats import LongFormat
from data_builders.synthetic.long_plan import Event
from mer_jax.face import prototypes

CASME_SQUARED_SHEET = "CAS(ME)^2code_final.xlsx"
SAMM_LV_SHEET = "SAMM_LongVideos_V2_Release.xlsx"
SAMM_SHEET = "SAMM_Micro_FACS_Codes_v2.xlsx"
_SAMM_LV = (
  *("Subject", "Filename", "Inducement Code", "Onset", "Apex", "Offset", "Duration", "Type"),
  *("Action Units", "Notes"),
)
_SAMM = (
  *("Subject", "Filename", "Inducement Code", "Onset Frame", "Apex Frame", "Offset Frame"),
  *("Duration", "Micro", "Action Units", "Estimated Emotion", "Objective Classes", "Notes"),
)


class Coded(NamedTuple):
  """One expression of one video, as coders write it down; `index` of the video from 0."""

  subject: int
  index: int
  number: int
  event: Event


def write(kind: LongFormat, subjects: list[int], coded: list[Coded], root: pathlib.Path) -> None:
  """Writes the sheets of a corpus of these subjects below `root`; frames count from 1."""
  if kind is long_formats.CASME_SQUARED:
    _casme_squared(subjects, coded, root)
  else:
    _samm_lv(coded, root)


def _casme_squared(subjects: list[int], coded: list[Coded], root: pathlib.Path) -> None:
  """Without a header: subject, video, onset, apex, offset, AUs, emotion, type, self-report."""
  book = openpyxl.Workbook()
  page = book.worksheets[0]
  page.title = "CASFEcode_final"
  for subject, index, number, event in coded:
    page.append(
      [
        subjects.index(subject) + 1,
        f"{long_formats.FILMS[index][1]}_{number}",
        *(event.start + 1, event.apex + 1, event.end + 1),
        prototypes.written(event.units),
        event.emotion,
        f"{event.kind}-expression",
        None,
      ]
    )
  rule = book.create_sheet("naming rule1")
  for number, subject in enumerate(subjects, 1):
    rule.append([f"s{subject}", str(subject), number])
  rule = book.create_sheet("naming rule2")
  for code, name, _ in long_formats.FILMS:
    rule.append([code, name])
  book.save(root / CASME_SQUARED_SHEET)


def _samm_lv(coded: list[Coded], root: pathlib.Path) -> None:
  """The sheet of movements, and the older one that alone has emotions, of micro-expressions."""
  preamble = ["SYNTHETIC codes in the layout of the SAMM Long Videos sheet", *[""] * 8]
  rows = [_samm_cells(row) for row in coded]
  _save(root / SAMM_LV_SHEET, "FACS_Movement_Only", preamble, _SAMM_LV, rows)
  micro = [_samm_cells(row) for row in coded if row.event.kind == "micro"]
  preamble = ["SYNTHETIC codes in the layout of the SAMM micro-expression sheet", *[""] * 12]
  _save(root / SAMM_SHEET, "MICRO_ONLY", preamble, _SAMM, micro)


def _samm_cells(row: Coded) -> dict[str, object]:
  event, kind = row.event, {"micro": "Micro - 1/2", "macro": "Macro"}[row.event.kind]
  onset, apex, offset = event.start + 1, event.apex + 1, event.end + 1
  return {
    "Subject": f"{row.subject:03d}",
    "Filename": f"{row.subject:03d}_{row.index + 1}_{row.number}",
    "Inducement Code": row.index + 1,
    "Onset": onset,
    "Apex": apex,
    "Offset": offset,
    "Onset Frame": onset,
    "Apex Frame": apex,
    "Offset Frame": offset,
    "Duration": offset - onset + 1,
    "Type": kind,
    "Micro": kind,
    "Action Units": prototypes.written(event.units),
    "Estimated Emotion": event.emotion,
    "Objective Classes": prototypes.objective_class(event.units),
  }


def _save(
  path: pathlib.Path,
  title: str,
  preamble: list[str],
  columns: tuple[str, ...],
  rows: list[dict[str, object]],
) -> None:
  book = openpyxl.Workbook()
  page = book.worksheets[0]
  page.title = title
  for line in [*([text] for text in preamble), list(columns)]:
    page.append(line)
  for row in rows:
    page.append([row.get(column) for column in columns])
  book.save(path)
