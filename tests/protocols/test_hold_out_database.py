"""megc2018 and megc2019 with whole corpora held out, and the classes of MEGC2018."""

import numpy as np
import pytest
from annotated_clips import THREE, annotated, corpus

from mer_jax import protocols
from mer_jax.errors import ConfigError, ProtocolError
from mer_jax.protocols.megc2018 import CLASS_NAMES, MEGC2018


def objective(counts: dict[str, dict[str, int]], subjects: dict[str, int], synthetic=False):
  """Clips with so many of each objective class."""
  rows = [row for d, c in counts.items() for row in corpus(d, c, subjects[d])]
  classes = [emotion for *_, emotion in rows]
  rows = [(d, s, c, "others") for d, s, c, _ in rows]
  return annotated(rows, synthetic, objective_class=classes)


OFFICIAL = {d: dict(versions[0].counts) for d, versions in MEGC2018.items()}
FURTHER = {"casme2": {"VI": 1, "VII": 68, "": 1}, "samm": {"VI": 7, "VII": 84}}


def test_the_253_clips_of_megc2018():
  clips = objective({d: OFFICIAL[d] | FURTHER[d] for d in OFFICIAL}, {"casme2": 26, "samm": 21})
  split = protocols.split("megc2018", clips)
  assert split.class_names == CLASS_NAMES
  assert split.held_out.shape == (47, 253)
  of_casme2 = split.clips.dataset == "casme2"
  assert np.bincount(split.labels[of_casme2]).tolist() == [25, 15, 99, 26, 20]
  assert np.bincount(split.labels[~of_casme2]).tolist() == [24, 13, 20, 8, 3]
  remarks = "\n".join(split.remarks)
  assert "casme2: no objective class from I to V, so left out: 1 without one, 1 of VI, 68 of VII."
  assert "left out: 7 of VI, 84 of VII." in remarks
  assert "casme2: 185 clips of 26 subjects" in remarks
  assert "samm: 68 clips of 21 subjects" in remarks
  assert np.array_equal(np.array(CLASS_NAMES)[split.labels], split.clips.objective_class)


def test_each_corpus_learns_from_the_other():
  clips = objective(OFFICIAL, {"casme2": 26, "samm": 21})
  split = protocols.split("megc2018", clips, held_out="dataset")
  assert split.fold_names == ("casme2", "samm")
  assert split.held_out.sum(axis=1).tolist() == [185, 68]
  assert any("Folds are corpora" in remark for remark in split.remarks)


def test_other_counts_and_other_subjects_stop_it():
  counts = {d: dict(c) for d, c in OFFICIAL.items()}
  counts["casme2"]["III"] = 90
  with pytest.raises(ProtocolError) as caught:
    protocols.split("megc2018", objective(counts, {"casme2": 26, "samm": 20}))
  assert "casme2: 176 clips, official 185 (III 90 of 99)." in str(caught.value)
  assert "samm: 20 subjects, official 21." in str(caught.value)
  split = protocols.split(
    "megc2018", objective(counts, {"casme2": 26, "samm": 20}), allow_incomplete=True
  )
  assert sum("Not the complete corpus (MEGC2018)" in remark for remark in split.remarks) == 2


def test_a_sheet_without_objective_classes_is_named():
  clips = objective(
    {"casme2": {"": 9}, "samm": dict.fromkeys(CLASS_NAMES, 3)}, {"casme2": 3, "samm": 4}, True
  )
  with pytest.raises(ProtocolError, match=r"casme2: no clip with a class.*CASME2-ObjectiveClasses"):
    protocols.split("megc2018", clips)
  split = protocols.split("megc2018", clips, allow_incomplete=True)
  assert len(split.clips) == 15
  with pytest.raises(ProtocolError, match="at least two datasets; all 15 clips"):
    protocols.split("megc2018", clips, allow_incomplete=True, held_out="dataset")


def test_other_corpora_have_no_objective_classes():
  clips = objective({"smic": {"I": 4}}, {"smic": 2})
  with pytest.raises(ProtocolError, match="Unknown corpus in MEGC2018 'smic'"):
    protocols.split("megc2018", clips)


def test_three_classes_with_corpora_held_out():
  rows = [r for d in ("casme2", "samm", "smic") for r in corpus(d, dict.fromkeys(THREE, 5), 4)]
  clips = annotated(rows, synthetic=True)
  split = protocols.split("megc2019", clips, held_out="dataset")
  assert split.fold_names == ("casme2", "samm", "smic")
  assert split.held_out.sum(axis=1).tolist() == [15, 15, 15]
  assert len(protocols.split("megc2019", clips).fold_names) == 12
  with pytest.raises(ConfigError, match="value of held_out: 'clip'"):
    protocols.split("megc2019", clips, held_out="clip")


def test_the_engine_gets_what_it_needs():
  """One True per column: the engine learns from the other corpora only."""
  rows = [r for d in ("casme2", "samm", "smic") for r in corpus(d, dict.fromkeys(THREE, 5), 4)]
  split = protocols.split("megc2019", annotated(rows, synthetic=True), held_out="dataset")
  for name, held in zip(split.fold_names, split.held_out, strict=True):
    assert set(split.clips.dataset[~held].tolist()) == {"casme2", "samm", "smic"} - {name}
