"""Writes tiny corpora in their owners' layout: frames of noise, sheets of a few rows."""

import pathlib
from collections.abc import Iterable, Sequence

import cv2
import numpy as np
import openpyxl

CASME2_HEADER = (
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
# subject, clip, onset, apex, offset, action units, emotion: invented
CASME2_CLIPS = (
  ("01", "EP02_01f", 8, 10, 12, 12, "happiness"),
  ("01", "EP03_02", 98, 101, 103, "4+7", "disgust"),
  ("02", "EP02_01f", 5, 7, 9, "R2+15", "others"),
  ("02", "EP07_11f", 1, 3, 6, "14", "repression"),
  ("17", "EP01_01", 50, 52, 55, "1+2", "surprise"),
)
SAMM_HEADER = (
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
SAMM_CLIPS = (
  ("006", "006_1_2", 5562, 5564, 5566, "12+15 ", "Happiness", "I"),
  ("006", "006_2_1", 998, 1000, 1001, "A/L12", "Other", "VII"),
  ("009", "009_3_4", 3577, 3580, 3581, "4A/B", "Anger", "III"),
  ("011", "011_1_1", 99998, 99999, 100002, "1+2", "Surprise", "II"),
)
SMIC_CLIPS = (
  (1, "ne", 1, 559740, 4),
  (1, "po", 2, 559998, 5),
  (3, "sur", 1, 90823, 4),
  (18, "sur", 3, 999998, 4),
  (20, "ne", 1, 17581039, 3),
)
SMIC_FOLDERS = {"ne": "negative", "po": "positive", "sur": "surprise"}


def image(path: pathlib.Path, seed: int = 0, shape: tuple[int, ...] = (40, 32)) -> None:
  """Writes a smooth random image."""
  path.parent.mkdir(parents=True, exist_ok=True)
  coarse = np.random.default_rng(seed).integers(40, 215, (5, 4, *shape[2:])).astype(np.uint8)
  pixels = cv2.resize(coarse, shape[1::-1], interpolation=cv2.INTER_LINEAR)
  assert cv2.imwrite(str(path), pixels)


def workbook(path: pathlib.Path, sheets: dict[str, Iterable[Sequence]]) -> pathlib.Path:
  """Writes {sheet title: rows}."""
  path.parent.mkdir(parents=True, exist_ok=True)
  book = openpyxl.Workbook()
  book.remove(book.active)
  for title, rows in sheets.items():
    sheet = book.create_sheet(title)
    for row in rows:
      sheet.append(list(row))
  book.save(path)
  return path


def casme2_rows(clips=CASME2_CLIPS, header=CASME2_HEADER) -> list[Sequence]:
  """Rows of the sheet of 2014, with its two blank columns."""
  return [header] + [(s, c, None, on, ap, off, None, au, e) for s, c, on, ap, off, au, e in clips]


def casme2(
  root: pathlib.Path,
  clips=CASME2_CLIPS,
  tree: str = "Cropped",
  prefix: str = "reg_img",
  shape=(40, 32, 3),
  sheet: str = "CASME2-coding-20140508.xlsx",
) -> pathlib.Path:
  """Writes tree and sheet; each clip has exactly its frames from onset to offset."""
  for n, (subject, clip, onset, _, offset, _, _) in enumerate(clips):
    for t in range(onset, offset + 1):
      folder = root / tree / f"sub{int(subject):02d}" / clip
      image(folder / f"{prefix}{t}.jpg", 1000 * n + t, shape)
  workbook(root / sheet, {"Sheet1": casme2_rows(clips), "Sheet2": [], "Sheet3": []})
  return root


def samm_rows(clips=SAMM_CLIPS, header=SAMM_HEADER) -> list[Sequence]:
  """Preamble, header on row 14, rows."""
  preamble = [("SAMM FACS codes",), ("Key",), ("/", "or"), ("?", "unclear")] + [(None,)] * 9
  rows = [
    (s, c, int(c.split("_")[1]), on, ap, off, off - on + 1, "Micro - 1/2", au, e, obj, None)
    for s, c, on, ap, off, au, e, obj in clips
  ]
  return [*preamble, header, *rows]


def samm(root: pathlib.Path, clips=SAMM_CLIPS, tree: str = "SAMM_CROP") -> pathlib.Path:
  """Writes tree and sheet."""
  for n, (subject, clip, onset, _, offset, *_) in enumerate(clips):
    for t in range(onset, offset + 1):
      path = root / tree / subject / clip / f"{subject}_{t:05d}.jpg"
      if subject == "009":
        path = path.with_name(f"{subject}_{t}.jpg")
      image(path, 1000 * n + t % 1000)
  workbook(root / "SAMM_Micro_FACS_Codes_v2.xlsx", {"MICRO_ONLY": samm_rows(clips)})
  return root


def smic(
  root: pathlib.Path,
  clips=SMIC_CLIPS,
  tree: str = "SMIC_all_cropped",
  cameras=("HS", "VIS", "NIR"),
) -> pathlib.Path:
  """Writes the tree of each camera; SMIC needs no sheet."""
  for camera in cameras:
    for n, (subject, kind, index, first, length) in enumerate(clips):
      clip = f"s{subject}_{kind}_{index:02d}"
      for t in range(first, first + length):
        folder = root / tree / camera / f"s{subject}" / "micro" / SMIC_FOLDERS[kind] / clip
        image(folder / f"reg_image{t:06d}.bmp", 1000 * n + t % 1000)
  return root
