"""Whether a log is about exactly the clips of a protocol, each once and with its own label."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mer_jax import errors
from mer_jax.evaluation import megc_names
from mer_jax.evaluation.megc_log import Log
from mer_jax.protocols import COMPOSITES, OFFICIAL, Split, completeness
from mer_jax.protocols.megc2019_labels import CLASS_NAMES, LEFT_OUT_CLIPS


class Problem(NamedTuple):
  """Something that is wrong with the clips of a log.

  Attributes:
    kind: "corpus", "name", "doubled", "subject", "label", "left_out", "counts", "missing" or
      "unknown".
    text: what is wrong, a clause without a full stop.
    clips: the clips concerned, each with its line or what was expected of it; empty where the text
      says it all.
  """

  kind: str
  text: str
  clips: tuple[str, ...] = ()


class Coverage(NamedTuple):
  """What was found.

  Attributes:
    problems: empty where the clips are those of the protocol, as far as could be checked.
    remarks: what was checked, and what could not be.
  """

  problems: tuple[Problem, ...]
  remarks: tuple[str, ...]


def examine(
  log: Log, protocol: str, split: Split | None = None, *, drawn: bool = False
) -> Coverage:
  """Compares the clips of a log with those of a protocol.

  The official lists are not shipped. Without the corpora, what a log's names say themselves is
  checked, and counts per class, subjects and digests of every corpus. With them, clip by clip.

  Args:
    log: the log.
    protocol: a key of mer_jax.protocols.PROTOCOLS.
    split: the protocol carried out on the prepared corpora; None without them.
    drawn: whether the log is known to be about synthetic clips, of which nothing official holds.
      Those of a synthetic `split` are so in any case.

  Raises:
    DataError: the classes of log and split differ.
  """
  drawn = drawn or (split is not None and bool(np.all(split.clips.synthetic)))
  problems = [*_names(log), *_doubled(log), *_contradictions(log, protocol, drawn)]
  remarks = []
  if protocol in OFFICIAL and not drawn:
    listed, notes = _official(log, protocol)
    problems, remarks = problems + listed, remarks + notes
  if split is not None:
    problems += _clip_by_clip(log, split)
    remarks += [
      f"Compared clip by clip with {len(split.labels)} prepared clips.",
      *(f"Prepared clips: {remark}" for remark in split.remarks),
    ]
  elif protocol not in OFFICIAL:
    remarks.append(
      f"The clips of the protocol {protocol} are not known here; give --data_dir to compare."
    )
  else:
    remarks.append("Single clips were not compared; give --data_dir to compare them one by one.")
  return Coverage(tuple(problems), tuple(remarks))


def _keys(log: Log) -> list[str]:
  return [f"{d}/{s}/{c}" for d, s, c in zip(log.dataset, log.subject, log.clip, strict=True)]


def _at(log: Log, n: int) -> str:
  return f"{log.dataset[n]}/{log.subject[n]}/{log.clip[n]} (line {log.line[n]})"


def _names(log: Log) -> list[Problem]:
  forms = {"casme2": "sub01 and EP02_01f", "samm": "006 and 006_1_2", "smic": "s01 and s01_ne_01"}
  problems = []
  for dataset, form in forms.items():
    unlike = [
      _at(log, n)
      for n in np.flatnonzero(log.dataset == dataset).tolist()
      if not megc_names.clip(dataset, str(log.clip[n])).known
      or not megc_names.is_subject(dataset, str(log.subject[n]))
    ]
    if unlike:
      text = f"{len(unlike)} clips of {dataset} whose subject or name is not like {form}"
      problems.append(Problem("name", text, tuple(unlike)))
  return problems


def _doubled(log: Log) -> list[Problem]:
  lines = defaultdict(list)
  for key, line in zip(_keys(log), log.line.tolist(), strict=True):
    lines[key].append(str(line))
  twice = [f"{key} (lines {', '.join(at)})" for key, at in lines.items() if len(at) > 1]
  text = f"{len(twice)} clips stand there more than once; every line of them is scored"
  return [Problem("doubled", text, tuple(twice))] if twice else []


def _contradictions(log: Log, protocol: str, drawn: bool) -> list[Problem]:
  """What the names of clips say about themselves and the log does not."""
  subject, label, left_out = [], [], []
  three = protocol in ("megc2019", "three_class") and log.class_names == CLASS_NAMES
  for n, key in enumerate(_keys(log)):
    name = megc_names.clip(str(log.dataset[n]), str(log.clip[n]))
    if name.subject and name.subject != log.subject[n]:
      subject.append(f"{_at(log, n)}, whose name says {name.subject}")
    if three and name.emotion and name.emotion != CLASS_NAMES[log.label[n]]:
      label.append(f"{_at(log, n)}: {CLASS_NAMES[log.label[n]]}, whose name says {name.emotion}")
    if three and key in LEFT_OUT_CLIPS and not drawn:
      left_out.append(f"{_at(log, n)}: {LEFT_OUT_CLIPS[key]}")
  return [
    Problem(kind, f"{len(clips)} clips {text}", tuple(clips))
    for kind, text, clips in (
      ("subject", "stand under another subject than their name says", subject),
      ("label", "are labelled otherwise than their name says", label),
      ("left_out", "take no part in MEGC2019", left_out),
    )
    if clips
  ]


def _official(log: Log, protocol: str) -> tuple[list[Problem], list[str]]:
  official = OFFICIAL[protocol]
  present = np.unique(log.dataset).tolist()
  problems = [
    Problem("corpus", errors.unknown(f"corpus in {protocol}", d, official).rstrip("."))
    for d in present
    if d not in official
  ]
  remarks = []
  for dataset in official if protocol in COMPOSITES else [d for d in present if d in official]:
    inside = np.flatnonzero(log.dataset == dataset)
    if not len(inside):
      problems.append(Problem("missing", f"{dataset}: no clip; {protocol} is over all its corpora"))
      continue
    if tuple(official[dataset][0].counts) != log.class_names:
      classes = ", ".join(official[dataset][0].counts)
      text = f"{dataset}: the classes are {', '.join(log.class_names)}; official {classes}"
      problems.append(Problem("counts", text))
      continue
    labels = {key: int(k) for key, k in zip(_keys(log), log.label, strict=True)}  # doubles once
    names = sorted({_keys(log)[n] for n in inside})
    listed = [labels[name] for name in names]
    version = completeness.nearest(official[dataset], listed)
    parts = completeness.difference(version, names, listed)
    if parts:
      problems.append(Problem("counts", f"{dataset}: {'; '.join(parts)}"))
    else:
      remarks.append(completeness.agreement(protocol, dataset, version))
  return problems, remarks


def _clip_by_clip(log: Log, split: Split) -> list[Problem]:
  if log.class_names != split.class_names:
    raise errors.DataError(
      f"The log has the classes {', '.join(log.class_names)}; the protocol makes"
      f" {', '.join(split.class_names)} of the prepared clips. Choose the --protocol of the log."
    )
  names, clips = list(split.class_names), split.clips
  expected = {clips.name(n): int(split.labels[n]) for n in range(len(split.labels))}
  listed = set(_keys(log))
  missing = [name for name in expected if name not in listed]
  owners = defaultdict(list)
  for name in missing:
    owners[name.split("/")[0], name.rsplit("/", 1)[1]].append(name)
  unknown, subject, label = [], [], []
  for n, key in enumerate(_keys(log)):
    elsewhere = owners.get((str(log.dataset[n]), str(log.clip[n])), [])
    if key in expected and expected[key] != log.label[n]:
      label.append(f"{_at(log, n)}: {names[log.label[n]]}, prepared as {names[expected[key]]}")
    elif key not in expected and len(elsewhere) == 1:
      subject.append(f"{_at(log, n)}, which is {elsewhere[0]}")
    elif key not in expected:
      unknown.append(_at(log, n))
  return _listed(missing, unknown, subject, label)


def _listed(
  missing: Sequence[str], unknown: Sequence[str], subject: Sequence[str], label: Sequence[str]
) -> list[Problem]:
  return [
    Problem(kind, f"{len(clips)} clips {text}", tuple(clips))
    for kind, text, clips in (
      ("missing", "of the protocol are not in the log", missing),
      ("unknown", "of the log are not among the protocol's", unknown),
      ("subject", "stand under another subject than they are prepared with", subject),
      ("label", "are labelled otherwise than they are prepared", label),
    )
    if clips
  ]
