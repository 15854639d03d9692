"""Coding sheets: finds the header row and reads columns by their names, never by position."""

import csv
import dataclasses
import difflib
import io
import pathlib
import re
import warnings
from collections.abc import Mapping, Sequence

from mer_jax.errors import DataError

SUFFIXES = (".xlsx", ".xlsm", ".csv")
_HEADER_WITHIN = 60  # rows; SAMM's header is on row 14, below its preamble


@dataclasses.dataclass(frozen=True)
class Row:
  """One row of a sheet: cells by column name, and where it stands."""

  number: int
  cells: Mapping[str, object]

  def text(self, column: str) -> str:
    """The cell as text without outer blanks; 4.0 reads "4", an empty cell ""."""
    value = self.cells.get(column)
    if value is None:
      return ""
    if isinstance(value, float) and value.is_integer():
      value = int(value)
    return str(value).strip()

  def integer(self, column: str) -> int | None:
    """The cell as an integer; None for any other content ("/", "?", an empty cell)."""
    # "46.0" comes from csv files that went through a data frame.
    match = re.fullmatch(r"(-?\d{1,15})(\.0+)?", self.text(column))
    return int(match[1]) if match else None


def read_rows(
  path: pathlib.Path,
  required: Mapping[str, Sequence[str]],
  optional: Mapping[str, Sequence[str]] | None = None,
) -> list[Row]:
  """Reads that table of a workbook (or csv file) which has the required columns.

  Args:
    path: an .xlsx, .xlsm or .csv file.
    required: {name: headers it may go by}. Case, blanks and punctuation do not matter, so that
      "Onset Frame" also finds OnsetFrame.
    optional: likewise; absent ones are simply missing from the rows.

  Returns:
    Rows below the header in which any required column is filled.

  Raises:
    DataError: the file cannot be read, or a required column is not there; then it names the
      columns present, the missing column and the nearest of those present.
  """
  optional = optional or {}
  best: tuple[int, int, list[list[object]], str] | None = None
  for title, rows in tables(path):
    for index, row in enumerate(rows[:_HEADER_WITHIN]):
      hits = len(_columns(row, required))
      if hits and (best is None or hits > best[0]):
        best = hits, index, rows, title
  if best is None or (best[0] == 1 and len(required) > 2):
    raise DataError(
      f"{path}: no header row found in its first {_HEADER_WITHIN} rows. Expected the columns"
      f" {_headers(required)}. Is this the coding sheet?"
    )
  _, index, rows, title = best
  columns = _columns(rows[index], required)
  if len(columns) < len(required):
    raise DataError(_missing_column(path, title, index, rows[index], required, columns))
  columns |= _columns(rows[index], optional)
  table = []
  for number, row in enumerate(rows[index + 1 :], start=index + 2):
    cells = {name: row[at] for name, at in columns.items() if at < len(row)}
    if any(cells.get(name) not in (None, "") for name in required):
      table.append(Row(number, cells))
  return table


def tables(path: pathlib.Path) -> list[tuple[str, list[list[object]]]]:
  """Title and rows of each sheet of a workbook, or of a csv file; for tables without a header.

  Raises:
    DataError: the file cannot be read.
  """
  try:
    if path.suffix.lower() == ".csv":
      return [(path.name, _read_csv(path))]
    return _read_workbook(path)
  except Exception as error:  # openpyxl lets zipfile, xml and its own errors through
    raise DataError(
      f"The sheet {path} cannot be read ({type(error).__name__}: {error}). Expected an Excel"
      " workbook (.xlsx) or a .csv file as the corpus' owners distribute it; download it again."
    ) from error


def _read_csv(path: pathlib.Path) -> list[list[object]]:
  data = path.read_bytes()
  try:
    text = data.decode("utf-8-sig")
  except UnicodeDecodeError:
    text = data.decode("latin-1")
  if "\0" in text:
    raise ValueError("it holds NUL bytes, so it is no text")
  return [list(row) for row in csv.reader(io.StringIO(text, newline=""))]


def _read_workbook(path: pathlib.Path) -> list[tuple[str, list[list[object]]]]:
  import openpyxl  # half a second to import, and only needed for workbooks

  with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # extensions that openpyxl skips do not concern us
    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    try:
      tables: list[tuple[str, list[list[object]]]] = []
      for sheet in book.worksheets:
        sheet.reset_dimensions()  # some tools write a wrong extent, and rows would be cut
        tables.append((sheet.title, [list(row) for row in sheet.iter_rows(values_only=True)]))
      return tables
    finally:
      book.close()


def _columns(row: Sequence[object], wanted: Mapping[str, Sequence[str]]) -> dict[str, int]:
  plain = [_plain(cell) for cell in row]
  columns = {}
  for name, headers in wanted.items():
    at = [plain.index(_plain(header)) for header in headers if _plain(header) in plain]
    if at:
      columns[name] = at[0]
  return columns


def _plain(cell: object) -> str:
  return re.sub(r"[^a-z0-9]", "", str(cell).lower()) if isinstance(cell, str) else ""


def _headers(wanted: Mapping[str, Sequence[str]]) -> str:
  return ", ".join(repr(headers[0]) for headers in wanted.values())


def _missing_column(
  path: pathlib.Path,
  title: str,
  index: int,
  header: Sequence[object],
  required: Mapping[str, Sequence[str]],
  columns: Mapping[str, int],
) -> str:
  cells = [str(cell).strip() for cell in header if cell not in (None, "")]
  free = {
    _plain(c): c for c in cells if _plain(c) not in {_plain(header[i]) for i in columns.values()}
  }
  lines = [f"{path}, sheet {title!r}, header on row {index + 1}:"]
  for name, headers in required.items():
    if name in columns:
      continue
    near = [m for h in headers for m in difflib.get_close_matches(_plain(h), free, n=1, cutoff=0.5)]
    hint = f" Nearest: {free[near[0]]!r}; rename it back?" if near else ""
    lines.append(f"  no column {' or '.join(map(repr, headers))}.{hint}")
  return "\n".join([*lines, f"  Columns found: {', '.join(cells)}."])
