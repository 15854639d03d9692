"""Plants the faults that copies of the real corpora are known to have, and lists them.

Every fault concerns one clip of its own, or the corpus itself. `treatment` is the correct
reaction of a builder: "kept" (only the spelling is odd), "repaired" (the clip stays with a
correction), "refused" (the clip cannot be used), "ignored" (not a clip at all).
"""

import collections
import pathlib
import shutil
from collections.abc import Callable

import numpy as np

from data_builders.synthetic import corpora
from data_builders.synthetic.corpora import Corpus
from data_builders.synthetic.faults import FAULTS, JUNK, Victim, four_digit_names
from data_builders.synthetic.plan import PlannedClip
from data_builders.synthetic.sheets import Row


def plant(
  corpus: Corpus,
  clips: list[PlannedClip],
  table: list[Row],
  sheet_name: str | None,
  root: pathlib.Path,
  rng: np.random.Generator,
) -> dict:
  """Changes the drawn corpus below `root` and its `table` in place.

  Args:
    corpus: the corpus imitated.
    clips: all clips, as drawn.
    table: rows of the sheet, one per clip of a corpus that has a sheet; rows may be removed.
    sheet_name: file name of the sheet.
    root: of the corpus.
    rng: draws the clips that are damaged.

  Returns:
    {"planted": [{"quirk", "treatment", "subject", "clip", "path", "detail"}, ...], "skipped":
    [names]}. Subject and clip are in canonical form, empty for faults of the corpus itself; skipped
    are the faults for which the corpus has too few clips (at most half of them are damaged).
  """
  victims = _victims(corpus, clips, table, root, rng)
  room = len(victims) // 2
  planted, skipped, gone = [], [], []
  for name, treatment, fault in FAULTS[corpus.name]:
    victim = _take(victims, fault) if room > 0 else None
    if victim is None:
      skipped.append(name)
      continue
    room -= 1
    planted.append(_entry(name, treatment, victim, corpus, fault(victim)))
    if name == "unlisted_folder":
      gone.append(id(victim.row))
  table[:] = [row for row in table if id(row) not in gone]
  faults, moves = _corpus_faults(corpus, clips, sheet_name, root)
  planted += faults
  for entry in planted:
    entry["path"] = _follow(moves, entry["path"])
  return {"planted": planted, "skipped": skipped}


def _victims(
  corpus: Corpus,
  clips: list[PlannedClip],
  table: list[Row],
  root: pathlib.Path,
  rng: np.random.Generator,
) -> list[Victim]:
  """Clips of the main camera, the most frequent emotion first, so that rare ones survive."""
  frequency = collections.Counter(clip.emotion for clip in clips)
  listed = table or [{} for _ in clips]
  candidates = [
    Victim(clip, root / clip.folder, row, rng)
    for clip, row in zip(clips, listed, strict=True)
    if clip.camera in ("", "HS")
  ]
  order = rng.permutation(len(candidates))
  return sorted((candidates[i] for i in order), key=lambda v: -frequency[v.clip.emotion])


def _take(victims: list[Victim], fault: Callable[[Victim], str]) -> Victim | None:
  """The next victim; four-digit names need a clip that has such numbers."""
  for victim in victims:
    if fault is not four_digit_names or victim.clip.offset < 10_000:
      victims.remove(victim)
      return victim
  return None


def _entry(
  quirk: str, treatment: str, victim: Victim, corpus: Corpus, detail: str
) -> dict[str, str]:
  return {
    "quirk": quirk,
    "treatment": treatment,
    "subject": corpora.canonical_subject(corpus.name, victim.clip.subject),
    "clip": victim.clip.truth.stem,
    "path": victim.clip.folder.as_posix(),
    "detail": detail,
  }


_Entries = list[dict[str, str]]
_Moves = list[tuple[pathlib.PurePath, pathlib.PurePath]]


def _corpus_faults(
  corpus: Corpus, clips: list[PlannedClip], sheet_name: str | None, root: pathlib.Path
) -> tuple[_Entries, _Moves]:
  """Faults of the tree, and the folders they moved: (from, to) below the root."""
  top = root / clips[0].folder.parts[0]
  if corpus.name == "smic":
    return _smic_folders(clips, top, root)
  lock = root / f"~${sheet_name}"
  lock.write_bytes(JUNK)
  faults = [_note("lock_file", "ignored", lock, root, "left behind by a spreadsheet program")]
  if corpus.name != "casme2":
    return faults, []
  aside, nested = root / f".{top.name}", top / top.name
  top.rename(aside)
  top.mkdir()
  aside.rename(nested)
  detail = f"{top.name}/{top.name}, as archives unpack"
  faults.append(_note("nested_top", "kept", nested, root, detail))
  return faults, [(top.relative_to(root), nested.relative_to(root))]


def _smic_folders(
  clips: list[PlannedClip], top: pathlib.Path, root: pathlib.Path
) -> tuple[_Entries, _Moves]:
  first, last = (top / "HS" / f"s{clips[i].subject}" for i in (0, -1))
  other = first / "non_micro" / f"{first.name}_non_01"
  frame = max(sorted((top / "HS").rglob("*.bmp")), key=lambda p: p.stat().st_size)
  other.mkdir(parents=True)
  shutil.copy(frame, other / frame.name)
  detail = "a clip without a micro-expression beside the others"
  faults = [_note("non_micro", "ignored", other, root, detail)]
  padded = last.with_name(f"s{clips[-1].subject:02d}")
  if padded == last:
    return faults, []
  last.rename(padded)
  detail = f"{padded.name} where its owners write {last.name}"
  faults.append(_note("padded_subject", "kept", padded, root, detail))
  return faults, [(last.relative_to(root), padded.relative_to(root))]


def _note(
  quirk: str, treatment: str, path: pathlib.Path, root: pathlib.Path, detail: str
) -> dict[str, str]:
  where = path.relative_to(root).as_posix()
  return {
    "quirk": quirk,
    "treatment": treatment,
    "subject": "",
    "clip": "",
    "path": where,
    "detail": detail,
  }


def _follow(moves: _Moves, path: str) -> str:
  """Where a path noted before the moves lies after them."""
  for old, new in moves:
    if pathlib.PurePath(path).is_relative_to(old) and not pathlib.PurePath(path).is_relative_to(
      new
    ):
      path = (new / pathlib.PurePath(path).relative_to(old)).as_posix()
  return path
