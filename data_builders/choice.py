"""Which tree and which sheet are read where there are several, and what is said of the others."""

import pathlib
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from data_builders import sheets, tree
from data_builders.build_report import BuildReport
from mer_jax.errors import DataError

Key = tuple[str, str]  # (subject, clip) in canonical form; the subject "" where it is not known
_SHOWN = 6  # paths in a message


def require(
  trees: Sequence[tree.Tree], manual_dir: pathlib.Path, expected: str, report: BuildReport
) -> None:
  """Notes whether the corpus is drawn.

  Raises:
    DataError: there is no tree; shows paths that are there and the tree that is expected.
  """
  if not trees:
    inside = sorted(p.name for p in manual_dir.iterdir())
    deeper = sorted(str(p.relative_to(manual_dir)) for p in manual_dir.glob("*/*"))
    found = f"; two levels down: {_some(deeper)}" if deeper else ""
    raise DataError(
      f"No clip folder of {report.dataset} found below {manual_dir} (it holds:"
      f" {_some(inside) or 'nothing'}{found}).\n{expected}"
    )
  report.synthetic = tree.is_synthetic(manual_dir, trees[0].root)


def choose_tree(
  trees: Sequence[tree.Tree],
  key_of: Callable[[tree.Clip], Key],
  wanted: Collection[Key] | None,
  report: BuildReport,
) -> tree.Tree:
  """The clips to read: trees of one kind with different clips together, or else the best of them.

  Kinds are cropped and raw. Of trees that share a clip, and of the two kinds, the one with more of
  the wanted clips is read, and a cropped one of equals. The others are noted with what is in them.

  Args:
    trees: at least one, in the order of `tree.find_trees`.
    key_of: the key of a clip on disk.
    wanted: the keys of the sheet; None where there is no sheet, so that every clip counts.
    report: notes are added to it.
  """
  keys = {id(t): {folded(key_of(clip)) for clip in t.clips} for t in trees}
  listed = None if wanted is None else {folded(key) for key in wanted}
  names = {clip for _, clip in listed or ()}

  def covered(t: tree.Tree) -> int:
    if listed is None:
      return len(keys[id(t)])
    return sum(key in listed or (not key[0] and key[1] in names) for key in keys[id(t)])

  groups = []
  for kind in sorted({t.cropped for t in trees}, reverse=True):
    ordered = sorted((t for t in trees if t.cropped == kind), key=lambda t: -covered(t))
    group, union = [ordered[0]], set(keys[id(ordered[0])])
    for other in ordered[1:]:
      if covered(other) and not union & keys[id(other)]:
        group.append(other)
        union |= keys[id(other)]
    groups.append(group)
  group = max(groups, key=lambda group: sum(map(covered, group)))  # the first of equals
  chosen = tree.merged(sorted(group, key=lambda t: str(t.root)))
  report.source["tree"] = ", ".join(str(root) for root in chosen.parts or [chosen.root])
  read = {key for t in group for key in keys[id(t)]}
  for other in (t for t in trees if t not in group):
    only = len(keys[id(other)] - read)
    more = f", {only} of them nowhere else" if only else ""
    report.note(f"another tree left alone: {other.root} ({len(other.clips)} clips{more})")
  return chosen


def folded(key: Key) -> Key:
  """The key without the case of the clip's name, in which copies of a corpus differ."""
  return key[0], key[1].casefold()


