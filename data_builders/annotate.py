"""What the parsers of corpora share: matching rows and clips, labels, the record of a clip."""

import itertools
import pathlib
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from data_builders import choice, sheets, span, tree
from data_builders.build_report import BuildReport
from data_builders.choice import Key
from data_builders.frame_error import FrameError
from data_builders.frames import LooseImages, Source
from data_builders.record import Record

ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII")


def keyed(
  rows: Iterable[sheets.Row],
  key_of: Callable[[sheets.Row], Key],
  dataset: str,
  report: BuildReport,
) -> dict[Key, sheets.Row]:
  """Rows by (subject, clip); rows that name no clip, or one again, are refused or repaired.

  A row whose subject is empty belongs to that of the row above, where every subject is written once
  for all of its rows: merged cells leave that behind in a csv file.
  """
  rows = list(rows)
  written = [row.text("subject") for row in rows if row.text("subject")]
  merged = all(a != b for a, b in itertools.pairwise(written))
  table: dict[Key, sheets.Row] = {}
  contradictory = set()
  above: object = None
  for row in rows:
    try:
      key, filled = _key_below(row, above if merged else None, key_of)
    except ValueError as error:
      report.refuse(f"{dataset}/row {row.number} of the sheet", str(error))
      report.listed += 1
      continue
    above = row.cells.get("subject") if row.text("subject") else above
    if filled:
      name = "/".join((dataset, *key))
      report.repair(name, "subject ''", f"{key[0]}, as in the row above", "its cell is empty")
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
  report.listed += len(table)
  return {key: row for key, row in table.items() if key not in contradictory}


def _key_below(
  row: sheets.Row, above: object, key_of: Callable[[sheets.Row], Key]
) -> tuple[Key, bool]:
  """The key of a row, and whether it took the subject of the row above."""
  try:
    return key_of(row), False
  except ValueError:
    if row.text("subject") or above is None:
      raise
    return key_of(sheets.Row(row.number, {**row.cells, "subject": above})), True


def clip_folders(
  copy: tree.Tree,
  key_of: Callable[[tree.Clip], Key],
  wanted: Collection[Key] | None,
  dataset: str,
  report: BuildReport,
) -> dict[Key, Source]:
  """Clips on disk by (subject, clip); of two with one key both are refused.

  A clip without subject belongs to the one wanted key (of a sheet) with that clip. Loose images
  that no key fits are noted.
  """
  loose = [clip for clip in copy.clips if isinstance(clip.source, LooseImages)]
  keys = {clip: key_of(clip) for clip in copy.clips}
  subjects = choice.unnamed_subjects(iter(keys.values()), wanted or ())
  if loose and wanted is not None:
    listed = {choice.folded(key) for key in wanted}
    fitting = {c: k for c, k in keys.items() if choice.folded(subjects.get(k, k)) in listed}
    _note_unused(loose, list(fitting), report)
    keys = _longest_names(fitting)
  folders: dict[Key, Source] = {}
  twice = set()
  for clip, found in keys.items():
    key = subjects.get(found, found)
    if key in folders:
      twice.add(key)
      report.refuse("/".join((dataset, *key)), f"two folders: {folders[key]} and {clip.source}")
    folders[key] = clip.source
  if subjects:
    report.note(
      f"no folder names the subject of {len(subjects)} clips; the sheet has one clip of that name"
    )
  return {key: folder for key, folder in folders.items() if key not in twice}


def _longest_names(keys: Mapping[tree.Clip, Key]) -> dict[tree.Clip, Key]:
  """Each loose image at the longest name of a clip that it can mean."""
  best: dict[pathlib.Path, int] = {}
  for clip in keys:
    for path in _loose_paths(clip):
      best[path] = max(best.get(path, 0), len(clip.name))
  kept = {}
  for clip, key in keys.items():
    source = clip.source
    if isinstance(source, LooseImages):
      images = tuple(i for i in source.images if best[i[1]] == len(clip.name))
      clip = clip._replace(source=source._replace(images=images))
      if not images:
        continue
    kept[clip] = key
  return kept


