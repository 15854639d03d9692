"""The rules of MEGC2019 and the proof of completeness, for one corpus and the composite."""

import csv
import dataclasses
import pathlib

import numpy as np
import pytest
from annotated_clips import THREE, annotated, corpus

from mer_jax import protocols
from mer_jax.errors import ProtocolError
from mer_jax.protocols.completeness import MEGC2019, digest
from mer_jax.protocols.megc2019_labels import EMOTIONS, megc2019_labels
from mer_jax.protocols.split import LEFT_OUT

REAL_LABELS = (
  pathlib.Path(__file__).parents[2].parent / "shared" / "real" / "flow4_casme2" / "labels.csv"
)


@pytest.fixture(scope="module")
def official_casme2() -> list[tuple[str, str, str, str]]:
  if not REAL_LABELS.is_file():
    pytest.skip(
      f"the labels of the 145 clips are not here ({REAL_LABELS.name} beside the checkout)"
    )
  with REAL_LABELS.open(newline="") as file:
    return [
      (r["dataset"], r["sub"], r["filename_o"], THREE[int(r["label"])])
      for r in csv.DictReader(file)
    ]


def test_every_emotion_has_the_class_of_the_rule():
  rules = {
    "casme2": {
      "negative": "disgust repression negative",
      "positive": "happiness positive",
      "surprise": "surprise",
      "": "others fear sadness",
    },
    "samm": {
      "negative": "anger contempt disgust fear sadness negative",
      "positive": "happiness positive",
      "surprise": "surprise",
      "": "others",
    },
    "smic": {"negative": "negative", "positive": "positive", "surprise": "surprise"},
  }
  for dataset, classes in rules.items():
    wanted = {emotion: c for c, emotions in classes.items() for emotion in emotions.split()}
    assert set(wanted) == set(EMOTIONS[dataset])
    clips = annotated([(dataset, "x", emotion, emotion) for emotion in wanted])
    labels, remarks = megc2019_labels(clips)
    assert [THREE[k] if k != LEFT_OUT else "" for k in labels] == list(wanted.values())
    for emotion in classes.get("", "").split():
      assert f"1 {emotion}" in remarks[0]


def test_an_emotion_without_a_rule_stops_and_names_the_clip():
  rows = corpus("casme2", {"disgust": 2, "happines": 1, "surprise": 2}, subjects=2)
  with pytest.raises(ProtocolError, match=r"casme2/sub01/clip002.*Did you mean 'happiness'"):
    protocols.split("three_class", annotated(rows, synthetic=True))
  with pytest.raises(ProtocolError, match=r"Unknown corpus in MEGC2019 'casme3'"):
    protocols.split("three_class", annotated(corpus("casme3", {"anger": 3}, 2)))


def test_the_145_clips_of_casme2_are_recognised(official_casme2):
  split = protocols.split("three_class", annotated(official_casme2))
  assert len(split.clips) == 145
  assert np.bincount(split.labels).tolist() == [88, 32, 25]
  assert split.held_out.shape == (24, 145)
  assert (split.held_out.sum(axis=1).min(), split.held_out.sum(axis=1).max()) == (1, 31)
  assert digest(split.clips, split.labels) == MEGC2019["casme2"].digest
  assert any("exactly the 145 clips and 24 subjects" in r for r in split.remarks)


def test_the_sheets_further_clips_fall_out_by_rule(official_casme2):
  """What the sheets of 2014 and 2019 have beyond the official clips, each with its reason."""
  further = [
    ("casme2", "sub04", "EP12_01f", "disgust"),
    ("casme2", "sub05", "EP09_05f", "disgust"),
    ("casme2", "sub24", "EP02_07", "disgust"),
    ("casme2", "sub24", "EP07_01", "surprise"),
    ("casme2", "sub24", "EP07_04f", "surprise"),
    ("casme2", "sub24", "EP10_03", "sadness"),
    ("casme2", "sub10", "drawn1", "fear"),
    ("casme2", "sub18", "drawn2", "others"),
  ]
  split = protocols.split("three_class", annotated(further + official_casme2))
  assert digest(split.clips, split.labels) == MEGC2019["casme2"].digest
  remarks = "\n".join(split.remarks)
  assert "left out: 1 fear, 1 others, 1 sadness." in remarks
  for _, subject, clip, _ in further[:5]:
    assert f"casme2/{subject}/{clip} (" in remarks
  assert "sub24/EP10_03" not in remarks  # its emotion has no class anyway


