"""An SVM that is kept predicts what the SVM of a fold with the same training clips does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mer_jax import errors, svm
from mer_jax.recognizer import vector_machine

_OPTIONS = st.fixed_dictionaries(
  {
    "kernel": st.sampled_from(("linear", "rbf", "poly")),
    "cost": st.sampled_from((0.5, 3.0)),
    "balance": st.sampled_from(("class_weights", "oversample", "none")),
    "scale": st.sampled_from(("none", "standardise", "minmax")),
  }
)


@settings(max_examples=40, deadline=None)
@given(options=_OPTIONS, classes=st.integers(2, 4), width=st.sampled_from((3, 40)))
def test_kept_machine_equals_that_of_a_fold(options, classes, width):
  rng = np.random.default_rng(classes * width)
  rows = rng.normal(size=(24, width))
  # The last class is met by held-out clips alone, where there are more than two.
  labels = np.arange(24) % classes
  absent = classes > 2
  held_out = np.stack([np.arange(24) < 5, np.arange(24) >= 5])
  if absent:
    held_out = np.stack([labels == classes - 1, labels != classes - 1])
  machine = svm.Machine(**options)
  folds = svm.everywhere(rows, labels, held_out, classes, machine, shown=False)
  trains = ~held_out[0]
  kept = svm.fit(rows[trains], labels[trains], classes, machine)
  scores = svm.predict(kept, machine, rows)
  if options["balance"] == "oversample":  # the draws are of other clips
    assert scores.probabilities.shape == (24, classes)
    return
  np.testing.assert_allclose(scores.decisions, folds.decisions[0], atol=1e-5)
  np.testing.assert_array_equal(scores.prediction, folds.prediction[0])


def test_seeds_with_other_numbers_of_vectors_stand_side_by_side():
  rng = np.random.default_rng(0)
  rows, labels = rng.normal(size=(30, 4)), np.repeat([0, 1, 2], [20, 6, 4])
  options = {"kernel": "rbf", "balance": "oversample"}
  machines = [svm.Machine(**options, seed=seed) for seed in (0, 1)]
  kept = [svm.fit(rows, labels, 3, machine) for machine in machines]
  assert kept[0]["support"].shape != kept[1]["support"].shape
  weights = vector_machine.stacked(kept)
  by_seed = vector_machine.probabilities({"name": "svm", **options}, weights, {"features": rows})
  for learned, machine, probabilities in zip(kept, machines, by_seed, strict=True):
    np.testing.assert_array_equal(svm.predict(learned, machine, rows).probabilities, probabilities)


def test_what_cannot_be_kept_or_read_is_refused():
  rows = np.eye(4)
  with pytest.raises(errors.DataError, match="two classes at least"):
    svm.fit(rows, np.zeros(4, int), 3, svm.MACHINE)
  kept = svm.fit(rows, np.array([0, 1, 0, 1]), 2, svm.MACHINE)
  with pytest.raises(errors.DataError, match="4 features of a clip; got 3"):
    svm.predict(kept, svm.MACHINE, np.ones((2, 3)))