def _note_unused(
  loose: Sequence[tree.Clip], used: Sequence[tree.Clip], report: BuildReport
) -> None:
  unused = sorted(
    {p for clip in loose for p in _loose_paths(clip)} - {p for c in used for p in _loose_paths(c)}
  )
  if unused:
    shown = ", ".join(path.name for path in unused[:3]) + (", ..." if len(unused) > 3 else "")
    report.note(f"{len(unused)} images left alone, whose names fit no row of the sheet: {shown}")


def _loose_paths(clip: tree.Clip) -> list[pathlib.Path]:
  return [p for _, p in clip.source.images] if isinstance(clip.source, LooseImages) else []


def matched(
  rows: Mapping[Key, sheets.Row],
  folders: dict[Key, Source],
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
  """Whether frames of this tree go through the face crop, which the report notes."""
  cut_out = not copy.cropped if crop == "auto" else crop in ("face", "landmarks")
  how = "alignment by landmarks" if crop == "landmarks" else "box"
  report.source["face crop"] = (
    f"one {how} per clip, found on its onset frame" if cut_out else "none, frames taken as they are"
  )
  return cut_out


def emotion(text: str, known: Sequence[str]) -> str:
  """The canonical emotion: lower case, no outer blanks, 'others' for 'other'.

  Raises:
    FrameError: it is none of `known`; the clip is then refused.
  """
  plain = " ".join(text.lower().split())
  plain = "others" if plain == "other" else plain
  if not plain:
    raise FrameError(
      "its emotion is empty (merged cells become empty in csv: save such a sheet as .xlsx)"
    )
  if plain not in known:
    raise FrameError(f"its emotion is {text!r}; known: {', '.join(known)}")
  return plain


def roman(text: str) -> str:
  """An objective class as "I" to "VII" from "1" to "7" or "I" to "VII", also behind "Class".

  Raises:
    ValueError: it is neither.
  """
  text = unicodedata.normalize("NFKC", text).upper().strip()  # there are signs for III and such
  text = re.sub(r"^CLASS[ _-]*|\.0+$", "", text)
  if text in ROMAN:
    return text
  if text in ("1", "2", "3", "4", "5", "6", "7"):
    return ROMAN[int(text) - 1]
  raise ValueError(f"objective class {text!r}")


def objective_class(text: str, report: BuildReport) -> str:
  """`roman` of a cell; "" where it is empty, or no class, which the report notes once."""
  try:
    return roman(text) if text else ""
  except ValueError:
    note = (
      f"cells with {text[:40]!r} for an objective class are read as empty; I to VII are classes"
    )
    if note not in report.notes:
      report.note(note)
    return ""


def is_emotion(text: str, known: Sequence[str]) -> bool:
  """Whether `emotion` knows it."""
  try:
    return bool(emotion(text, known))
  except FrameError:
    return False


def action_units(text: str) -> str:
  """The cell without what no action unit has and a spreadsheet, page or figure would read."""
  return re.sub(r"[$<>=\x00-\x1f]", "", text)[:200].strip()


def note_stray(source: Source, stray: Sequence[str], report: BuildReport) -> None:
  """Notes files in a clip folder that are no frames (Thumbs.db, .DS_Store, ...)."""
  if stray:
    where = "/".join(pathlib.Path(str(source)).parts[-2:])
    shown = ", ".join(stray[:3]) + (", ..." if len(stray) > 3 else "")
    report.note(f"{len(stray)} files that are no frames ignored in {where}: {shown}")


def close(
  records: list[Record],
  copy: tree.Tree,
  sheets_read: Sequence[pathlib.Path],
  report: BuildReport,
) -> None:
  """Sorts the records, notes what they lack, and computes the fingerprint of their files."""
  records.sort(key=lambda record: record.name)
  names = {record.name for record in records}
  late = {r["clip"] for r in report.repaired if r["why"].endswith(span.AT_THE_HEAD)} & names
  if late:
    report.note(
      f"the onset of {len(late)} clips is not the sheet's: the frames before are absent, so the"
      " motion up to the apex is smaller than it was"
    )
  single = [record.name for record in records if len(record.frames) == 1]
  if single:
    report.note(
      f"{len(single)} clips hold one frame and so no onset: inputs that need motion refuse them"
      f" ({_some(single)})"
    )
  files = [path for record in records for path in record.frames]
  report.fingerprint = tree.fingerprint(copy.root, files, sheets_read)
  if not records:
    report.check(strict=False)


def _some(names: Sequence[str]) -> str:
  return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
