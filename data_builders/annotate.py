"""What the parsers of corpora with a coding sheet share: choosing, matching and reading rows."""

import pathlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from data_builders import sheets, span, tree
from data_builders.build_report import BuildReport
from data_builders.frames import FrameError
from data_builders.record import Record
from mer_jax import errors
from mer_jax.errors import DataError

Key = tuple[str, str]  # (subject, clip) in canonical form
CROPS = ("auto", "face", "as_is")
ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII")


def choose_tree(
  trees: Sequence[tree.Tree], manual_dir: pathlib.Path, expected: str, report: BuildReport
) -> tree.Tree:
  """The first of `trees` (see `tree.find_trees` for their order); the others are noted.

  Raises:
    DataError: there is none.
  """
  if not trees:
    inside = sorted(p.name for p in manual_dir.iterdir())
    raise DataError(
      f"No clip folder of {report.dataset} found below {manual_dir} (it holds:"
      f" {', '.join(inside[:8]) or 'nothing'}{', ...' if len(inside) > 8 else ''}).\n{expected}"
    )
  report.source["tree"] = str(trees[0].root)
  for other in trees[1:]:
    report.note(f"another tree left alone: {other.root} ({len(other.clips)} clips)")
  report.synthetic = tree.is_synthetic(manual_dir, trees[0].root)
  return trees[0]


def choose_sheet(
  paths: Sequence[pathlib.Path],
  required: Mapping[str, Sequence[str]],
  manual_dir: pathlib.Path,
  expected: str,
  report: BuildReport,
) -> pathlib.Path:
  """The coding sheet with the latest date (yyyymmdd) in its name.

  Raises:
    DataError: no workbook or csv file has the columns `required`; the message is that of the
      most recent candidates, so that a renamed column is named.
  """
  if not paths:
    raise DataError(
      f"No coding sheet ({', '.join(sheets.SUFFIXES)}) found in {manual_dir}.\n{expected}"
    )
  named = [path for path in paths if re.search(r"cod|facs|annot", path.name, re.IGNORECASE)]
  candidates = sorted(named or paths, key=lambda p: (_date(p), p.name), reverse=True)
  problems = []
  readable = []
  for path in candidates:
    try:
      sheets.read_rows(path, required)
      readable.append(path)
    except DataError as error:
      problems.append((path, error))
  if not readable:
    raise DataError("\n".join(str(error) for _, error in problems[:2]) + f"\n{expected}")
  # An older sheet in place of a damaged newer one would change annotations silently.
  for path, error in problems:
    if _date(path) > _date(readable[0]):
      raise DataError(f"{error}\nRemove {path.name}, or choose another with --sheet.")
  for path in readable[1:]:
    report.note(f"another sheet left alone: {path.name} (choose it with --sheet)")
  return readable[0]


def keyed(
  rows: Iterable[sheets.Row],
  key_of: Callable[[sheets.Row], Key],
  dataset: str,
  report: BuildReport,
) -> dict[Key, sheets.Row]:
  """Rows by (subject, clip); rows that name no clip, or one again, are refused or repaired."""
  table: dict[Key, sheets.Row] = {}
  contradictory = set()
  for row in rows:
    try:
      key = key_of(row)
    except ValueError as error:
      report.refuse(f"{dataset}/row {row.number} of the sheet", str(error))
      continue
    if key not in table:
      table[key] = row
      continue
    name = "/".join((dataset, *key))
    first = table[key]
    if all(first.text(column) == row.text(column) for column in {*first.cells, *row.cells}):
      report.repair(name, f"row {row.number}", "left out", f"it repeats row {first.number}")
    else:
      contradictory.add(key)
      report.refuse(
        name, f"rows {first.number} and {row.number} of the sheet contradict each other"
      )
  return {key: row for key, row in table.items() if key not in contradictory}


def clip_folders(
  copy: tree.Tree,
  key_of: Callable[[pathlib.Path, pathlib.Path], Key],
  dataset: str,
  report: BuildReport,
) -> dict[Key, pathlib.Path]:
  """Clip folders by (subject, clip); of two folders with one key both are refused."""
  folders: dict[Key, pathlib.Path] = {}
  twice = set()
  for subject, clip in copy.clips:
    key = key_of(subject, clip)
    if key in folders:
      twice.add(key)
      report.refuse("/".join((dataset, *key)), f"two folders: {folders[key]} and {clip}")
    folders[key] = clip
  return {key: folder for key, folder in folders.items() if key not in twice}


