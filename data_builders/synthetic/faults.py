"""The faults themselves: each changes one drawn clip, on disk or in its row of the sheet.

Every function damages one clip and returns a description of the damage.
"""

import dataclasses
import pathlib
import shutil
from collections.abc import Callable

import numpy as np

from data_builders.synthetic.plan import PlannedClip
from data_builders.synthetic.sheets import Row


@dataclasses.dataclass
class Victim:
  """A drawn clip, its folder on disk, and its row of the sheet (empty for SMIC)."""

  clip: PlannedClip
  folder: pathlib.Path
  row: Row
  rng: np.random.Generator

  def frames(self) -> list[pathlib.Path]:
    """Frame files in the order of their numbers."""
    return sorted(self.folder.iterdir(), key=lambda p: int(last_digits(p.stem)))


def last_digits(stem: str) -> str:
  """The last group of digits in a file name."""
  last = ""
  for before, after in zip(" " + stem, stem, strict=False):
    if after.isdigit():
      last = last + after if before.isdigit() else after
  return last


def _empty_folder(v: Victim) -> str:
  for path in v.frames():
    path.unlink()
  return "the folder has no file"


def _missing_folder(v: Victim) -> str:
  shutil.rmtree(v.folder)
  return "the sheet names a folder that is not there"


def _truncated_only(v: Victim) -> str:
  first, *others = v.frames()
  for path in others:
    path.unlink()
  first.write_bytes(first.read_bytes()[: first.stat().st_size // 3])
  (v.folder / "Thumbs.db").write_bytes(JUNK)
  return f"only Thumbs.db and {first.name}, cut after a third of its bytes"


def _frame_gap(v: Victim) -> str:
  frames = v.frames()
  middle = len(frames) // 2
  for path in frames[middle : middle + 2]:
    path.unlink()
  return f"{frames[middle].name} and {frames[middle + 1].name} are missing"


def _last_frames_missing(v: Victim) -> str:
  for path in v.frames()[-2:]:
    path.unlink()
  return "the last two frames are missing"


def _first_frames_missing(v: Victim) -> str:
  for path in v.frames()[:2]:
    path.unlink()
  return "the first two frames are missing"


def _extra_frames(v: Victim) -> str:
  frames = v.frames()
  for path, step in ((frames[0], -1), (frames[-1], 1)):
    shutil.copy(path, path.with_name(_renumbered(path.name, step)))
  return "a frame before the onset and one after the offset"


def _renumbered(name: str, step: int) -> str:
  stem, suffix = name.rsplit(".", 1)
  digits = last_digits(stem)
  return f"{stem.removesuffix(digits)}{int(digits) + step:0{len(digits)}d}.{suffix}"


def _stray_files(v: Victim) -> str:
  for name in ("Thumbs.db", ".DS_Store"):
    (v.folder / name).write_bytes(JUNK)
  return "Thumbs.db and .DS_Store among the frames"


def _upper_case_suffix(v: Victim) -> str:
  for path in v.frames():
    path.rename(path.with_suffix(path.suffix.upper()))
  return f"suffix {v.frames()[0].suffix}"


def four_digit_names(v: Victim) -> str:
  for path in v.frames():
    path.rename(path.with_name(f"{v.clip.subject:03d}_{int(last_digits(path.stem))}.jpg"))
  return f"unpadded numbers: {v.frames()[0].name}"


def _renamed_frames(v: Victim) -> str:
  for path in v.frames():
    path.rename(path.with_name(f"img{int(last_digits(path.stem))}.jpg"))
  return f"frames renamed as other projects do: {v.frames()[0].name}"


def _seven_digits(v: Victim) -> str:
  return _count_on(v, 1_640_000)


def _eight_digits(v: Victim) -> str:
  return _count_on(v, 17_580_000)


def _count_on(v: Victim, start: int) -> str:
  for n, path in enumerate(v.frames()):
    prefix = path.stem.removesuffix(last_digits(path.stem))
    path.rename(path.with_name(f"{prefix}{start + n}{path.suffix}"))
  return f"frame numbers past a million: {v.frames()[0].name}"


def _apex_slash(v: Victim) -> str:
  v.row["ApexFrame"] = "/"
  return "apex cell '/'"


def _apex_outside(v: Victim) -> str:
  column = "ApexFrame" if "ApexFrame" in v.row else "Apex Frame"
  v.row[column] = v.clip.offset + 40
  return f"apex {v.row[column]} after the offset {v.clip.offset}"


def _apex_at_onset(v: Victim) -> str:
  v.row["ApexFrame"] = v.clip.onset
  return "apex equals onset"


def _apex_at_offset(v: Victim) -> str:
  v.row["ApexFrame"] = v.clip.offset
  return "apex equals offset"


def _integer_subject(v: Victim) -> str:
  v.row["Subject"] = v.clip.subject
  return "the subject cell is a number"


def _text_subject(v: Victim) -> str:
  v.row["Subject"] = f"{v.clip.subject:02d} "
  return "the subject cell is padded text with a blank behind it"


def _trailing_blanks(v: Victim) -> str:
  v.row["Filename"] += " "
  v.row["Estimated Emotion"] = v.row["Estimated Emotion"].upper() + " "
  v.row["Action Units"] = f"{v.row['Action Units']} "
  return "blanks behind Filename, Action Units and Estimated Emotion, which is in capitals"


def _other_spelling(v: Victim) -> str:
  other = {"others": "Other", "Other": "Others"}
  before = v.row["Estimated Emotion"]
  v.row["Estimated Emotion"] = other.get(before, before.swapcase())
  return f"emotion {before!r} spelt {v.row['Estimated Emotion']!r}"


def _unknown_units(v: Victim) -> str:
  v.row["Action Units"] = "?"
  return "action units '?'"


def _either_or_units(v: Victim) -> str:
  v.row["Action Units"] = f"A/{v.row['Action Units']} or L14"
  return f"action units {v.row['Action Units']!r}"


def _wrong_offset(v: Victim) -> str:
  v.row["Offset Frame"] = v.clip.offset + 54
  return f"offset {v.row['Offset Frame']} contradicts Duration {v.row['Duration']}"


def _unlisted_folder(v: Victim) -> str:
  return "a folder with frames but no row in the sheet"


JUNK = b"\xd0\xcf\x11\xe0not an image"
_Fault = tuple[str, str, Callable[[Victim], str]]
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
  ("unlisted_folder", "refused", _unlisted_folder),
]
# In order of importance: a small corpus gets the first ones.
FAULTS: dict[str, list[_Fault]] = {
  "casme2": [
    ("apex_slash", "repaired", _apex_slash),
    *_DAMAGE,
    *_SHEET_DAMAGE,
    ("text_subject", "kept", _text_subject),
    ("apex_at_onset", "repaired", _apex_at_onset),
    ("apex_at_offset", "kept", _apex_at_offset),
    ("unknown_units", "kept", _unknown_units),
  ],
  "samm": [
    ("wrong_offset", "repaired", _wrong_offset),
    ("four_digit_names", "kept", four_digit_names),
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
