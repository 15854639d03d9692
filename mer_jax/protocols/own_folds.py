"""Folds of one's own clips: subjects, k groups of them, or the parts of a fixed split."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from mer_jax import checks, errors
from mer_jax.clips import Clips
from mer_jax.protocols.split import LEFT_OUT, TEST, TRAIN, Split, leave_one_subject_out

HELD_OUT = ("subject", "split")


def divide(
  clips: Clips,
  labels: np.ndarray,
  class_names: Sequence[str],
  remarks: Sequence[str],
  *,
  held_out: str = "subject",
  folds: int = 0,
) -> Split:
  """Holds out subjects, groups of subjects, or the parts of the column `split`.

  With "split" and a part "train", the part "test" is predicted by what learns from "train", and
  other parts take no part. Without it, every part is held out once.

  Args:
    clips: Clips [N].
    labels: int32 [N], `LEFT_OUT` for clips that take no part.
    class_names: K names.
    remarks: what the report must show; what is special about the folds is added.
    held_out: one of `HELD_OUT`.
    folds: groups into which the subjects are put; 0: each is a fold of its own.

  Raises:
    ConfigError: `held_out` or `folds` is something else, or both are given.
    ProtocolError: no clip, a class without a clip, too few subjects or parts, or a clip without.
  """
  checks.check_choice("held_out", held_out, HELD_OUT)
  checks.check_at_least("folds", folds, 0)
  if held_out == "split" and folds:
    raise errors.ConfigError("protocol.folds groups subjects; leave it out with held_out=split.")
  if held_out == "split":
    labels, remarks = _parts(clips, labels, remarks)
    split = leave_one_subject_out(clips, labels, class_names, remarks, fewest=1)
    return _by_part(split)
  split = leave_one_subject_out(clips, labels, class_names, remarks)
  return _grouped(split, folds) if folds else split


def _parts(
  clips: Clips, labels: np.ndarray, remarks: Sequence[str]
) -> tuple[np.ndarray, list[str]]:
  """Labels without the clips of parts that are neither learnt from nor tested."""
  parts = np.full(len(clips), "") if clips.split is None else clips.split
  takes_part = labels != LEFT_OUT
  without = int(np.sum(takes_part & (parts == "")))
  counts = Counter(parts[takes_part].tolist())
  if without or len(counts) < 2 or (TRAIN in counts and TEST not in counts):
    found = ", ".join(f"{part or 'none'} {count}" for part, count in sorted(counts.items()))
    raise errors.ProtocolError(
      "held_out=split needs a part for every clip in the column split of the table: train and"
      f" test, or at least two parts that are held out in turn. Found: {found or 'no clip'}."
    )
  if TRAIN not in counts:
    return labels, [*remarks]
  others = takes_part & ~np.isin(parts, (TRAIN, TEST))
  note = [
    f"{count} clips of the part {part} take no part."
    for part, count in sorted(counts.items())
    if part not in (TRAIN, TEST)
  ]
  return np.where(others, LEFT_OUT, labels), [*remarks, *note]


def _by_part(split: Split) -> Split:
  parts = np.asarray(split.clips.split)
  names = [TEST] if TRAIN in parts else np.unique(parts).tolist()
  held = np.array(names)[:, None] == parts[None, :]
  subjects = [f"{d}/{s}" for d, s in zip(split.clips.dataset, split.clips.subject, strict=True)]
  pairs = {*zip(subjects, parts.tolist(), strict=True)}
  both = sorted(s for s, count in Counter(subject for subject, _ in pairs).items() if count > 1)
  remarks = [f"A fixed split: {_sizes(parts)}. Its scores are not those of leave-one-subject-out."]
  if both:
    remarks.append(
      f"{len(both)} subjects are in several parts ({', '.join(both[:4])}"
      f"{', ...' if len(both) > 4 else ''}), so faces that were learnt are tested."
    )
  return split._replace(held_out=held, fold_names=tuple(names), remarks=(*split.remarks, *remarks))


def _grouped(split: Split, count: int) -> Split:
  """The folds of subjects put into `count` groups of about as many clips each."""
  if not 2 <= count <= len(split.fold_names):
    raise errors.ProtocolError(
      f"protocol.folds is {count}; with {len(split.fold_names)} subjects it must be from 2 to"
      f" {len(split.fold_names)}."
    )
  sizes = split.held_out.sum(axis=1)
  filled, group_of = np.zeros(count, np.int64), np.zeros(len(sizes), np.int64)
  for subject in np.argsort(-sizes, kind="stable"):  # the largest first, into the least filled
    group_of[subject] = np.argmin(filled)
    filled[group_of[subject]] += sizes[subject]
  held = np.stack([split.held_out[group_of == group].any(axis=0) for group in range(count)])
  width = len(str(count))
  names = tuple(f"fold{group + 1:0{width}d}" for group in range(count))
  remark = (
    f"{len(sizes)} subjects in {count} folds of {int(filled.min())} to {int(filled.max())} clips;"
    " no subject is in two of them."
  )
  return split._replace(held_out=held, fold_names=names, remarks=(*split.remarks, remark))


def _sizes(parts: np.ndarray) -> str:
  return ", ".join(f"{count} {part}" for part, count in sorted(Counter(parts.tolist()).items()))