def test_missing_clips_stop_the_run_unless_allowed(official_casme2):
  clips = annotated([row for row in official_casme2 if row[1] not in ("sub01", "sub05")])
  with pytest.raises(ProtocolError) as caught:
    protocols.split("three_class", clips)
  message = str(caught.value)
  assert "casme2: 136 clips, official 145" in message
  assert "negative 86 of 88, positive 30 of 32, surprise 20 of 25" in message
  assert "subjects missing: casme2/sub01, casme2/sub05" in message
  assert "allow_incomplete" in message
  split = protocols.split("three_class", clips, allow_incomplete=True)
  assert len(split.clips) == 136
  assert any(r.startswith("Not the complete corpus") and "136" in r for r in split.remarks)


def test_a_swapped_label_is_found_by_the_digest(official_casme2):
  rows = list(official_casme2)
  of_class = {emotion: next(i for i, r in enumerate(rows) if r[3] == emotion) for emotion in THREE}
  i, j = of_class["negative"], of_class["positive"]
  rows[i], rows[j] = (*rows[i][:3], "positive"), (*rows[j][:3], "negative")
  with pytest.raises(ProtocolError, match=r"counts are the official ones.*official 5720b1be"):
    protocols.split("three_class", annotated(rows))


def test_official_subjects():
  assert {name: len(official.subjects) for name, official in MEGC2019.items()} == {
    "casme2": 24,
    "samm": 28,
    "smic": 16,
  }
  assert {"casme2/sub26", "samm/037", "smic/s20"} <= set().union(
    *(official.subjects for official in MEGC2019.values())
  )


def composite(datasets=("casme2", "samm", "smic")) -> list[tuple[str, str, str, str]]:
  return [row for d in datasets for row in corpus(d, dict.fromkeys(THREE, 5), subjects=4)]


def test_the_composite_pools_three_corpora():
  split = protocols.split("megc2019", annotated(composite(), synthetic=True))
  assert split.held_out.shape == (12, 45)
  assert split.class_names == THREE
  assert any("Synthetic" in r for r in split.remarks)


def test_the_composite_stops_where_a_corpus_is_missing():
  clips = annotated(composite(("casme2", "smic")), synthetic=True)
  with pytest.raises(ProtocolError, match=r"samm: no clip with a class"):
    protocols.split("megc2019", clips)
  remarks = protocols.split("megc2019", clips, allow_incomplete=True).remarks
  assert any("samm: no clip with a class" in r for r in remarks)


def test_recorded_clips_that_are_not_the_official_ones_stop_the_composite():
  with pytest.raises(ProtocolError) as caught:
    protocols.split("megc2019", annotated(composite()))
  for dataset, official in MEGC2019.items():
    assert f"{dataset}: 15 clips, official {sum(official.counts.values())}" in str(caught.value)


def test_subjects_that_are_not_part_of_it_are_named():
  rows = corpus("smic", {"negative": 70, "positive": 51, "surprise": 43}, subjects=20)
  with pytest.raises(
    ProtocolError, match=r"not part of it: smic/s07, smic/s10, smic/s16, smic/s17"
  ):
    protocols.split("three_class", annotated(rows))


def test_faults_of_recorded_clips_do_not_concern_drawn_ones():
  rows = [*composite(("casme2",)), ("casme2", "sub04", "EP12_01f", "disgust")]
  split = protocols.split("three_class", annotated(rows, synthetic=True))
  assert len(split.clips) == 16


def test_a_slow_camera_of_smic_is_recognised():
  rows = corpus("smic", {"negative": 23, "positive": 28, "surprise": 20}, subjects=8)
  for fps, hint in ((25, True), (100, False), (0, False)):  # flow maps have no frame rate
    clips = dataclasses.replace(annotated(rows), fps=np.full(71, fps, np.float32))
    with pytest.raises(ProtocolError, match="71 clips, official 164") as caught:
      protocols.split("three_class", clips)
    assert ("takes the camera HS" in str(caught.value)) == hint


def test_a_corpus_without_any_class_counts_as_missing():
  rows = [*composite(("casme2", "smic")), ("samm", "006", "x", "others")]
  with pytest.raises(ProtocolError, match=r"samm: no clip with a class"):
    protocols.split("megc2019", annotated(rows, synthetic=True))
