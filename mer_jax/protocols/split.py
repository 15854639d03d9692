"""Split: the clips of one experiment with their labels and folds."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mer_jax import checks, errors
from mer_jax.clips import Clips

LEFT_OUT = -1  # the label of a clip that takes no part
# What a fold holds out: every clip of one subject, or every clip of one corpus.
HELD_OUT = ("subject", "dataset")
# The parts of a fixed split; clips of the first are learnt from and never held out.
TRAIN, TEST = "train", "test"


class Split(NamedTuple):
  """N clips that take part, K classes, F folds (= held-out subjects, or held-out corpora).

  Attributes:
    clips: Clips [N], sorted by (dataset, subject, clip).
    labels: int32 [N] in 0..K-1.
    class_names: K names; label k is class_names[k].
    held_out: bool [F, N], True where fold f holds out clip n; one True in each column, or none for
      clips of a fixed split that are only learnt from.
    fold_names: F names, "casme2/sub01", or "casme2" where a corpus is held out; sorted.
    remarks: sentences that a report of this experiment must show.
  """

  clips: Clips
  labels: np.ndarray
  class_names: tuple[str, ...]
  held_out: np.ndarray
  fold_names: tuple[str, ...]
  remarks: tuple[str, ...]


def tested(split: Split) -> Split:
  """The clips that a fold holds out: all of them, but for the training part of a fixed split."""
  held = split.held_out.any(axis=0)
  if held.all():
    return split
  return split._replace(
    clips=split.clips.select(np.flatnonzero(held)),
    labels=split.labels[held],
    held_out=split.held_out[:, held],
  )


def leave_one_subject_out(
  clips: Clips,
  labels: np.ndarray,
  class_names: Sequence[str],
  remarks: Sequence[str],
  *,
  fewest: int = 2,
) -> Split:
  """`leave_one_out` of "subject"."""
  return leave_one_out("subject", clips, labels, class_names, remarks, fewest=fewest)


def leave_one_dataset_out(
  clips: Clips, labels: np.ndarray, class_names: Sequence[str], remarks: Sequence[str]
) -> Split:
  """`leave_one_out` of "dataset": learns from the other corpora, is scored on the held-out one."""
  return leave_one_out("dataset", clips, labels, class_names, remarks)


def leave_one_out(
  held_out: str,
  clips: Clips,
  labels: np.ndarray,
  class_names: Sequence[str],
  remarks: Sequence[str],
  *,
  fewest: int = 2,
) -> Split:
  """Drops the clips without a label, sorts the others, and holds each subject or corpus out once.

  A subject is a (dataset, subject) pair: the numbers of different corpora collide.

  Args:
    held_out: one of `HELD_OUT`.
    clips: Clips [N].
    labels: int32 [N], `LEFT_OUT` for clips that take no part.
    class_names: K names.
    remarks: what the report must show; what is special about the folds may be added.
    fewest: folds that there must be; 1 where others take their place.

  Raises:
    ConfigError: `held_out` is something else.
    ProtocolError: no clip, a class without a clip, or too few folds.
  """
  checks.check_choice("held_out", held_out, HELD_OUT)
  order = np.lexsort((clips.clip, clips.subject, clips.dataset))
  order = order[labels[order] != LEFT_OUT]
  if not np.array_equal(order, np.arange(len(clips))):  # a selection copies every frame
    clips, labels = clips.select(order), labels[order]
  _check_classes(labels, class_names)
  owners, held = folds(held_out, clips)
  if len(held) < fewest:
    raise errors.ProtocolError(
      f"Leave-one-{held_out}-out needs at least two {held_out}s; all {len(clips)} clips that take"
      f" part are of {owners[0]}. Prepare more {held_out}s."
    )
  by_corpus = _held_out_corpora(owners) if held_out == "dataset" else []
  return Split(
    clips=clips,
    labels=labels.astype(np.int32),
    class_names=tuple(class_names),
    held_out=held,
    fold_names=tuple(np.unique(owners).tolist()),
    remarks=(*remarks, *by_corpus, *classes_of_one_fold(held_out, labels, class_names, owners)),
  )


def folds(held_out: str, clips: Clips) -> tuple[np.ndarray, np.ndarray]:
  """The name of the fold that holds out each clip, str [N], and who holds whom, bool [F, N].

  Folds are in the order of their sorted names.
  """
  if held_out == "dataset":
    owners = np.asarray(clips.dataset)
  else:
    owners = np.array([f"{d}/{s}" for d, s in zip(clips.dataset, clips.subject, strict=True)])
  return owners, np.unique(owners)[:, None] == owners[None, :]


def _check_classes(labels: np.ndarray, class_names: Sequence[str]) -> None:
  counts = np.bincount(labels, minlength=len(class_names))
  empty = [name for name, count in zip(class_names, counts, strict=True) if count == 0]
  if empty:
    present = ", ".join(f"{c} {name}" for name, c in zip(class_names, counts, strict=True))
    raise errors.ProtocolError(
      f"No clip for class {', '.join(empty)} (found: {present}). A class without a clip can be"
      " neither learnt nor scored: prepare clips of it, or choose the protocol native."
    )


def _held_out_corpora(owners: np.ndarray) -> list[str]:
  names, counts = np.unique(owners, return_counts=True)
  sizes = ", ".join(f"{name} ({count} clips)" for name, count in zip(names, counts, strict=True))
  return [
    f"Folds are corpora, not subjects: {sizes}. Each is scored by what was learnt from the others,"
    " so the scores must not be compared with those of leave-one-subject-out."
  ]


def classes_of_one_fold(
  held_out: str, labels: np.ndarray, class_names: Sequence[str], owners: np.ndarray
) -> list[str]:
  """A remark on every class of which all clips are held out at once.

  Args:
    held_out: what a fold holds out, "subject" or "dataset".
    labels: int [N].
    class_names: K names.
    owners: str [N], the name of the fold that holds out each clip.
  """
  who = [np.unique(owners[labels == k]) for k in range(len(class_names))]
  return [
    f"All clips of class {name} are of {only[0]}; the fold that holds this {held_out} out learns"
    " without that class."
    for name, only in zip(class_names, who, strict=True)
    if len(only) == 1
  ]
