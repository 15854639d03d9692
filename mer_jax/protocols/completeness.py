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
from mer_jax.errors import shown
from mer_jax.protocols.megc2019_labels import CLASS_NAMES
from mer_jax.protocols.split import LEFT_OUT


class Official(NamedTuple):
  """What a protocol takes from one corpus.

  Attributes:
    counts: clips per class, in the order of the class indices.
    subjects: the subjects, "casme2/sub01"; or how many, where no more is known.
    digest: of the clips and their labels (`digest_of`); "" where it is not known.
  """

  counts: Mapping[str, int]
  subjects: frozenset[str] | int
  digest: str = ""


def subjects(dataset: str, form: str, last: int, absent: Sequence[int] = ()) -> frozenset[str]:
  """The subjects of a corpus in canonical form: numbers 1 to `last` in `form`, but the absent."""
  return frozenset(f"{dataset}/{form % n}" for n in range(1, last + 1) if n not in absent)


def _counts(*counts: int) -> dict[str, int]:
  return dict(zip(CLASS_NAMES, counts, strict=True))


# The absent subjects recorded no clip with a class of MEGC2019.
MEGC2019 = {
  "casme2": Official(
    _counts(88, 32, 25),
    subjects("casme2", "sub%02d", 26, absent=(10, 18)),
    "5720b1be53fd4dc22fa260dbbff51dba6c2f2a45f6cfc0cad2199da488d37250",
  ),
  "samm": Official(
    _counts(92, 26, 15),
    subjects("samm", "%03d", 37, absent=(1, 2, 3, 4, 5, 8, 25, 27, 29)),
    "2a9956957b0c2763b0adac16398684614e49acfda9f1c76d01fc37189ca385dc",
  ),
  "smic": Official(
    _counts(70, 51, 43),
    subjects("smic", "s%02d", 20, absent=(7, 10, 16, 17)),
    "03b57fc907778c8be9811cdbb2c09fbd86301681c3e4fc4ca52828b3fa76e8bb",
  ),
}

SYNTHETIC_REMARK = (
  "Synthetic corpus: every clip was drawn by a program, so the scores say nothing about people,"
  " and the official counts do not apply."
)


def digest(clips: Clips, labels: np.ndarray) -> str:
  """`digest_of` the clips with a label."""
  selected = np.flatnonzero(labels != LEFT_OUT)
  return digest_of([clips.name(int(n)) for n in selected], labels[selected])


def digest_of(names: Sequence[str], labels: Sequence[int] | np.ndarray) -> str:
  """sha256 of clips: sorted lines "casme2/sub01/EP02_01f 1", each ended by a line feed."""
  lines = sorted(f"{name} {label}\n" for name, label in zip(names, labels, strict=True))
  return hashlib.sha256(shown("".join(lines)).encode()).hexdigest()


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
  """`check` of the corpora named, against what MEGC2019 takes from them."""
  official = {dataset: (MEGC2019[dataset],) for dataset in corpora}
  return check("MEGC2019", official, clips, labels, allow_incomplete)


def check(
  reference: str,
  official: Mapping[str, Sequence[Official]],
  clips: Clips,
  labels: np.ndarray,
  allow_incomplete: bool,
  why_none: str = "",
) -> list[str]:
  """Compares the selected clips of each corpus with the official ones.

  Args:
    reference: the name of the protocol, for the messages.
    official: the corpora that must be there, each with the versions in which it is in use.
    clips: Clips [N], all recorded or all drawn; of drawn ones only the corpora are checked.
    labels: int32 [N]; the order of the classes is that of `Official.counts`.
    allow_incomplete: return the differences as remarks instead of stopping.
    why_none: what to say beside a corpus of which no clip has a class.

  Returns:
    What the report must say about where the clips come from and whether all are there.

  Raises:
    ProtocolError: a corpus is missing, or its clips are not the official ones; says how many of
      which classes and which subjects.
  """
  synthetic = only_synthetic(clips)
  remarks = [SYNTHETIC_REMARK] if synthetic else []
  differences = []
  for dataset, versions in official.items():
    selected = np.flatnonzero((clips.dataset == dataset) & (labels != LEFT_OUT))
    names, present = [clips.name(int(n)) for n in selected], labels[selected]
    if not len(selected):
      differences.append(f"{dataset}: no clip with a class.{' ' * bool(why_none)}{why_none}")
    elif not synthetic:
      version = nearest(versions, present)
      parts = difference(version, names, present)
      if dataset == "smic" and 0 < np.median(clips.fps[selected]) < 50:
        parts.append("MEGC2019 takes the camera HS, and these clips are of a slower one")
      (differences if parts else remarks).append(
        f"{dataset}: {'; '.join(parts)}." if parts else agreement(reference, dataset, version)
      )
  return remarks + stop_or_remark(reference, differences, allow_incomplete)


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


