"""native: a corpus' own emotions."""

import numpy as np
import pytest
from annotated_clips import annotated, corpus

from mer_jax import protocols
from mer_jax.errors import ConfigError, ProtocolError
from mer_jax.protocols.native import SHEETS


@pytest.mark.parametrize(
  ("dataset", "sheet", "clips", "classes"),
  [
    ("casme2", "coding of 2014", 246, 5),
    ("casme2", "coding of 2019", 247, 5),
    ("samm", "FACS codes v2", 136, 5),
    ("smic", "camera HS", 164, 3),
    ("smic", "camera VIS or NIR", 71, 3),
  ],
)
def test_the_default_gives_the_sets_that_papers_report(dataset, sheet, clips, classes):
  rows = corpus(dataset, dict(SHEETS[dataset][sheet]), subjects=8)
  split = protocols.split("native", annotated(rows))
  assert (len(split.clips), len(split.class_names)) == (clips, classes)
  assert list(split.class_names) == sorted(split.class_names)
  emotions = np.array(split.class_names)[split.labels]
  assert emotions.tolist() == split.clips.emotion.tolist()
  assert any(f"counts are those of the {sheet}" in r for r in split.remarks)


def test_minimum_decides_and_what_it_drops_is_said():
  rows = corpus("casme2", {"disgust": 6, "fear": 2, "others": 9, "sadness": 3}, subjects=3)
  clips = annotated(rows, synthetic=True)
  split = protocols.split("native", clips, minimum=3)
  assert split.class_names == ("disgust", "others", "sadness")
  assert any("at least 3 clips; left out: 2 fear." in r for r in split.remarks)
  assert protocols.split("native", clips, minimum=1).class_names[1] == "fear"
  with pytest.raises(ProtocolError, match=r"Only 1 emotion of casme2 has at least 7 .*6 disgust"):
    protocols.split("native", clips, minimum=7)
  with pytest.raises(ConfigError, match="minimum must be a whole number of at least 1; got 0"):
    protocols.split("native", clips, minimum=0)


def test_an_incomplete_corpus_stops_with_the_nearest_sheet():
  counts = dict(SHEETS["casme2"]["coding of 2019"]) | {"disgust": 61, "others": 90}
  clips = annotated(corpus("casme2", counts, subjects=8))
  with pytest.raises(
    ProtocolError, match=r"244 clips, official 255 \(others 90 of 99, disgust 61 "
  ):
    protocols.split("native", clips)
  remarks = protocols.split("native", clips, allow_incomplete=True).remarks
  assert any("Not the complete corpus (the coding of 2014)" in r for r in remarks)


def test_flow_archives_are_compared_with_megc2019_and_not_with_a_sheet():
  counts = {"negative": 12, "positive": 12, "surprise": 12}
  with pytest.raises(ProtocolError, match=r"not those of MEGC2019\. samm: 36 clips, official 133"):
    protocols.split("native", annotated(corpus("samm", counts, subjects=8)))


def test_a_corpus_without_known_counts_says_so():
  split = protocols.split("native", annotated(corpus("own", {"a": 10, "b": 11}, subjects=3)))
  assert split.fold_names == ("own/p1", "own/p2", "own/p3")
  assert any("completeness was not checked" in r for r in split.remarks)
