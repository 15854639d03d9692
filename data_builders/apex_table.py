"""A user's table of apexes: columns subject, clip, apex; for corpora without, and for repairs."""

import pathlib
from collections.abc import Callable, Collection

from data_builders import sheets
from data_builders.build_report import BuildReport
from data_builders.choice import Key, folded

_COLUMNS = {
  "subject": ("subject", "sub"),
  "filename": ("clip", "filename", "file name"),
  "apex": ("apex", "apex frame"),
}


def read(
  path: pathlib.Path | None,
  key_of: Callable[[sheets.Row], Key],
  clips: Collection[Key],
  report: BuildReport,
) -> dict[Key, int]:
  """{key of a clip: frame number of its apex}; rows that cannot be used are noted.

  Args:
    path: of the table, in any form that `sheet_files` reads; None: there is none.
    key_of: the key of a row with the cells subject and filename; raises ValueError without one.
    clips: the clips that there are.
    report: notes are added to it.

  Raises:
    DataError: the table cannot be read.
  """
  if path is None:
    return {}
  report.source["apexes"] = str(path)
  by_name = {folded(key): key for key in clips}
  apexes: dict[Key, int] = {}
  unused = []
  for row in sheets.read_rows(path, _COLUMNS):
    try:
      key = by_name.get(folded(key_of(row)))
    except ValueError:
      key = None
    apex = row.integer("apex")
    if key is None or apex is None or apexes.get(key, apex) != apex:
      unused.append(row.number)
    else:
      apexes[key] = apex
  report.note(f"{path.name} gives the apex of {len(apexes)} clips")
  if unused:
    report.note(
      f"{len(unused)} rows of {path.name} left alone, which name no clip that there is, no frame"
      f" number, or an apex twice: {', '.join(map(str, unused[:6]))}"
      + (", ..." if len(unused) > 6 else "")
    )
  return apexes
