"""Random trees and sheets: a clear error, a refusal or a repair; no traceback, no wrong label.

A label is wrong if it is not that of the row whose key the clip has, and a clip if its frames lie
elsewhere than under its name. Files are empty: parsing touches no pixel.
"""

import csv
import pathlib
import re
import tempfile

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_builders.casme2 import parse as casme2
from data_builders.listing.parse import parse as parse_listing
from data_builders.options import Options
from data_builders.samm import parse as samm
from data_builders.smic import parse as smic
from mer_jax.errors import MerError

EXAMPLES = 110  # of each of four tests
FUZZ = settings(
  max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
JUNK = st.one_of(
  st.sampled_from(
    [
      None,
      "",
      "/",
      "?",
      -1,
      0,
      3.5,
      10**15,
      True,
      "=1+1",
      "<b>x</b>",
      "../x",
      "NaN",
      "\u3000",
      "01",
    ]
  ),
  st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn"]), max_size=6),
)
CASME2_HEADER = [
  "Subject",
  "Filename",
  "OnsetFrame",
  "ApexFrame",
  "OffsetFrame",
  "Estimated Emotion",
]
SAMM_HEADER = [
  "Subject",
  "Filename",
  "Onset Frame",
  "Apex Frame",
  "Offset Frame",
  "Estimated Emotion",
]
LISTING_HEADER = ["path", "subject", "emotion", "clip", "onset", "apex", "offset", "split"]


@st.composite
def sheet_rows(draw, header, rows):
  """The table with some cells replaced, rows repeated or left out, and columns in another order."""
  table = [list(row) for row in rows]
  for _ in range(draw(st.integers(0, 3))):
    row = table[draw(st.integers(0, len(table) - 1))]
    row[draw(st.integers(0, len(row) - 1))] = draw(JUNK)
  for _ in range(draw(st.integers(0, 1))):
    table.insert(
      draw(st.integers(0, len(table))), list(table[draw(st.integers(0, len(table) - 1))])
    )
  order = draw(st.permutations(range(len(header))))
  header = [draw(st.sampled_from([name, name.upper(), name.lower()])) for name in header]
  return table, [[row[k] for k in order] for row in [header, *table]]


@st.composite
def sheet_format(draw):
  """Suffix, delimiter, encoding, and how many bytes are cut off."""
  suffix = draw(st.sampled_from([".xlsx", ".csv", ".tsv"]))
  delimiter = draw(st.sampled_from([",", ";", "\t"]))
  encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
  return suffix, delimiter, encoding, draw(st.sampled_from([0, 0, 0, 0, 40]))


def write_sheet(path: pathlib.Path, rows, form) -> None:
  suffix, delimiter, encoding, cut = form
  path = path.with_suffix(suffix)
  if suffix == ".xlsx":
    book = openpyxl.Workbook()
    for row in rows:
      book.active.append([clean(cell) for cell in row])
    book.save(path)
  else:
    with open(path, "w", newline="", encoding=encoding, errors="ignore") as file:
      csv.writer(file, delimiter=delimiter, escapechar="\\").writerows(rows)
  if cut:
    path.write_bytes(path.read_bytes()[:-cut])


def clean(cell):
  """What a workbook can hold."""
  if isinstance(cell, str):
    cell = re.sub(r"[\x00-\x1f\ud800-\udfff\ufffe\uffff]", "", cell)
    return f"'{cell}" if cell.startswith("=") else cell
  return cell


def touch(root: pathlib.Path, name: str, numbers=range(1, 7)) -> None:
  folder = root / name
  folder.mkdir(parents=True, exist_ok=True)
  for n in numbers:
    (folder / f"img{n}.jpg").touch()


def text(cell) -> str:
  if isinstance(cell, float) and cell.is_integer():
    cell = int(cell)
  return "" if cell is None else str(cell).strip()


def check_labels(records, rows, key_of) -> None:
  """Every record has the emotion of a row with its key, and frames under its name."""
  emotions: dict[tuple[str, str], set[str]] = {}
  above = ""
  for row in rows:
    above = text(row[0]) or above
    emotions.setdefault(key_of(above, text(row[1])), set()).add(text(row[5]).lower())
  for record in records:
    possible = emotions[record.subject, record.clip]
    assert {record.emotion, record.emotion.removesuffix("s")} & possible
    assert all(record.clip.lower() in str(path).lower() for path in record.frames)
    assert record.onset <= record.apex <= record.offset == len(record.frames) - 1


CASME2_ROWS = [
  [f"{s:02d}", f"EP0{k}_0{s}", 1, 3, 6, e]
  for s in (1, 2, 3)
  for k, e in ((1, "disgust"), (2, "happiness"))
]


@FUZZ
@given(
  table=sheet_rows(CASME2_HEADER, CASME2_ROWS),
  form=sheet_format(),
  pattern=st.sampled_from(
    ["Cropped/sub{s}/{c}", "raw/s{s}/{c}", "{s}/{c}", "sub{s}_{c}", "x/{c}", "{e}/subject{s}/{c}"]
  ),
  names=st.lists(
    st.sampled_from(["img7.jpg", "onset.jpg", "Thumbs.db", "9.png", "x.jpg"]), max_size=2
  ),
  absent=st.integers(0, 2),
)
def test_casme2(table, form, pattern, names, absent):
  rows, written = table
  with tempfile.TemporaryDirectory() as folder:
    root = pathlib.Path(folder)
    write_sheet(root / "CASME2-coding-20140508", written, form)
    for s, c, *_, e in CASME2_ROWS[absent:]:
      touch(root, pattern.format(s=s, c=c, e=e))
      for name in names:
        (root / pattern.format(s=s, c=c, e=e) / name).touch()
    try:
      records, report = casme2.parse(root, "frames48")
    except MerError:
      return
    assert {r.name for r in records}.isdisjoint(report.refused)

    def key_of(subject: str, clip: str) -> tuple[str, str]:
      number = re.findall(r"\d+", subject)
      return f"sub{int(number[-1][-9:]):02d}" if number else "", clip

    check_labels(records, rows, key_of)
    for record in records:
      own = {
        f"{e}" for s, c, *_, e in CASME2_ROWS if (f"sub{s}", c) == (record.subject, record.clip)
      }
      assert own  # the clip on disk is the one of that subject


SAMM_ROWS = [
  [f"{s:03d}", f"{s:03d}_1_{k}", 1, 3, 6, e]
  for s in (6, 7, 9)
  for k, e in ((1, "Anger"), (2, "Other"))
]


@FUZZ
@given(
  table=sheet_rows(SAMM_HEADER, SAMM_ROWS),
  form=sheet_format(),
  pattern=st.sampled_from(["SAMM/{s}/{c}", "crop/{c}", "{e}/{s}/{c}", "p{s}/{c}", "sub{s}_{c}"]),
  extra=st.sampled_from(["", "SAMM/006/006_9_9", "other/x", "SAMM2/006/006_1_1"]),
)
def test_samm(table, form, pattern, extra):
  rows, written = table
  with tempfile.TemporaryDirectory() as folder:
    root = pathlib.Path(folder)
    write_sheet(root / "SAMM_codes", written, form)
    for s, c, *_, e in SAMM_ROWS:
      touch(root, pattern.format(s=s, c=c, e=e))
    if extra:
      touch(root, extra)
    try:
      records, _ = samm.parse(root, "frames48")
    except MerError:
      return

    def key_of(_: str, clip: str) -> tuple[str, str]:
      number = re.match(r"\d+", clip)
      return f"{int(number[0]):03d}" if number else "", clip

    check_labels(records, rows, key_of)


@FUZZ
@given(
  clips=st.lists(
    st.tuples(
      st.integers(0, 20), st.sampled_from(["ne", "po", "sur", "NE", "xx"]), st.integers(0, 12)
    ),
    max_size=5,
  ),
  pattern=st.sampled_from(
    ["HS/s{s}/micro/{e}/{c}", "SMIC/{c}", "s{s:02d}/{c}", "VIS/s{s}/{c}", "{e}/{c}"]
  ),
  camera=st.sampled_from(["hs", "vis"]),
  frames=st.sets(st.integers(0, 10**8), max_size=4),
)
def test_smic(clips, pattern, camera, frames):
  with tempfile.TemporaryDirectory() as folder:
    root = pathlib.Path(folder)
    for s, e, k in clips:
      touch(root, pattern.format(s=s, e=e, c=f"s{s}_{e}_{k:02d}"), frames)
    try:
      records, _ = smic.parse(root, "frames48", camera)
    except MerError:
      return
    there = {(f"s{s:02d}", f"s{s:02d}_{e.lower()}_{k:02d}") for s, e, k in clips}
    emotions = {"ne": "negative", "po": "positive", "sur": "surprise"}
    for record in records:
      assert (record.subject, record.clip) in there
      assert record.emotion == emotions[record.clip.split("_")[1]]
      assert set(record.numbers) == frames


LISTING_ROWS = [
  [f"{e}/p{s}", f"p{s}", e, f"c{s}{k}", 1, 3, 6, "train"]
  for s in (1, 2, 3)
  for k, e in enumerate(("happy", "sad"))
]


@FUZZ
@given(
  table=sheet_rows(LISTING_HEADER, LISTING_ROWS),
  form=sheet_format(),
  pattern=st.sampled_from(["", "{emotion}/{subject}", "{subject}/{emotion}", "{emotion}{subject}"]),
)
def test_listing(table, form, pattern):
  rows, written = table
  with tempfile.TemporaryDirectory() as folder:
    root = pathlib.Path(folder).resolve()
    write_sheet(root / "clips", written, form)
    for path, *_ in LISTING_ROWS:
      touch(root, path)
    try:
      records, _ = parse_listing(root, "frames48", Options(pattern=pattern))
    except MerError:
      return
    said = {
      (text(row[0]).replace("\\", "/"), text(row[1]), " ".join(text(row[2]).lower().split()))
      for row in rows
    }
    for record in records:
      path = pathlib.Path(str(record.frames[0])).parent.relative_to(root).as_posix()
      assert re.fullmatch(r"[^\W_][\w .()-]*", record.subject)
      assert re.fullmatch(r"[^\W_][\w .()-]*", record.clip)
      if not pattern:
        assert any(
          pathlib.PurePosixPath(p).as_posix() == path
          and record.emotion in (e, f"{e}s")
          and record.subject.casefold().lstrip("0") == s.casefold().lstrip("0")
          for p, s, e in said
        )
      else:
        assert set(path.split("/")) >= {record.emotion, record.subject}


def test_the_cases_are_many():
  assert 4 * EXAMPLES >= 300


@pytest.mark.parametrize(
  "content", [b"\xff\xfe\x00", b"PK\x05\x06" + bytes(18), b"\x00" * 300, b'"' * 9]
)
def test_bytes_that_are_no_sheet(tmp_path, content):
  touch(tmp_path, "happy/p1")
  for name in ("clips.csv", "clips.xlsx"):
    (tmp_path / name).write_bytes(content)
  for sheet in ("clips.csv", "clips.xlsx"):
    with pytest.raises(MerError):
      parse_listing(tmp_path, "frames48", Options(sheet=tmp_path / sheet))
