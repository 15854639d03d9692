"""Plants the faults that copies of the real corpora are known to have, and lists them.

Every fault concerns one clip of its own, or the corpus as a whole. `treatment` says what a sound
builder does: "kept" (only the spelling is odd), "repaired" (the clip stays, something about it had
to be mended), "refused" (nothing usable is left of the clip), "ignored" (not a clip at all).
"""

import collections
import dataclasses
import pathlib
import shutil
from collections.abc import Callable

import numpy as np

from data_builders.synthetic import corpora
from data_builders.synthetic.corpora import Corpus
from data_builders.synthetic.plan import PlannedClip
from data_builders.synthetic.sheets import Row


@dataclasses.dataclass
class _Victim:
  """A drawn clip, its folder on disk, and its row of the sheet (empty for SMIC)."""

  clip: PlannedClip
  folder: pathlib.Path
  row: Row
  rng: np.random.Generator

  def frames(self) -> list[pathlib.Path]:
    """Frame files in the order of their numbers."""
    return sorted(self.folder.iterdir(), key=lambda p: int(_digits(p.stem)))


def plant(
  corpus: Corpus,
  clips: list[PlannedClip],
  table: list[Row],
  sheet_name: str | None,
  tree: str,
  root: pathlib.Path,
  rng: np.random.Generator,
) -> dict:
  """Changes the drawn corpus below `root` and its `table` in place.

  Args:
    corpus: which one.
    clips: all clips, as drawn.
    table: rows of the sheet, one per clip of a corpus that has a sheet; rows may be removed.
    sheet_name: file name of the sheet.
    tree: "cropped" or "raw".
    root: of the corpus.
    rng: decides which clips suffer.

  Returns:
    {"planted": [{"quirk", "treatment", "subject", "clip", "path", "detail"}, ...], "skipped":
    [names]}. Subject and clip are in canonical form, empty for faults of the whole corpus; skipped
    are the faults for which the corpus has too few clips (at most half of them suffer).
  """
  victims = _victims(corpus, clips, table, root, rng)
  room = len(victims) // 2
  planted, skipped, gone = [], [], []
  for name, treatment, fault in _FAULTS[corpus.name]:
    victim = _take(victims, fault) if room > 0 else None
    if victim is None:
      skipped.append(name)
      continue
    room -= 1
    planted.append(_entry(name, treatment, victim, corpus, fault(victim)))
    if name == "unlisted_folder":
      gone.append(id(victim.row))
  table[:] = [row for row in table if id(row) not in gone]
  planted += _whole_corpus(corpus, clips, sheet_name, tree, root)
  return {"planted": planted, "skipped": skipped}


def _victims(
  corpus: Corpus,
  clips: list[PlannedClip],
  table: list[Row],
  root: pathlib.Path,
  rng: np.random.Generator,
) -> list[_Victim]:
  """Clips of the main camera, the most frequent emotion first, so that rare ones survive."""
  frequency = collections.Counter(clip.emotion for clip in clips)
  listed = table or [{} for _ in clips]
  found = [
    _Victim(clip, root / clip.folder, row, rng)
    for clip, row in zip(clips, listed, strict=True)
    if clip.camera in ("", "HS")
  ]
  order = rng.permutation(len(found))
  return sorted((found[i] for i in order), key=lambda v: -frequency[v.clip.emotion])


def _take(victims: list[_Victim], fault: Callable[[_Victim], str]) -> _Victim | None:
  """The next victim; four-digit names need a clip that has such numbers."""
  for victim in victims:
    if fault is not _four_digit_names or victim.clip.offset < 10_000:
      victims.remove(victim)
      return victim
  return None


def _entry(
  quirk: str, treatment: str, victim: _Victim, corpus: Corpus, detail: str
) -> dict[str, str]:
  return {
    "quirk": quirk,
    "treatment": treatment,
    "subject": corpora.canonical_subject(corpus.name, victim.clip.subject),
    "clip": victim.clip.truth.stem,
    "path": victim.clip.folder.as_posix(),
    "detail": detail,
  }


def _digits(stem: str) -> str:
  """The last group of digits in a file name."""
  last = ""
  for before, after in zip(" " + stem, stem, strict=False):
    if after.isdigit():
      last = last + after if before.isdigit() else after
  return last


def _empty_folder(v: _Victim) -> str:
  for path in v.frames():
    path.unlink()
  return "the folder has no file"


def _missing_folder(v: _Victim) -> str:
  shutil.rmtree(v.folder)
  return "the sheet names a folder that is not there"


