"""Proves that a protocol selected exactly the official clips, without shipping their list.

Counts, subjects and digests are facts about the corpora; the digest is the sha256 of the sorted
lines "dataset/subject/clip label", each ended by a line feed.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from mer_jax import errors
from mer_jax.clips import Clips
from mer_jax.protocols.megc2019_labels import CLASS_NAMES
from mer_jax.protocols.split import LEFT_OUT


class Official(NamedTuple):
  """What MEGC2019 takes from one corpus: clips per class, subjects, digest."""

  counts: Mapping[str, int]
  subjects: frozenset[str]
  digest: str


def _subjects(dataset: str, form: str, last: int, absent: Sequence[int]) -> frozenset[str]:
  return frozenset(f"{dataset}/{form % n}" for n in range(1, last + 1) if n not in absent)


def _counts(*counts: int) -> dict[str, int]:
  return dict(zip(CLASS_NAMES, counts, strict=True))


# The absent subjects recorded no clip with a class of MEGC2019.
MEGC2019 = {
  "casme2": Official(
    _counts(88, 32, 25),
    _subjects("casme2", "sub%02d", 26, absent=(10, 18)),
    "5720b1be53fd4dc22fa260dbbff51dba6c2f2a45f6cfc0cad2199da488d37250",
  ),
  "samm": Official(
    _counts(92, 26, 15),
    _subjects("samm", "%03d", 37, absent=(1, 2, 3, 4, 5, 8, 25, 27, 29)),
    "2a9956957b0c2763b0adac16398684614e49acfda9f1c76d01fc37189ca385dc",
  ),
  "smic": Official(
    _counts(70, 51, 43),
    _subjects("smic", "s%02d", 20, absent=(7, 10, 16, 17)),
    "03b57fc907778c8be9811cdbb2c09fbd86301681c3e4fc4ca52828b3fa76e8bb",
  ),
}

SYNTHETIC_REMARK = (
  "Synthetic corpus: every clip was drawn by a program, so the scores say nothing about people,"
  " and the official counts do not apply."
)


def digest(clips: Clips, labels: np.ndarray) -> str:
  """sha256 of the clips with a label: sorted lines "casme2/sub01/EP02_01f 1", each ended by LF."""
  lines = sorted(f"{clips.name(int(n))} {labels[n]}\n" for n in np.flatnonzero(labels != LEFT_OUT))
  return hashlib.sha256("".join(lines).encode()).hexdigest()


def only_synthetic(clips: Clips) -> bool:
  """Whether all clips were drawn; the official counts then do not apply.

  Raises:
    ProtocolError: there is no clip, or drawn and recorded clips are mixed.
  """
  if not len(clips):
    raise errors.ProtocolError("There are no clips to split. Prepare a corpus with at least one.")
  drawn = int(np.sum(clips.synthetic))
  if 0 < drawn < len(clips):
    raise errors.ProtocolError(
      f"{drawn} of {len(clips)} clips are synthetic and the others are recorded. A score over both"
      " means nothing: use the one or the other."
    )
  return drawn > 0


def one_corpus(protocol: str, clips: Clips) -> str:
  """The name of the one corpus that the clips are of.

  Raises:
    ProtocolError: there is no clip, there are several corpora, or drawn and recorded clips.
  """
  only_synthetic(clips)
  datasets = np.unique(clips.dataset).tolist()
  if len(datasets) > 1:
    raise errors.ProtocolError(
      f"The protocol {protocol} works within one corpus; the clips are of {', '.join(datasets)}."
      " Load one of them, or choose the protocol megc2019."
    )
  return datasets[0]


def check_megc2019(
  clips: Clips, labels: np.ndarray, corpora: Sequence[str], allow_incomplete: bool
) -> list[str]:
  """Compares the selected clips of each corpus with the official ones.

  Args:
    clips: Clips [N], all recorded or all drawn; of drawn ones only the corpora are checked.
    labels: int32 [N] by `megc2019_labels`.
    corpora: the corpora that must be there.
    allow_incomplete: return the differences as remarks instead of stopping.

  Returns:
    What the report must say about where the clips come from and whether all are there.

  Raises:
    ProtocolError: a corpus is missing, or its clips are not the official ones; says how many of
      which classes and which subjects.
  """
  synthetic = only_synthetic(clips)
  remarks = [SYNTHETIC_REMARK] if synthetic else []
  differences = []
  for dataset in corpora:
    if not np.any(labels[clips.dataset == dataset] != LEFT_OUT):
      differences.append(f"{dataset}: no clip with a class.")
    elif not synthetic:
      of_dataset = np.where(clips.dataset == dataset, labels, LEFT_OUT)
      difference = _difference(dataset, clips, of_dataset)
      (differences if difference else remarks).append(difference or _agreement(dataset))
  return remarks + stop_or_remark("MEGC2019", differences, allow_incomplete)


def stop_or_remark(reference: str, differences: Sequence[str], allow_incomplete: bool) -> list[str]:
  """The differences as remarks where that is allowed; otherwise an error that names them.

  Raises:
    ProtocolError: there are differences and `allow_incomplete` is False.
  """
  if differences and not allow_incomplete:
    raise errors.ProtocolError(
      f"The prepared clips are not those of {reference}. {' '.join(differences)} Look into"
      " build_report.json beside the data for what was refused, and complete the corpus; or set"
      " protocol.allow_incomplete=True, and the report will say so."
    )
  return [f"Not the complete corpus ({reference}). {difference}" for difference in differences]


def compare_counts(found: Mapping[str, int], official: Mapping[str, int]) -> str:
  """What differs, "140 clips, official 145 (negative 83 of 88)"; "" where the counts agree."""
  names = [*official, *sorted(set(found) - set(official))]
  wrong = [
    f"{name} {found.get(name, 0)} of {official.get(name, 0)}"
    for name in names
    if found.get(name, 0) != official.get(name, 0)
  ]
  if not wrong:
    return ""
  totals = f"{sum(found.values())} clips, official {sum(official.values())}"
  return f"{totals} ({', '.join(wrong)})"


def _difference(dataset: str, clips: Clips, labels: np.ndarray) -> str:
  official = MEGC2019[dataset]
  chosen = np.flatnonzero(labels != LEFT_OUT)
  subjects = {f"{dataset}/{clips.subject[n]}" for n in chosen}
  found = Counter(CLASS_NAMES[labels[n]] for n in chosen)
  parts = [compare_counts(found, official.counts)]
  for what, names in (
    ("subjects missing", official.subjects - subjects),
    ("subjects that are not part of it", subjects - official.subjects),
  ):
    if names:
      parts.append(f"{what}: {', '.join(sorted(names))}")
  if dataset == "smic" and 0 < np.median(clips.fps[chosen]) < 50:
    parts.append("MEGC2019 takes the camera HS, and these clips are of a slower one")
  parts = [part for part in parts if part]
  got = digest(clips, labels)
  if not parts and got != official.digest:
    parts = [
      f"the counts are the official ones, but a clip or a label is not: digest {got[:8]}, official"
      f" {official.digest[:8]} (the list is not shipped; look for corrected emotions, renamed"
      " clips, and subjects swapped)"
    ]
  return f"{dataset}: {'; '.join(parts)}." if parts else ""


def _agreement(dataset: str) -> str:
  official = MEGC2019[dataset]
  return (
    f"{dataset}: exactly the {sum(official.counts.values())} clips and"
    f" {len(official.subjects)} subjects of MEGC2019 (digest {official.digest[:8]})."
  )
