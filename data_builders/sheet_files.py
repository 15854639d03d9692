"""Tables of a sheet's file: workbooks and delimited text, by what the file holds, not by its name.

A sheet may come from a stranger. Nothing in it is computed (a formula is read as its stored value)
and no file is read that is too large for a list of clips: `LARGEST` holds for the bytes on disk and
for what a workbook, a zip archive, unpacks to; `MOST_ROWS` and `MOST_CELLS` for all sheets of a
file together.
"""

import csv
import io
import pathlib
import re
import warnings
import zipfile
from collections.abc import Iterable, Sequence

from mer_jax.errors import DataError
from mer_jax.runtime import regular_files

SUFFIXES = (".xlsx", ".xlsm", ".csv", ".tsv", ".txt", ".xls")
LARGEST = 64 * 2**20  # bytes; the largest sheet of a corpus has less than one of them
MOST_ROWS = 100_000
MOST_CELLS = 1_000_000
_MOST_TAGS = 6 * MOST_CELLS  # of a workbook; a cell has four, with text of its own six
DELIMITERS = (",", ";", "\t", "|")

Table = tuple[str, list[list[object]]]  # title and rows

_MERGE = re.compile(rb"<(?:[^\s<>/:]+:)?mergeCell[\s/>]")
_MERGED = re.compile(rb"(?<=mergeCell)\s[^<>]*?ref\s*=\s*[\"']([A-Z]+)(\d+):([A-Z]+)(\d+)[\"']")
_OLD_WORKBOOK = b"\xd0\xcf\x11\xe0"  # a compound document: .xls, or a workbook with a password
_MARKS = {
  b"\xff\xfe\0\0": "utf-32",
  b"\0\0\xfe\xff": "utf-32",
  b"\xff\xfe": "utf-16",
  b"\xfe\xff": "utf-16",
  b"\xef\xbb\xbf": "utf-8-sig",
}


def tables(path: pathlib.Path) -> list[Table]:
  """Every table that the file may hold: one for each sheet of a workbook or delimiter of a text.

  The value of merged cells stands in every row that they span, in the first of their columns.

  Raises:
    DataError: the file cannot be read, or is too large.
  """
  try:
    data = _bytes(path)
    if data.startswith(_OLD_WORKBOOK):
      raise DataError(
        f"The sheet {path} is a workbook of Excel 97 to 2003 (.xls), or has a password. Open it and"
        " save it as .xlsx without a password."
      )
    if data.startswith(b"PK"):
      return _workbook(path, data)
    return _delimited(path, data)
  except DataError:
    raise
  except Exception as error:  # openpyxl lets zipfile, xml and its own errors through
    raise DataError(
      f"The sheet {path} cannot be read ({type(error).__name__}: {error}). Expected an Excel"
      " workbook (.xlsx) or a .csv file as the corpus' owners distribute it; download it again."
    ) from error


def _bytes(path: pathlib.Path) -> bytes:
  try:
    return regular_files.read_bytes(path, LARGEST)
  except OSError as error:
    raise DataError(f"The sheet {path} cannot be read: {error.strerror or error}.") from error


def _delimited(path: pathlib.Path, data: bytes) -> list[Table]:
  if not data or path.suffix.lower() in (".xlsx", ".xlsm"):
    raise ValueError("it is empty" if not data else "it is no zip archive, so no workbook")
  text = decoded(data)
  found = [d for d in DELIMITERS if d in text] or [","]
  return [(path.name, _rows(path, text, delimiter)) for delimiter in found]


def decoded(data: bytes) -> str:
  """The text of a file in UTF-8, UTF-16 or UTF-32, marked or not, or else in Latin-1.

  Raises:
    ValueError: it is no text.
  """
  for mark, encoding in _MARKS.items():
    if data.startswith(mark):
      return _without_nul(data.decode(encoding))
  if b"\0" in data[:200]:  # Latin letters in UTF-16 have a zero byte each
    return _without_nul(data.decode("utf-16-le" if data[1:2] == b"\0" else "utf-16-be"))
  try:
    return _without_nul(data.decode("utf-8"))
  except UnicodeDecodeError:
    return _without_nul(data.decode("latin-1"))