def compare_counts(present: Mapping[str, int], official: Mapping[str, int]) -> str:
  """What differs, "140 clips, official 145 (negative 83 of 88)"; "" where the counts agree."""
  names = [*official, *sorted(set(present) - set(official))]
  wrong = [
    f"{name} {present.get(name, 0)} of {official.get(name, 0)}"
    for name in names
    if present.get(name, 0) != official.get(name, 0)
  ]
  if not wrong:
    return ""
  totals = f"{sum(present.values())} clips, official {sum(official.values())}"
  return f"{totals} ({', '.join(wrong)})"


def distance(present: Mapping[str, int], official: Mapping[str, int]) -> int:
  """How many clips too many or too few, summed over the classes."""
  return sum(abs(present.get(e, 0) - official.get(e, 0)) for e in {*present, *official})


def nearest(versions: Sequence[Official], labels: Sequence[int] | np.ndarray) -> Official:
  """The version whose counts differ least from those of `labels`, int [n]."""
  return min(versions, key=lambda official: distance(_by_class(official, labels), official.counts))


def difference(
  official: Official, names: Sequence[str], labels: Sequence[int] | np.ndarray
) -> list[str]:
  """What tells clips from the official ones of one corpus; empty where nothing does.

  Args:
    official: counts, subjects and digest.
    names: "casme2/sub01/EP02_01f" of the n clips.
    labels: int [n], indices into the classes of `official.counts`.
  """
  parts = [
    compare_counts(_by_class(official, labels), official.counts),
    *_compare_subjects(official, {name.rsplit("/", 1)[0] for name in names}),
  ]
  parts = [part for part in parts if part]
  got = digest_of(names, labels)
  if not parts and official.digest and got != official.digest:
    parts = [
      f"the counts are the official ones, but a clip or a label is not: digest {got[:8]}, official"
      f" {official.digest[:8]} (the list is not shipped; look for corrected emotions, renamed"
      " clips, and subjects swapped)"
    ]
  return parts


def agreement(reference: str, dataset: str, official: Official) -> str:
  """The sentence to say where `difference` finds nothing."""
  clips, people = sum(official.counts.values()), official.subjects
  people = people if isinstance(people, int) else len(people)
  if official.digest:
    return (
      f"{dataset}: exactly the {clips} clips and {people} subjects of {reference} (digest"
      f" {official.digest[:8]})."
    )
  return (
    f"{dataset}: {clips} clips of {people} subjects, as {reference} has them in each class; no"
    " digest is known, so single clips were not checked."
  )


def _by_class(official: Official, labels: Sequence[int] | np.ndarray) -> Counter[str]:
  classes = tuple(official.counts)
  return Counter(classes[int(k)] for k in labels)


def _compare_subjects(official: Official, present: set[str]) -> list[str]:
  if isinstance(official.subjects, int):
    agree = len(present) == official.subjects
    return [] if agree else [f"{len(present)} subjects, official {official.subjects}"]
  return [
    f"{what}: {', '.join(sorted(names))}"
    for what, names in (
      ("subjects missing", official.subjects - present),
      ("subjects that are not part of it", present - official.subjects),
    )
    if names
  ]
