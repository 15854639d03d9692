"""Writes the coding sheets in the layouts the owners distribute."""

import pathlib
from typing import Any

import openpyxl

from data_builders.synthetic import corpora
from data_builders.synthetic.corpora import Corpus
from data_builders.synthetic.plan import PlannedClip
from mer_jax.face import prototypes

Row = dict[str, Any]

# Column order of CASME II's 2014 sheet: two columns have no header.
_CASME2_2014 = (
  "Subject",
  "Filename",
  None,
  "OnsetFrame",
  "ApexFrame",
  "OffsetFrame",
  None,
  "Action Units",
  "Estimated Emotion",
)
_SAMM = (
  "Subject",
  "Filename",
  "Inducement Code",
  "Onset Frame",
  "Apex Frame",
  "Offset Frame",
  "Duration",
  "Micro",
  "Action Units",
  "Estimated Emotion",
  "Objective Classes",
  "Notes",
)
_SAMM_PREAMBLE = 13  # rows above the header
_ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII")


def file_name(corpus: Corpus, sheet: str) -> str | None:
  """Name of the sheet at the root of the corpus; SMIC has none."""
  if corpus.name == "casme2":
    return f"CASME2-coding-{sheet}.xlsx"
  return {"samm": "SAMM_Micro_FACS_Codes_v2.xlsx", "smic": None}[corpus.name]


def rows(corpus: Corpus, clips: list[PlannedClip], sheet: str) -> list[Row]:
  """One row per clip, as cells of the sheet, keyed by header."""
  if corpus.name == "casme2":
    return [_casme2_row(clip, numeric=sheet == "20190701") for clip in clips]
  if corpus.name == "samm":
    return [_samm_row(clip) for clip in clips]
  return []


def _casme2_row(clip: PlannedClip, numeric: bool) -> Row:
  units = prototypes.written(clip.units)
  return {
    "Subject": clip.subject if numeric else f"{clip.subject:02d}",
    "Filename": clip.clip,
    "OnsetFrame": clip.onset,
    "ApexFrame": clip.apex,
    "OffsetFrame": clip.offset,
    # A single AU is a number to the spreadsheet, a combination is text.
    "Action Units": int(units) if units.isdigit() else units,
    "Estimated Emotion": clip.emotion,
  }


def _samm_row(clip: PlannedClip) -> Row:
  return {
    "Subject": f"{clip.subject:03d}",
    "Filename": clip.clip,
    "Inducement Code": int(clip.clip.split("_")[1]),
    "Onset Frame": clip.onset,
    "Apex Frame": clip.apex,
    "Offset Frame": clip.offset,
    "Duration": clip.num_frames,
    "Micro": "Micro - 1/2",
    "Action Units": prototypes.written(clip.units),
    "Estimated Emotion": clip.emotion,
    "Objective Classes": prototypes.objective_class(clip.units),
    "Notes": None,
  }


def write(corpus: Corpus, table: list[Row], sheet: str, root: pathlib.Path) -> None:
  """Writes `table` as the corpus' sheet below `root`; nothing for SMIC."""
  name = file_name(corpus, sheet)
  if name is None:
    return
  book = openpyxl.Workbook()
  page = book.worksheets[0]
  if corpus is corpora.SAMM:
    page.title = "MICRO_ONLY"
    columns: tuple[str | None, ...] = _SAMM
    for line in _preamble():
      page.append([line])
  else:
    page.title = "Sheet1"
    book.create_sheet("Sheet2")
    book.create_sheet("Sheet3")
    # Copies of the 2019 sheet are in circulation without the two blank columns.
    columns = _CASME2_2014 if sheet == "20140508" else tuple(filter(None, _CASME2_2014))
  page.append(list(columns))
  for row in table:
    page.append([row[column] if column else None for column in columns])
  book.save(root / name)


def write_objective_classes(corpus: Corpus, clips: list[PlannedClip], root: pathlib.Path) -> None:
  """Writes CASME II's second workbook, which alone has its objective classes, as 1 to 7."""
  if corpus is not corpora.CASME2:
    return
  book = openpyxl.Workbook()
  page = book.worksheets[0]
  page.append(["Subject", "Filename", "Objective Class"])
  for clip in clips:
    number = _ROMAN.index(prototypes.objective_class(clip.units)) + 1
    page.append([clip.subject, clip.clip, number])
  book.save(root / "CASME2-ObjectiveClasses.xlsx")


def _preamble() -> list[str]:
  text = [
    "SYNTHETIC codes in the layout of the SAMM micro-expression sheet",
    "Drawn by data_builders.synthetic; no person was recorded.",
    "",
    "Key:",
    "/ = or",
    "? = unclear offset",
    "L, R, A before an AU = left, right, asymmetric",
  ]
  return text + [""] * (_SAMM_PREAMBLE - len(text))