def matched(
  rows: Mapping[Key, sheets.Row],
  folders: dict[Key, pathlib.Path],
  dataset: str,
  report: BuildReport,
) -> list[Key]:
  """Keys that have both a row and a folder, sorted; the others are refused.

  Folders whose names differ from the sheet's only in case are filed under the sheet's name.
  """
  by_fold = {(subject, clip.casefold()): (subject, clip) for subject, clip in folders}
  both = []
  for key in sorted(rows):
    on_disk = by_fold.pop((key[0], key[1].casefold()), None)
    name = "/".join((dataset, *key))
    if on_disk is None:
      if name not in report.refused:
        report.refuse(name, "its clip folder is missing from the tree")
      continue
    folders[key] = folders[on_disk]
    both.append(key)
  for key in sorted(by_fold.values()):
    name = "/".join((dataset, *key))
    if name not in report.refused:
      report.refuse(name, f"the sheet has no row for the folder {folders[key]}")
  return both


def cropping(crop: str, copy: tree.Tree, report: BuildReport) -> bool:
  """Whether frames of this tree go through the face crop, which the report notes.

  Raises:
    ConfigError: `crop` is none of `CROPS`.
  """
  if crop not in CROPS:
    raise errors.ConfigError(errors.unknown("--crop", crop, CROPS))
  cut_out = not copy.cropped if crop == "auto" else crop == "face"
  report.source["face crop"] = (
    "one box per clip, found on its onset frame" if cut_out else "none, frames taken as they are"
  )
  return cut_out


def emotion(text: str, known: Sequence[str]) -> str:
  """The canonical emotion: lower case, no outer blanks, 'others' for 'other'.

  Raises:
    FrameError: it is none of `known`; the clip is then refused.
  """
  plain = " ".join(text.lower().split())
  plain = "others" if plain == "other" else plain
  if plain not in known:
    raise FrameError(f"its emotion is {text!r}; known: {', '.join(known)}")
  return plain


def roman(text: str) -> str:
  """An objective class as "I" to "VII" from "1" to "7" or "I" to "VII".

  Raises:
    ValueError: it is neither.
  """
  text = text.upper()
  if text in ROMAN:
    return text
  if text in ("1", "2", "3", "4", "5", "6", "7"):
    return ROMAN[int(text) - 1]
  raise ValueError(f"objective class {text!r}")


def note_stray(folder: pathlib.Path, stray: Sequence[str], report: BuildReport) -> None:
  """Notes files in a clip folder that are no frames (Thumbs.db, .DS_Store, ...)."""
  if stray:
    where = "/".join(folder.parts[-2:])
    shown = ", ".join(stray[:3]) + (", ..." if len(stray) > 3 else "")
    report.note(f"{len(stray)} files that are no frames ignored in {where}: {shown}")


def close(
  records: list[Record],
  copy: tree.Tree,
  sheets_read: Sequence[pathlib.Path],
  report: BuildReport,
) -> None:
  """Sorts the records and computes the fingerprint of what they were made from."""
  records.sort(key=lambda record: record.name)
  files = [path for record in records for path in record.frames]
  report.fingerprint = tree.fingerprint(copy.root, files, sheets_read)
  if not records:
    report.check(strict=False)


def _date(path: pathlib.Path) -> str:
  dates = re.findall(r"(?<!\d)(?:19|20)\d{6}(?!\d)", path.name)
  return max(dates, default="")


class Labels(NamedTuple):
  """What a coding sheet calls a clip.

  Attributes:
    emotion: the corpus' own label in canonical form.
    objective_class: "I" to "VII"; "" where there is none.
  """

  emotion: str
  objective_class: str = ""


def record(
  key: Key,
  row: sheets.Row,
  frames: Mapping[int, pathlib.Path],
  ends: tuple[int, int],
  report: BuildReport,
  *,
  labels: Labels,
  fps: float,
  crop: bool,
) -> Record:
  """The record of one clip, cut to its frames from onset to offset.

  Args:
    key: subject and clip.
    row: its row of the sheet; apex and action units are read from it.
    frames: number -> path of all frames of its folder.
    ends: frame numbers of onset and offset.
    report: repairs are added to it.
    labels: of the clip.
    fps: frames per second of the camera.
    crop: whether the face is still to be cut out.

  Raises:
    FrameError: see `span.cut`.
  """
  name = "/".join((report.dataset, *key))
  part = span.cut(name, frames, *ends, row.integer("apex"), row.text("apex"), report)
  return Record(
    dataset=report.dataset,
    subject=key[0],
    clip=key[1],
    emotion=labels.emotion,
    frames=part.frames,
    numbers=part.numbers,
    onset=0,
    apex=part.apex,
    offset=len(part.frames) - 1,
    apex_missing=part.apex_missing,
    fps=fps,
    crop=crop,
    action_units=row.text("action_units"),
    objective_class=labels.objective_class,
  )