def _truncated_only(v: _Victim) -> str:
  first, *others = v.frames()
  for path in others:
    path.unlink()
  first.write_bytes(first.read_bytes()[: first.stat().st_size // 3])
  (v.folder / "Thumbs.db").write_bytes(_JUNK)
  return f"only Thumbs.db and {first.name}, cut after a third of its bytes"


def _frame_gap(v: _Victim) -> str:
  frames = v.frames()
  middle = len(frames) // 2
  for path in frames[middle : middle + 2]:
    path.unlink()
  return f"{frames[middle].name} and {frames[middle + 1].name} are missing"


def _last_frames_missing(v: _Victim) -> str:
  for path in v.frames()[-2:]:
    path.unlink()
  return "the last two frames are missing"


def _first_frames_missing(v: _Victim) -> str:
  for path in v.frames()[:2]:
    path.unlink()
  return "the first two frames are missing"


def _extra_frames(v: _Victim) -> str:
  frames = v.frames()
  for path, step in ((frames[0], -1), (frames[-1], 1)):
    shutil.copy(path, path.with_name(_renumbered(path.name, step)))
  return "a frame before the onset and one after the offset"


def _renumbered(name: str, step: int) -> str:
  stem, suffix = name.rsplit(".", 1)
  digits = _digits(stem)
  return f"{stem.removesuffix(digits)}{int(digits) + step:0{len(digits)}d}.{suffix}"


def _stray_files(v: _Victim) -> str:
  for name in ("Thumbs.db", ".DS_Store"):
    (v.folder / name).write_bytes(_JUNK)
  return "Thumbs.db and .DS_Store among the frames"


def _upper_case_suffix(v: _Victim) -> str:
  for path in v.frames():
    path.rename(path.with_suffix(path.suffix.upper()))
  return f"suffix {v.frames()[0].suffix}"


def _four_digit_names(v: _Victim) -> str:
  for path in v.frames():
    path.rename(path.with_name(f"{v.clip.subject:03d}_{int(_digits(path.stem))}.jpg"))
  return f"unpadded numbers: {v.frames()[0].name}"


def _renamed_frames(v: _Victim) -> str:
  for path in v.frames():
    path.rename(path.with_name(f"img{int(_digits(path.stem))}.jpg"))
  return f"frames renamed as other projects do: {v.frames()[0].name}"


def _seven_digits(v: _Victim) -> str:
  return _count_on(v, 1_640_000)


def _eight_digits(v: _Victim) -> str:
  return _count_on(v, 17_580_000)


def _count_on(v: _Victim, start: int) -> str:
  for n, path in enumerate(v.frames()):
    prefix = path.stem.removesuffix(_digits(path.stem))
    path.rename(path.with_name(f"{prefix}{start + n}{path.suffix}"))
  return f"frame numbers past a million: {v.frames()[0].name}"


def _apex_slash(v: _Victim) -> str:
  v.row["ApexFrame"] = "/"
  return "apex cell '/'"


def _apex_outside(v: _Victim) -> str:
  column = "ApexFrame" if "ApexFrame" in v.row else "Apex Frame"
  v.row[column] = v.clip.offset + 40
  return f"apex {v.row[column]} after the offset {v.clip.offset}"


def _apex_at_onset(v: _Victim) -> str:
  v.row["ApexFrame"] = v.clip.onset
  return "apex equals onset"


def _apex_at_offset(v: _Victim) -> str:
  v.row["ApexFrame"] = v.clip.offset
  return "apex equals offset"


def _integer_subject(v: _Victim) -> str:
  v.row["Subject"] = v.clip.subject
  return "the subject cell is a number"


def _text_subject(v: _Victim) -> str:
  v.row["Subject"] = f"{v.clip.subject:02d} "
  return "the subject cell is padded text with a blank behind it"


def _trailing_blanks(v: _Victim) -> str:
  v.row["Filename"] += " "
  v.row["Estimated Emotion"] = v.row["Estimated Emotion"].upper() + " "
  v.row["Action Units"] = f"{v.row['Action Units']} "
  return "blanks behind Filename, Action Units and Estimated Emotion, which is in capitals"


def _other_spelling(v: _Victim) -> str:
  other = {"others": "Other", "Other": "Others"}
  before = v.row["Estimated Emotion"]
  v.row["Estimated Emotion"] = other.get(before, before.swapcase())
  return f"emotion {before!r} spelt {v.row['Estimated Emotion']!r}"


def _unknown_units(v: _Victim) -> str:
  v.row["Action Units"] = "?"
  return "action units '?'"


def _either_or_units(v: _Victim) -> str:
  v.row["Action Units"] = f"A/{v.row['Action Units']} or L14"
  return f"action units {v.row['Action Units']!r}"


def _wrong_offset(v: _Victim) -> str:
  v.row["Offset Frame"] = v.clip.offset + 54
  return f"offset {v.row['Offset Frame']} contradicts Duration {v.row['Duration']}"


def _unlisted_folder(v: _Victim) -> str:
  return "a folder with frames but no row in the sheet"


_JUNK = b"\xd0\xcf\x11\xe0not an image"
_Fault = tuple[str, str, Callable[[_Victim], str]]
_DAMAGE: list[_Fault] = [
  ("empty_folder", "refused", _empty_folder),
  ("frame_gap", "repaired", _frame_gap),
  ("truncated_only", "refused", _truncated_only),
  ("stray_files", "kept", _stray_files),
]
_SHEET_DAMAGE: list[_Fault] = [
  ("missing_folder", "refused", _missing_folder),
  ("apex_outside", "repaired", _apex_outside),
  ("last_frames_missing", "repaired", _last_frames_missing),
  ("first_frames_missing", "repaired", _first_frames_missing),
  ("integer_subject", "kept", _integer_subject),
  ("trailing_blanks", "kept", _trailing_blanks),
  ("other_spelling", "kept", _other_spelling),
  ("extra_frames", "kept", _extra_frames),
  ("unlisted_folder", "ignored", _unlisted_folder),
]
# In order of importance: a small corpus gets the first ones.
_FAULTS: dict[str, list[_Fault]] = {
  "casme2": [
    ("apex_slash", "repaired", _apex_slash),
    *_DAMAGE,
    *_SHEET_DAMAGE,
    ("text_subject", "kept", _text_subject),
    ("apex_at_onset", "kept", _apex_at_onset),
    ("apex_at_offset", "kept", _apex_at_offset),
    ("unknown_units", "kept", _unknown_units),
  ],
  "samm": [
    ("wrong_offset", "repaired", _wrong_offset),
    ("four_digit_names", "kept", _four_digit_names),
    *_DAMAGE,
    *_SHEET_DAMAGE,
    ("renamed_frames", "kept", _renamed_frames),
    ("either_or_units", "kept", _either_or_units),
  ],
  "smic": [
    *_DAMAGE,
    ("seven_digits", "kept", _seven_digits),
    ("eight_digits", "kept", _eight_digits),
    ("upper_case_suffix", "kept", _upper_case_suffix),
  ],
}


def _whole_corpus(
  corpus: Corpus, clips: list[PlannedClip], sheet_name: str | None, tree: str, root: pathlib.Path
) -> list[dict[str, str]]:
  """Faults of the tree: a nested copy of its top, lock files, folders of other things."""
  faults = []

  def note(quirk: str, treatment: str, path: pathlib.Path, detail: str) -> None:
    where = path.relative_to(root).as_posix()
    faults.append(
      {
        "quirk": quirk,
        "treatment": treatment,
        "subject": "",
        "clip": "",
        "path": where,
        "detail": detail,
      }
    )

  top = root / clips[0].folder.parts[0]
  if sheet_name is not None:
    lock = root / f"~${sheet_name}"
    lock.write_bytes(_JUNK)
    note("lock_file", "ignored", lock, "left behind by a spreadsheet program")
  if corpus.name == "casme2":
    inner = root / f".{top.name}"
    top.rename(inner)
    top.mkdir()
    inner.rename(top / top.name)
    note("nested_top", "kept", top / top.name, f"{top.name}/{top.name}, as archives unpack")
  if corpus.name == "smic":
    _smic_folders(clips, top, note)
  return faults


def _smic_folders(clips: list[PlannedClip], top: pathlib.Path, note: Callable[..., None]) -> None:
  cameras = top / "HS"
  first, last = (cameras / f"s{clips[i].subject}" for i in (0, -1))
  other = first / "non_micro" / f"{first.name}_non_01"
  source = next(p for p in sorted(last.rglob("*.bmp")) if p.stat().st_size)
  other.mkdir(parents=True)
  shutil.copy(source, other / source.name)
  note("non_micro", "ignored", other, "a clip without a micro-expression beside the others")
  padded = last.with_name(f"s{int(last.name[1:]):02d}")
  if padded != last:
    last.rename(padded)
    note("padded_subject", "kept", padded, f"{padded.name} where its owners write {last.name}")
