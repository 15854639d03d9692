"""Kernel SVMs are scikit-learn's SVC fold by fold."""

import numpy as np
import pytest
from feature_problems import CLASSES, drawn, everywhere, junk, with_a_class_of_one_subject
from sklearn.svm import SVC

from mer_jax.errors import DataError
from mer_jax.svm.balance import copies


@pytest.mark.parametrize(
  "options",
  [
    {"kernel": "rbf"},
    {"kernel": "rbf", "gamma": 0.05, "cost": 10.0, "balance": "none"},
    {"kernel": "poly", "degree": 2, "coef0": 1.0},
    {"kernel": "poly", "degree": 3},
  ],
)
def test_decision_values_and_predictions_are_those_of_svc(options):
  features, labels, held_out = drawn("pixels", 50, 30)
  computed = everywhere(features, labels, held_out, **options)
  ours = {"cost": 3.0, "degree": 2, **options}
  weight = "balanced" if ours.pop("balance", "class_weights") != "none" else None
  for values, prediction, holds in zip(*computed, held_out, strict=True):
    machine = SVC(C=ours["cost"], class_weight=weight, tol=1e-3)
    machine.set_params(**{name: value for name, value in ours.items() if name != "cost"})
    machine.fit(features[~holds], labels[~holds])
    np.testing.assert_allclose(values, machine.decision_function(features), atol=1e-6)
    np.testing.assert_array_equal(prediction, machine.predict(features))


def test_two_classes_and_a_fold_that_lacks_one():
  features, labels, held_out = with_a_class_of_one_subject()
  computed = everywhere(features, labels, held_out, kernel="rbf")
  machine = SVC(C=3.0, class_weight="balanced").fit(features[labels != 2], labels[labels != 2])
  expected = machine.decision_function(features)
  np.testing.assert_allclose(computed.decisions[0, :, 1], expected, atol=1e-6)
  np.testing.assert_allclose(computed.decisions[0, :, 0], -expected, atol=1e-6)
  assert (computed.decisions[0, :, 2] == -np.inf).all()
  np.testing.assert_array_equal(computed.prediction[0], machine.predict(features))


def test_oversampling_is_copies_of_rows_for_the_scale_of_gamma_too():
  features, labels, held_out = drawn("pixels", 40, 8, folds=4)
  computed = everywhere(features, labels, held_out, kernel="rbf", balance="oversample", seed=3)
  counts = copies(labels, held_out, CLASSES, "oversample", 3)
  for values, count in zip(computed.decisions, counts, strict=True):
    rows = np.repeat(np.arange(40), count)
    machine = SVC(C=3.0).fit(features[rows], labels[rows])
    np.testing.assert_allclose(values, machine.decision_function(features), atol=1e-6)


@pytest.mark.parametrize("scale", ["none", "standardise", "minmax"])
@pytest.mark.parametrize("kernel", ["rbf", "poly"])
def test_held_out_clips_change_no_bit(kernel, scale):
  features, labels, held_out = drawn("histograms", 40, 20, folds=4)
  before = everywhere(features, labels, held_out, kernel=kernel, scale=scale).decisions
  other = junk(features, held_out[0])
  changed = everywhere(other, labels, held_out, kernel=kernel, scale=scale).decisions
  np.testing.assert_array_equal(before[0][~held_out[0]], changed[0][~held_out[0]])
  assert not np.array_equal(before[1][~held_out[0]], changed[1][~held_out[0]])


def test_numbers_that_overflow_are_an_error():
  features, labels, held_out = drawn("normal", 20, 4)
  with pytest.raises(DataError, match="overflows"):
    everywhere(features * 1e100, labels, held_out, kernel="poly", gamma=1.0)
  with pytest.raises(DataError, match="too large to square"):
    everywhere(features * 1e200, labels, held_out, kernel="rbf")
