"""Coding sheets: finds the header row and reads columns by their names, never by position."""

import dataclasses
import difflib
import pathlib
import re
from collections.abc import Callable, Mapping, Sequence

from data_builders import sheet_files
from mer_jax.errors import DataError

SUFFIXES = sheet_files.SUFFIXES
_HEADER_WITHIN = 60  # rows; SAMM's header is on row 14, below its preamble
_ENOUGH = 0.9  # of a column's cells must pass a test of their content


@dataclasses.dataclass(frozen=True)
class Row:
  """One row of a sheet: cells by column name, and where it stands.

  Attributes:
    number: of the row, from 1.
    cells: {name of the column: cell}.
    guessed: {name of the column: header} of columns that were taken for their content.
  """

  number: int
  cells: Mapping[str, object]
  guessed: Mapping[str, str] = dataclasses.field(default_factory=dict)

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
  contents: Mapping[str, Callable[[str], bool]] | None = None,
) -> list[Row]:
  """Reads that table of a workbook or text file which has the required columns.

  Args:
    path: a file that `sheet_files.tables` reads.
    required: {name: headers it may go by}. Case, blanks and punctuation do not matter, so that
      "Onset Frame" also finds OnsetFrame.
    optional: likewise; absent ones are simply missing from the rows.
    contents: {name: test of a cell} of required columns that may go by any header: where no header
      fits, the one other column whose cells pass is read.

  Returns:
    Rows below the header in which any required column is filled.

  Raises:
    DataError: the file cannot be read, or a required column is not there; then it names the
      columns present, the missing column and the nearest of those present.
  """
  title, index, rows = _best_table(path, required)
  known = {**required, **(optional or {})}
  columns = _columns(rows[index], known)
  below = [row for row in rows[index + 1 :] if not _repeats(row, rows[index], columns)]
  guessed = {
    name: at
    for name, test in (contents or {}).items()
    if name not in columns
    if (at := _by_content(rows[index], below, columns, test)) is not None
  }
  columns |= guessed
  if any(name not in columns for name in required):
    raise DataError(_missing_column(path, title, index, rows[index], required, columns))
  headers = {name: str(rows[index][at]).strip() for name, at in guessed.items()}
  table = []
  for number, row in enumerate(rows[index + 1 :], start=index + 2):
    cells = {name: row[at] for name, at in columns.items() if at < len(row)}
    filled = any(cells.get(name) not in (None, "") for name in required)
    if filled and not _repeats(row, rows[index], columns):
      table.append(Row(number, cells, headers))
  return table


def _best_table(
  path: pathlib.Path, required: Mapping[str, Sequence[str]]
) -> tuple[str, int, list[list[object]]]:
  """Title, index of the header and rows of the table with most of the required columns."""
  best: tuple[int, int, list[list[object]], str] | None = None
  for title, rows in sheet_files.tables(path):
    for index, row in enumerate(rows[:_HEADER_WITHIN]):
      hits = len(_columns(row, required))
      if hits and (best is None or hits > best[0]):
        best = hits, index, rows, title
  if best is None or (best[0] == 1 and len(required) > 2):
    raise DataError(
      f"{path}: no header row found in its first {_HEADER_WITHIN} rows. Expected the columns"
      f" {_headers(required)}. Is this the coding sheet?"
    )
  return best[3], best[1], best[2]


def _repeats(row: Sequence[object], header: Sequence[object], columns: Mapping[str, int]) -> bool:
  # Headers of several merged rows, and sheets that were put one below the other.
  cells = [(row[at], header[at]) for at in columns.values() if at < len(row)]
  return len(cells) == len(columns) and all(_plain(a) == _plain(b) != "" for a, b in cells)


def _by_content(
  header: Sequence[object],
  rows: Sequence[Sequence[object]],
  columns: Mapping[str, int],
  test: Callable[[str], bool],
) -> int | None:
  """The only column without a known header of which nearly all filled cells pass `test`."""
  passing = []
  for at in set(range(len(header))) - set(columns.values()):
    cells = [str(row[at]).strip() for row in rows if at < len(row) and row[at] not in (None, "")]
    if cells and str(header[at] or "").strip() and sum(map(test, cells)) >= _ENOUGH * len(cells):
      passing.append(at)
  return passing[0] if len(passing) == 1 else None


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