def _without_nul(text: str) -> str:
  if "\0" in text:
    raise ValueError("it holds NUL bytes, so it is no text")
  return text


def _rows(path: pathlib.Path, text: str, delimiter: str) -> list[list[object]]:
  rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
  return _Room(path).take(rows)


class _Room:
  """How much may still be read of a file."""

  def __init__(self, path: pathlib.Path):
    self._path, self._rows, self._cells = path, MOST_ROWS, MOST_CELLS

  def take(self, rows: Iterable[Sequence[object]]) -> list[list[object]]:
    """All `rows`; raises DataError where there are too many of them, or too many cells."""
    taken = []
    for row in rows:
      self._rows -= 1
      self._cells -= len(row)
      if self._rows < 0 or self._cells < 0:
        raise _too_large(self._path)
      taken.append(list(row))
    return taken


def _too_large(path: pathlib.Path) -> DataError:
  return DataError(
    f"The sheet {path} has more than {MOST_ROWS} rows or {MOST_CELLS} cells, those that are empty"
    " or merged included; more are not read. Remove what is not of the clips, or split the table."
  )


def _workbook(path: pathlib.Path, data: bytes) -> list[Table]:
  import openpyxl  # half a second to import, and only needed for workbooks

  merged = _check_archive(path, data)
  with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # extensions that openpyxl skips do not concern us
    book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    try:
      found: list[Table] = []
      room = _Room(path)
      for sheet in book.worksheets:
        sheet.reset_dimensions()  # some tools write a wrong extent, and rows would be cut
        found.append((sheet.title, room.take(sheet.iter_rows(values_only=True))))
    finally:
      book.close()
    if merged:  # only a workbook that is read in full knows them
      full = openpyxl.load_workbook(io.BytesIO(data), data_only=True)
      for (_, rows), sheet in zip(found, full.worksheets, strict=True):
        _fill_down(rows, [area.bounds for area in sheet.merged_cells.ranges])
  return found


def _check_archive(path: pathlib.Path, data: bytes) -> bool:
  """Whether any sheet has merged cells.

  Raises:
    DataError: unpacked, the workbook is too large.
  """
  try:
    regular_files.check_unpacked(io.BytesIO(data), LARGEST)
  except OSError as error:
    raise DataError(f"The sheet {path} cannot be read: {error.strerror}.") from error
  tags, merged = 0, 0
  with zipfile.ZipFile(io.BytesIO(data)) as archive:
    for name in archive.namelist():
      if name.endswith((".xml", ".rels")):
        content = archive.read(name)
        areas = _MERGED.findall(content)
        if b"\0" in content or len(areas) != len(_MERGE.findall(content)):
          raise ValueError(f"{name} is not as workbooks have it")
        tags += content.count(b"<")
        merged += sum(map(_area, areas))
  if tags > _MOST_TAGS or merged > MOST_CELLS:
    raise _too_large(path)
  return merged > 0


def _area(corners: tuple[bytes, bytes, bytes, bytes]) -> int:
  """Cells from "B", "2" to "C", "9"."""
  from openpyxl.utils import column_index_from_string

  first, top, last, bottom = (corner.decode() for corner in corners)
  columns = column_index_from_string(last) - column_index_from_string(first) + 1
  return columns * (int(bottom) - int(top) + 1)


def _fill_down(rows: list[list[object]], areas: Iterable[tuple[int, int, int, int]]) -> None:
  """Repeats the value of merged cells: (first column, first row, last column, last row)."""
  for column, first, _, last in areas:
    if first > len(rows) or column > len(rows[first - 1]):
      continue
    value = rows[first - 1][column - 1]
    for row in rows[first:last]:
      row += [None] * (column - len(row))
      row[column - 1] = value
