"""The inner split: the training subjects of every fold, dealt into groups that take turns.

Whatever is to be chosen for a fold (when to stop, which setting) is decided on these groups, each
predicted by a model that learnt from the others. The fold's held-out clips are in none of them.
"""

import hashlib
import math
from typing import NamedTuple

import numpy as np

from mer_jax import checks
from mer_jax.errors import ConfigError, shown
from mer_jax.protocols.split import Split
from mer_jax.training.program import Folds


class InnerFolds(NamedTuple):
  """I inner folds for each of F folds, one fold after another, over the N clips of a split.

  Attributes:
    count: I.
    folds: the F I inner folds, named "casme2/sub01/inner0". Each learns neither from the held-out
      clips of its fold nor from its own group, and predicts its own group. `most` and `fewest` are
      bounds that do not depend on labels.
  """

  count: int
  folds: Folds

  @property
  def validation(self) -> np.ndarray:
    """bool [F I, N], True for the group of each inner fold."""
    return np.asarray(self.folds.predicted)


def deal(split: Split, count: int) -> InnerFolds:
  """Deals the training subjects of every fold into `count` groups.

  A subject's clips stay together. Subjects are dealt the largest first, equals in an order drawn
  from the names of fold and subject, each to the group in which its classes are rarest, among those
  with room for it. What a fold gets depends on its training clips and the names alone, and is the
  same for all seeds: then seeds differ by training alone.

  Args:
    split: F folds over N clips.
    count: I >= 2.

  Raises:
    ConfigError: a fold has fewer training subjects than that.
  """
  checks.check_at_least("config.selection.inner_folds", count, 2)
  clips = split.clips
  owner = np.array([f"{d}/{s}" for d, s in zip(clips.dataset, clips.subject, strict=True)])
  names, held_out, validation, most, fewest = [], [], [], [], []
  for fold, held in zip(split.fold_names, split.held_out, strict=True):
    subjects, sizes = np.unique(owner[~held], return_counts=True)
    if len(subjects) < count:
      raise ConfigError(
        f"config.selection.inner_folds is {count}, but fold {fold} learns from"
        f" {len(subjects)} subject(s) only. Use at most as many inner folds as that, at least 2, or"
        " config.selection.name=last."
      )
    # The least filled group always has room, and how large a group may get tells nothing of labels.
    room = math.ceil(sizes.sum() / count) + int(sizes.max())
    groups = _groups(fold, owner, split.labels, ~held, count, room)
    names += [f"{fold}/inner{i}" for i in range(count)]
    validation += groups
    held_out += [held | group for group in groups]
    most.append(min(room, int(sizes.sum())))
    fewest.append(max(1, int(sizes.sum()) - room))
  folds = Folds(tuple(names), np.stack(held_out), np.stack(validation), max(most), min(fewest))
  return InnerFolds(count, folds)


def _groups(
  fold: str, owner: np.ndarray, labels: np.ndarray, trains: np.ndarray, count: int, room: int
) -> list[np.ndarray]:
  """`count` times bool [N]."""
  subjects = np.unique(owner[trains])
  classes = np.unique(labels[trains])
  table = np.array([[np.sum(labels[owner == s] == k) for k in classes] for s in subjects])
  share = table / table.sum(axis=0)
  dealt, filled = np.zeros((count, len(classes))), np.zeros((count, 2))
  group: dict[str, int] = {}
  for s in sorted(range(len(subjects)), key=lambda s: (-table[s].sum(), _draw(fold, subjects[s]))):
    clips = int(table[s].sum())
    # How much the classes would crowd together; among equals subjects count, then clips.
    crowded = [
      (filled[g, 1] + clips > room, round(float(dealt[g] @ share[s]), 9), *filled[g], g)
      for g in range(count)
    ]
    best = int(min(crowded)[-1])
    group[str(subjects[s])] = best
    dealt[best] += share[s]
    filled[best] += (1, clips)
  group_of_clip = np.array([group[str(o)] if t else -1 for o, t in zip(owner, trains, strict=True)])
  return [group_of_clip == g for g in range(count)]


def _draw(fold: str, subject: str) -> bytes:
  return hashlib.sha256(shown(f"{fold} {subject}").encode()).digest()
