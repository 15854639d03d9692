"""five_class: the emotions that papers report of CASME II and SAMM."""

import numpy as np
import pytest
from annotated_clips import annotated, corpus

from mer_jax import protocols
from mer_jax.errors import ProtocolError
from mer_jax.protocols.native import SHEETS


def clips_of(dataset: str, counts: dict[str, int], subjects: int, **options):
  return annotated(corpus(dataset, counts, subjects), **options)


@pytest.mark.parametrize(
  ("dataset", "sheet", "subjects", "counts"),
  [
    ("casme2", "coding of 2014", 26, [63, 32, 99, 27, 25]),
    ("casme2", "coding of 2019", 26, [64, 32, 99, 27, 25]),
    ("samm", "FACS codes v2", 27, [57, 12, 26, 26, 15]),
  ],
)
def test_the_sets_that_papers_report(dataset, sheet, subjects, counts):
  # Sorted, so that what is left out stands last and takes no subject of the others away.
  rows = sorted(SHEETS[dataset][sheet].items(), key=lambda row: row[0] in ("sadness", "fear"))
  split = protocols.split("five_class", clips_of(dataset, dict(rows), subjects))
  assert np.bincount(split.labels).tolist() == counts
  assert split.held_out.shape == (subjects, sum(counts))
  assert list(split.class_names) == sorted(split.class_names)
  assert np.array(split.class_names)[split.labels].tolist() == split.clips.emotion.tolist()
  assert any(
    f"{sum(counts)} clips of {subjects} subjects, as five classes" in r for r in split.remarks
  )


def test_it_is_native_with_enough_clips():
  counts = dict(SHEETS["casme2"]["coding of 2014"])
  clips = clips_of("casme2", counts, 26)
  five, native = (protocols.split(name, clips) for name in ("five_class", "native"))
  assert five.class_names == native.class_names
  np.testing.assert_array_equal(five.labels, native.labels)


def test_corrected_surprises_fall_out():
  counts = dict(SHEETS["casme2"]["coding of 2014"])
  rows = corpus("casme2", counts, 26)
  rows = [row for row in rows if row[3] != "sadness"]
  rows += [("casme2", "sub24", clip, "surprise") for clip in ("EP07_01", "EP07_04f", "EP10_03")]
  split = protocols.split("five_class", annotated(rows))
  assert len(split.clips) == 246
  assert sum("calls it sadness" in remark for remark in split.remarks) == 3


def test_what_is_missing_is_named():
  counts = dict(SHEETS["samm"]["FACS codes v2"]) | {"anger": 50}
  with pytest.raises(ProtocolError, match=r"samm: 129 clips, official 136 \(anger 50 of 57\)"):
    protocols.split("five_class", clips_of("samm", counts, 27))
  counts_2019 = dict(SHEETS["casme2"]["coding of 2019"]) | {"disgust": 70}
  with pytest.raises(ProtocolError, match=r"official 247 \(disgust 70 of 64\)"):
    protocols.split("five_class", clips_of("casme2", counts_2019, 26))
  split = protocols.split("five_class", clips_of("samm", counts, 27), allow_incomplete=True)
  assert len(split.clips) == 129


def test_corpora_and_emotions_without_a_rule():
  three = dict.fromkeys(("negative", "positive", "surprise"), 5)
  with pytest.raises(ProtocolError, match=r"Unknown corpus with five classes 'smic'.*native"):
    protocols.split("five_class", clips_of("smic", three, 3))
  with pytest.raises(ProtocolError, match=r"samm/001/clip000: five_class has no rule.*'negative'"):
    protocols.split("five_class", clips_of("samm", three, 3))
