"""File names of published flow maps: which corpus, subject and clip, and which map of the clip.

Names read `<subject>_<clip> .png` for the first map of a clip and `<subject>_<clip>_1 .png`,
`_2 .png`, ... for further ones; the blank before the suffix is the publishers'. Clip names hold
digits after underscores themselves (EP01_2, 006_1_2), so a trailing number is a map's only where
the clip's name is already complete.
"""

import re
from collections.abc import Container, Set
from typing import NamedTuple

DATASETS = {
  "casme2": "casme2",
  "casmeii": "casme2",
  "samm": "samm",
  "smic": "smic",
  "smichs": "smic",
}
_MAP = re.compile(r"(.+)_([1-9]\d?)")  # a padded number (EP06_02_01) belongs to the clip
_CASME2 = re.compile(r"(?:sub)?(\d{1,2})_(EP\d{1,2}(?:_\d{1,2}){0,2}f?)", re.IGNORECASE)
_SAMM = re.compile(r"(?:\d{1,3}_)?(\d{3})_(\d{1,2})_(\d{1,2})")
_SMIC = re.compile(r"(?:s\d{1,2}_)?s(\d{1,2})_(ne|po|sur)_(\d{1,2})", re.IGNORECASE)


class ClipKey(NamedTuple):
  """Dataset, subject and clip in canonical form."""

  dataset: str
  subject: str
  clip: str


def split(stem: str, clips: Container[str]) -> tuple[str, int]:
  """Parts a file name without suffix into the name of its clip and the index of the map.

  Args:
    stem: "sub01_ep02_01f_1", casefolded.
    clips: names of clips, casefolded: from a csv, or by `first_maps`.
  """
  match = _MAP.fullmatch(stem)
  if stem not in clips and match and match[1] in clips:
    return match[1], int(match[2])
  return stem, 0


def first_maps(stems: Set[str]) -> set[str]:
  """Those of `stems` that are no further map of another of them, and so name a clip."""
  return {s for s in stems if not ((match := _MAP.fullmatch(s)) and match[1] in stems)}


def by_pattern(stem: str) -> ClipKey | None:
  """The clip that a name without map index means, by the naming of the three corpora."""
  if match := _CASME2.fullmatch(stem.strip()):
    clip = match[2][:2].upper() + match[2][2:].lower()
    return ClipKey("casme2", f"sub{int(match[1]):02d}", clip)
  if match := _SAMM.fullmatch(stem.strip()):
    return ClipKey("samm", match[1], f"{match[1]}_{int(match[2])}_{int(match[3])}")
  if match := _SMIC.fullmatch(stem.strip()):
    subject = f"s{int(match[1]):02d}"
    return ClipKey("smic", subject, f"{subject}_{match[2].lower()}_{int(match[3]):02d}")
  return None


def canonical(dataset: str, subject: str, clip: str) -> ClipKey:
  """The key of a row of a csv.

  Args:
    dataset: in any spelling, or "" to tell it from the names.
    subject: "sub01" or "1"; "006" or "6"; "s01", "s1" or "1".
    clip: as the corpus' owners write it, SMIC also padded.

  Raises:
    ValueError: the names are none of the three corpora'.
  """
  known = DATASETS.get(re.sub(r"[^a-z0-9]", "", dataset.lower()))
  if dataset and known is None:
    raise ValueError(f"unknown dataset {dataset!r}; known: casme2, samm, smic")
  clip = clip.strip()
  # SAMM's and SMIC's clips name their subject; putting it before CASME II's makes all alike.
  for stem in (clip, f"{subject.strip()}_{clip}"):
    key = by_pattern(stem)
    if key and known in (None, key.dataset):
      number = re.findall(r"\d+", subject)
      if number and int(number[-1]) != int(re.findall(r"\d+", key.subject)[0]):
        break
      return key
  raise ValueError(f"subject {subject!r} and clip {clip!r} fit none of CASME II, SAMM and SMIC")


def spellings(key: ClipKey, subject: str, clip: str) -> set[str]:
  """Casefolded stems under which publishers file the maps of a clip."""
  stems = {f"{subject.strip()}_{clip.strip()}", f"{key.subject}_{key.clip}"}
  if key.dataset != "casme2":  # there, clip names repeat between subjects
    stems |= {clip.strip(), key.clip}
  return {stem.casefold() for stem in stems}
