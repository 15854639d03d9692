"""Binary F1 of action units: as scikit-learn computes it, and CD6ME's constant predictor."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis.extra import numpy as st_numpy
from sklearn.metrics import f1_score

from mer_jax.errors import DataError
from mer_jax.evaluation import multi_label
from mer_jax.protocols.cd6me import ACTION_UNITS, CLIPS, POSITIVES


@st.composite
def labelled(draw):
  shape = (draw(st.integers(1, 25)), draw(st.integers(1, 5)))
  labels, predictions = (draw(st_numpy.arrays(np.bool_, shape)) for _ in range(2))
  datasets = draw(st.lists(st.sampled_from("abc"), min_size=shape[0], max_size=shape[0]))
  return labels, predictions, datasets


def scikit_learn(labels, predictions, classes=(True,)):
  return np.array(
    [
      f1_score(labels[:, a], predictions[:, a], labels=classes, average="macro", zero_division=0.0)
      for a in range(labels.shape[1])
    ]
  )


@hypothesis.settings(deadline=None, max_examples=50)
@hypothesis.given(labelled())
def test_equals_scikit_learn(sample):
  labels, predictions, datasets = sample
  names = [f"AU{a}" for a in range(labels.shape[1])]
  found = multi_label.summarise(labels, predictions, datasets, names)
  for rows, entry in [
    (np.ones(len(labels), bool), found["pooled"]),
    *((np.array(datasets) == d, found["per_dataset"][d]) for d in set(datasets)),
  ]:
    each = scikit_learn(labels[rows], predictions[rows])
    macro = scikit_learn(labels[rows], predictions[rows], classes=[False, True])
    np.testing.assert_allclose([entry["per_label"][n]["f1"] for n in names], each)
    np.testing.assert_allclose([entry["per_label"][n]["macro_f1"] for n in names], macro)
    assert entry["f1"] == pytest.approx(each.mean())
    assert entry["macro_f1"] == pytest.approx(macro.mean())
    assert entry["clips"] == rows.sum()
  mean = np.mean([found["per_dataset"][d]["f1"] for d in set(datasets)])
  assert found["dataset_mean"]["absent_as_0"]["f1"] == pytest.approx(mean)
  constant = scikit_learn(labels, np.ones_like(predictions))
  assert found["constant"]["f1"] == pytest.approx(constant.mean())


def test_the_constant_predictor_of_cd6me():
  """17.8 and, as macro F1, 8.9: the authors' figures follow from the counts alone."""
  labels = np.zeros((sum(CLIPS.values()), len(ACTION_UNITS)), bool)
  for a, unit in enumerate(ACTION_UNITS):
    labels[: POSITIVES[unit], a] = True
  datasets = ["all"] * len(labels)
  names = [f"AU{unit}" for unit in ACTION_UNITS]
  constant = multi_label.summarise(labels, labels, datasets, names)["constant"]
  assert round(100 * constant["f1"], 1) == 17.8
  assert round(100 * constant["macro_f1"], 1) == 8.9


def test_absent_labels_by_hand():
  # Dataset a: label 0 right, label 1 neither there nor predicted. Dataset b: both right.
  labels = np.array([[True, False], [True, True]])
  found = multi_label.summarise(labels, labels, ["a", "b"], ["x", "y"])
  means = {name: entry["f1"] for name, entry in found["dataset_mean"].items()}
  assert means == {"absent_as_0": 0.75, "absent_skipped": 1.0, "absent_as_1": 1.0}
  nothing = np.zeros((2, 1), bool)
  found = multi_label.summarise(nothing, nothing, ["a", "b"], ["x"])
  assert found["dataset_mean"]["absent_skipped"] == {"f1": None, "macro_f1": 1.0}
  assert found["constant"]["f1"] == 0.0


def test_bad_input():
  labels = np.zeros((3, 2), bool)
  for bad in (labels[:2], labels[:, :1], labels.astype(int)):
    with pytest.raises(DataError, match=r"expected bool \(3, 2\)"):
      multi_label.summarise(labels, bad, ["a"] * 3, ["x", "y"])
  with pytest.raises(DataError, match="nothing to score"):
    multi_label.summarise(labels[:0], labels[:0], [], ["x", "y"])
