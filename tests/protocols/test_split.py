"""Folds, order and remarks, whatever the protocol."""

import numpy as np
import pytest
from annotated_clips import THREE, annotated, corpus
from hypothesis import given
from hypothesis import strategies as st

from mer_jax import protocols
from mer_jax.errors import ConfigError, ProtocolError
from mer_jax.protocols.split import (
  LEFT_OUT,
  leave_one_dataset_out,
  leave_one_out,
  leave_one_subject_out,
)


@st.composite
def labelled(draw):
  """Clips in random order with labels of which every class and two subjects are sure to occur."""
  n = draw(st.integers(3, 30))
  rows = [
    (
      draw(st.sampled_from(("casme2", "samm", "smic"))),
      draw(st.sampled_from(("01", "02", "03"))),
      f"c{i}",
      "negative",
    )
    for i in range(n)
  ]
  rows += [("casme2", "04", f"a{k}", "negative") for k in range(3)]
  rows += [("samm", "05", "b", "negative")]
  labels = [*draw(st.lists(st.integers(LEFT_OUT, 2), min_size=n, max_size=n)), 0, 1, 2, 0]
  order = draw(st.permutations(range(len(rows))))
  return annotated([rows[i] for i in order]), np.array([labels[i] for i in order], np.int32)


@given(labelled())
def test_folds_partition_the_labelled_clips_by_subject(case):
  clips, labels = case
  split = leave_one_subject_out(clips, labels, THREE, ["said before"])
  kept = {clips.name(n): labels[n] for n in range(len(clips)) if labels[n] != LEFT_OUT}
  names = [split.clips.name(n) for n in range(len(split.clips))]
  assert dict(zip(names, split.labels.tolist(), strict=True)) == kept
  assert [n.split("/") for n in names] == sorted(n.split("/") for n in names)
  assert split.labels.dtype == np.int32
  assert split.held_out.dtype == np.bool_
  assert np.all(split.held_out.sum(axis=0) == 1)
  assert np.all(split.held_out.sum(axis=1) >= 1)
  assert list(split.fold_names) == sorted(set(split.fold_names))
  for n, name in enumerate(names):
    fold = split.fold_names[int(np.flatnonzero(split.held_out[:, n])[0])]
    assert name.rsplit("/", 1)[0] == fold
  assert split.remarks[0] == "said before"


def test_subjects_of_different_corpora_with_one_number_are_two_folds():
  rows = [(d, "06", f"c{k}", THREE[k]) for d in ("casme2", "samm") for k in range(3)]
  split = leave_one_subject_out(annotated(rows), np.array([0, 1, 2] * 2, np.int32), THREE, [])
  assert split.fold_names == ("casme2/06", "samm/06")
  assert split.held_out.tolist() == [[True] * 3 + [False] * 3, [False] * 3 + [True] * 3]


@given(labelled())
def test_holding_corpora_out_partitions_the_same_clips(case):
  clips, labels = case
  by_subject = leave_one_subject_out(clips, labels, THREE, [])
  split = leave_one_dataset_out(clips, labels, THREE, ["said before"])
  np.testing.assert_array_equal(split.labels, by_subject.labels)
  assert [split.clips.name(n) for n in range(len(split.clips))] == [
    by_subject.clips.name(n) for n in range(len(by_subject.clips))
  ]
  assert list(split.fold_names) == sorted(set(split.clips.dataset.tolist()))
  assert np.all(split.held_out.sum(axis=0) == 1)
  for name, held in zip(split.fold_names, split.held_out, strict=True):
    assert (split.clips.dataset[held] == name).all()
  assert split.remarks[0] == "said before"
  assert "Folds are corpora, not subjects" in split.remarks[1]


def test_a_class_of_one_corpus_is_remarked():
  rows = [("casme2", "01", f"c{k}", THREE[k]) for k in range(3)]
  rows += [("samm", "02", f"c{k}", THREE[k]) for k in range(2)]
  split = leave_one_dataset_out(annotated(rows), np.array([0, 1, 2, 0, 1], np.int32), THREE, [])
  assert split.remarks[0].count("casme2 (3 clips), samm (2 clips)") == 1
  assert split.remarks[1:] == (
    "All clips of class surprise are of casme2; the fold that holds this dataset out learns without"
    " that class.",
  )


def test_one_corpus_or_another_unit_is_refused():
  rows = [("smic", f"s0{k}", f"c{k}", THREE[k]) for k in range(3)]
  labels = np.arange(3, dtype=np.int32)
  with pytest.raises(ProtocolError, match=r"at least two datasets; all 3 clips.*are of smic"):
    leave_one_dataset_out(annotated(rows), labels, THREE, [])
  with pytest.raises(ConfigError, match=r"held_out: 'clip'\. Known: dataset, subject"):
    leave_one_out("clip", annotated(rows), labels, THREE, [])


def test_one_subject_is_refused():
  rows = [("smic", "s01", f"c{k}", THREE[k]) for k in range(3)]
  with pytest.raises(ProtocolError, match=r"at least two subjects; all 3 clips.*smic/s01"):
    protocols.split("three_class", annotated(rows, synthetic=True))


def test_a_class_without_a_clip_is_named():
  rows = corpus("smic", {"negative": 4, "surprise": 3}, subjects=3)
  with pytest.raises(ProtocolError, match=r"No clip for class positive .*4 negative, 0 positive"):
    protocols.split("three_class", annotated(rows, synthetic=True))


def test_a_class_of_one_subject_is_remarked():
  rows = corpus("smic", {"negative": 4, "positive": 4}, subjects=2)
  rows += [("smic", "s02", "x", "surprise")]
  remarks = protocols.split("three_class", annotated(rows, synthetic=True)).remarks
  assert any("All clips of class surprise are of smic/s02" in r for r in remarks)


@pytest.mark.parametrize("name", protocols.PROTOCOLS)
def test_bad_input_is_refused_by_every_protocol(name):
  rows = corpus("smic", {"negative": 4, "positive": 4, "surprise": 4}, subjects=3)
  with pytest.raises(ProtocolError, match="no clips to split"):
    protocols.split(name, annotated(rows).select([]))
  with pytest.raises(ProtocolError, match=r"5 of 12 clips are synthetic"):
    protocols.split(name, annotated(rows, synthetic=[True] * 5 + [False] * 7))
  with pytest.raises(ConfigError, match=r"Unknown option of the protocol|has no options"):
    protocols.split(name, annotated(rows, synthetic=True), minimun=3)


def test_an_unknown_protocol_lists_the_known_ones():
  rows = corpus("smic", {"negative": 4, "positive": 4, "surprise": 4}, subjects=3)
  with pytest.raises(
    ConfigError, match=r"Did you mean 'three_class'\? Known: five_class, megc2018, megc2019,"
  ):
    protocols.split("threeclass", annotated(rows))


@pytest.mark.parametrize("name", ["three_class", "native"])
def test_one_corpus_protocols_refuse_two(name):
  rows = [row for d in ("smic", "samm") for row in corpus(d, dict.fromkeys(THREE, 12), 3)]
  with pytest.raises(ProtocolError, match=r"within one corpus; the clips are of samm, smic"):
    protocols.split(name, annotated(rows, synthetic=True))