def choose_sheet(
  paths: Sequence[pathlib.Path],
  read: Callable[[pathlib.Path], Sequence[sheets.Row]],
  fit: Callable[[sheets.Row], int],
  key_of: Callable[[sheets.Row], Key],
  looked_in: pathlib.Path,
  expected: str,
  report: BuildReport,
) -> pathlib.Path:
  """The coding sheet that fits the clips best; of equals the one with the latest date in its name.

  Args:
    paths: the candidates.
    read: the rows of one; raises DataError where it is no such sheet.
    fit: of a row, 2 if its clip is on disk and its emotion known, 1 if it names a clip, else 0.
    key_of: the key of a row; raises ValueError where it names no clip.
    looked_in, expected: for the messages.
    report: the others are noted in it.

  Raises:
    DataError: none can be read; the message is that of the most recent candidates, so that a
      renamed column is named. Or a newer one is damaged.
  """
  fits: dict[pathlib.Path, tuple[int, int]] = {}
  emotions: dict[pathlib.Path, dict[Key, str]] = {}
  problems = []
  for path in sorted(paths, key=_order, reverse=True):
    try:
      rows = read(path)
      marks = [fit(row) for row in rows]
      emotions[path] = _emotions(rows, marks, key_of)
      fits[path] = marks.count(2), len(marks) - marks.count(0)
    except DataError as error:
      if path.suffix.lower() != ".txt":  # most are no sheets
        problems.append((path, error))
  if not fits and not problems:
    suffixes = ", ".join(sheets.SUFFIXES)
    raise DataError(f"No coding sheet ({suffixes}) found in {looked_in}.\n{expected}")
  if not fits:
    raise DataError("\n".join(str(error) for _, error in problems[:2]) + f"\n{expected}")
  best = max(fits, key=lambda path: (*fits[path], _order(path)))
  # An older sheet in place of a damaged newer one would change annotations silently.
  for path, error in problems:
    if _date(path) > _date(best):
      raise DataError(f"{error}\nRemove {path.name}, or choose another with --sheet.")
  for path in (path for path in fits if path != best):
    other = sum(emotions[path].get(key, label) != label for key, label in emotions[best].items())
    report.note(
      f"another sheet left alone: {path.name}, {fits[path][0]} of whose rows fit a clip and"
      f" {fits[best][0]} of the sheet read (choose it with --sheet)"
      + (f"; WARNING: {other} of these clips have another emotion in it" if other else "")
    )
  return best


def _emotions(
  rows: Sequence[sheets.Row], marks: Sequence[int], key_of: Callable[[sheets.Row], Key]
) -> dict[Key, str]:
  """The emotions, in small letters, of the clips of those rows whose mark is 2."""
  fitting = (row for row, mark in zip(rows, marks, strict=True) if mark == 2)
  return {folded(key_of(row)): row.text("emotion").casefold() for row in fitting}


def fit_of(
  key_of: Callable[[sheets.Row], Key],
  usable: Callable[[sheets.Row], bool],
  on_disk: Collection[Key],
) -> Callable[[sheets.Row], int]:
  """The `fit` of `choose_sheet`.

  Args:
    key_of: the key of a row; raises ValueError where it names no clip.
    usable: whether the emotion of a row is known.
    on_disk: the keys of all clips on disk.
  """
  present: Mapping[Key, None] = dict.fromkeys(map(folded, on_disk))

  def fit(row: sheets.Row) -> int:
    try:
      key = folded(key_of(row))
    except ValueError:
      return 0
    there = key in present or ("", key[1]) in present
    return 2 if there and usable(row) else 1

  return fit


def unnamed_subjects(clips: Iterator[Key], wanted: Collection[Key]) -> dict[Key, Key]:
  """{key without subject: the one wanted key with that clip}, where there is exactly one."""
  subjects: dict[str, list[Key]] = {}
  for key in wanted:
    subjects.setdefault(key[1].casefold(), []).append(key)
  found = {key: subjects.get(key[1].casefold(), []) for key in clips if not key[0]}
  return {key: keys[0] for key, keys in found.items() if len(keys) == 1}


def _order(path: pathlib.Path) -> tuple[bool, str, int, str]:
  named = re.search(r"cod|facs|annot", path.name, re.IGNORECASE)
  # Copies and edits add to the name that the owners gave.
  return named is not None, _date(path), -len(path.stem), path.name


def _date(path: pathlib.Path) -> str:
  dates = re.findall(r"(?<!\d)(?:19|20)\d{6}(?!\d)", path.name)
  return max(dates, default="")


def _some(names: Sequence[str]) -> str:
  return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
