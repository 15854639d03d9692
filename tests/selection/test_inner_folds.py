"""The inner split: by subject, without the held-out clips, the same whatever those are."""

import numpy as np
import pytest
from annotated_clips import THREE, annotated
from hypothesis import given
from hypothesis import strategies as st

from mer_jax.errors import ConfigError
from mer_jax.experiment.selection.inner_folds import deal
from mer_jax.protocols.split import Split, leave_one_dataset_out, leave_one_subject_out


@st.composite
def splits(draw):
  """Four to eight subjects of one or two corpora with one to six clips each, and a count."""
  subjects = draw(st.integers(4, 8))
  rows = [
    (draw(st.sampled_from(("casme2", "samm"))), f"{s:02d}", f"c{c}", "x")
    for s in range(subjects)
    for c in range(draw(st.integers(1, 6)))
  ]
  labels = draw(st.lists(st.integers(0, 2), min_size=len(rows), max_size=len(rows)))
  rows += [("casme2", "00", f"d{k}", "x") for k in range(3)]
  split = leave_one_subject_out(annotated(rows), np.array([*labels, 0, 1, 2]), THREE, [])
  return split, draw(st.integers(2, len(split.fold_names) - 1))


def owners(split: Split) -> np.ndarray:
  clips = split.clips
  return np.array([f"{d}/{s}" for d, s in zip(clips.dataset, clips.subject, strict=True)])


@given(splits())
def test_groups_partition_the_training_subjects_of_every_fold(case):
  split, count = case
  dealt, owner = deal(split, count), owners(split)
  assert dealt.folds.names == tuple(f"{f}/inner{i}" for f in split.fold_names for i in range(count))
  for f, held in enumerate(split.held_out):
    groups = dealt.validation[f * count : (f + 1) * count]
    np.testing.assert_array_equal(groups.sum(axis=0), ~held)
    assert np.all(groups.any(axis=1))
    people = [set(owner[group]) for group in groups]
    assert sum(map(len, people)) == len(set.union(*people))
    np.testing.assert_array_equal(dealt.folds.held_out[f * count : (f + 1) * count], groups | held)
  assert dealt.validation.sum(axis=1).max() <= dealt.folds.most
  assert (~dealt.folds.held_out).sum(axis=1).min() >= dealt.folds.fewest >= 1


@given(splits(), st.randoms(use_true_random=False))
def test_labels_of_the_held_out_subject_move_nothing_of_its_fold(case, random):
  split, count = case
  fold = random.randrange(len(split.fold_names))
  labels = split.labels.copy()
  held = np.flatnonzero(split.held_out[fold])
  labels[held] = [random.randrange(3) for _ in held]
  one, other = deal(split, count), deal(split._replace(labels=labels), count)
  rows = slice(fold * count, (fold + 1) * count)
  np.testing.assert_array_equal(one.validation[rows], other.validation[rows])
  # They decide shapes, and with them the last bits of all folds.
  assert (one.folds.most, one.folds.fewest) == (other.folds.most, other.folds.fewest)


def test_classes_are_spread():
  """Six subjects of whom three alone show surprise: never two of them in one of three groups."""
  rows = [("casme2", f"{s}", f"c{c}", "x") for s in range(7) for c in range(4)]
  labels = np.array([2 if s % 2 and c == 0 else c % 2 for s in range(7) for c in range(4)])
  split = leave_one_subject_out(annotated(rows), labels, THREE, [])
  dealt = deal(split, 3)
  for f, fold in enumerate(split.fold_names):
    surprised = [np.sum(split.labels[g] == 2) for g in dealt.validation[3 * f : 3 * f + 3]]
    expected = [1, 1, 1] if int(fold[-1]) % 2 == 0 else [0, 1, 1]
    assert sorted(surprised) == expected


def test_folds_of_corpora_are_dealt_by_subject_too():
  rows = [(d, f"{s}", f"c{s}", "x") for d in ("casme2", "samm", "smic") for s in range(4)]
  split = leave_one_dataset_out(annotated(rows), np.arange(12) % 3, THREE, [])
  dealt = deal(split, 2)
  assert dealt.folds.names[0] == "casme2/inner0"
  np.testing.assert_array_equal(dealt.validation.sum(axis=1), [4] * 6)


@pytest.mark.parametrize("count", [3, 9])
def test_too_few_training_subjects_are_named(count):
  rows = [("casme2", f"{s}", f"c{c}", "x") for s in range(3) for c in range(3)]
  split = leave_one_subject_out(annotated(rows), np.arange(9) % 3, THREE, [])
  with pytest.raises(ConfigError, match=rf"inner_folds is {count}, but fold casme2/0 .* 2 subj"):
    deal(split, count)


@pytest.mark.parametrize("count", [1, 0, -1])
def test_fewer_than_two_groups_are_refused(count):
  rows = [("casme2", f"{s}", "c", "x") for s in range(3)]
  split = leave_one_subject_out(annotated(rows), np.arange(3), THREE, [])
  with pytest.raises(ConfigError, match="inner_folds"):
    deal(split, count)
