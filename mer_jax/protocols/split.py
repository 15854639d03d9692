"""Split: the clips of one experiment with their labels and folds, leave-one-subject-out."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mer_jax import errors
from mer_jax.clips import Clips

LEFT_OUT = -1  # the label of a clip that takes no part


class Split(NamedTuple):
  """N clips that take part, K classes, F folds (= held-out subjects).

  Attributes:
    clips: Clips [N], sorted by (dataset, subject, clip).
    labels: int32 [N] in 0..K-1.
    class_names: K names; label k is class_names[k].
    held_out: bool [F, N], True where fold f holds out clip n; one True in each column.
    fold_names: F names, "casme2/sub01", sorted.
    remarks: sentences that a report of this experiment must show.
  """

  clips: Clips
  labels: np.ndarray
  class_names: tuple[str, ...]
  held_out: np.ndarray
  fold_names: tuple[str, ...]
  remarks: tuple[str, ...]


def leave_one_subject_out(
  clips: Clips, labels: np.ndarray, class_names: Sequence[str], remarks: Sequence[str]
) -> Split:
  """Drops the clips without a label, sorts the others, and holds out each subject once.

  A subject is a (dataset, subject) pair: the numbers of different corpora collide.

  Args:
    clips: Clips [N].
    labels: int32 [N], `LEFT_OUT` for clips that take no part.
    class_names: K names.
    remarks: what the report must show; a remark on classes of one subject may be added.

  Raises:
    ProtocolError: no clip, a class without a clip, or fewer than two subjects.
  """
  order = np.lexsort((clips.clip, clips.subject, clips.dataset))
  order = order[labels[order] != LEFT_OUT]
  if not np.array_equal(order, np.arange(len(clips))):  # a selection copies every frame
    clips, labels = clips.select(order), labels[order]
  _check_classes(labels, class_names)
  subjects = np.array([f"{d}/{s}" for d, s in zip(clips.dataset, clips.subject, strict=True)])
  fold_names = np.unique(subjects)
  if len(fold_names) < 2:
    raise errors.ProtocolError(
      f"Leave-one-subject-out needs at least two subjects; all {len(clips)} clips that take part"
      f" are of {fold_names[0]}. Prepare more subjects."
    )
  return Split(
    clips=clips,
    labels=labels.astype(np.int32),
    class_names=tuple(class_names),
    held_out=fold_names[:, None] == subjects[None, :],
    fold_names=tuple(fold_names.tolist()),
    remarks=(*remarks, *_classes_of_one_subject(labels, class_names, subjects)),
  )


def _check_classes(labels: np.ndarray, class_names: Sequence[str]) -> None:
  counts = np.bincount(labels, minlength=len(class_names))
  empty = [name for name, count in zip(class_names, counts, strict=True) if count == 0]
  if empty:
    found = ", ".join(f"{c} {name}" for name, c in zip(class_names, counts, strict=True))
    raise errors.ProtocolError(
      f"No clip for class {', '.join(empty)} (found: {found}). A class without a clip can be"
      " neither learnt nor scored: prepare clips of it, or choose the protocol native."
    )


def _classes_of_one_subject(
  labels: np.ndarray, class_names: Sequence[str], subjects: np.ndarray
) -> list[str]:
  owners = [np.unique(subjects[labels == k]) for k in range(len(class_names))]
  return [
    f"All clips of class {name} are of {who[0]}; the fold that holds this subject out learns"
    " without that class."
    for name, who in zip(class_names, owners, strict=True)
    if len(who) == 1
  ]
