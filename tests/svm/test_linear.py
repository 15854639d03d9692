"""The linear SVM is LinearSVC at its minimum, in every fold."""

import warnings

import numpy as np
import pytest
from feature_problems import CLASSES, drawn, everywhere, junk, with_a_class_of_one_subject
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import LinearSVC

from mer_jax import svm
from mer_jax.errors import DataError, TrainingError


def peer(features, labels, trains, cost, balance="class_weights") -> np.ndarray:
  """LinearSVC's decision values for all clips, one column for each class that the fold has."""
  weight = "balanced" if balance == "class_weights" else None
  machine = LinearSVC(C=cost, class_weight=weight, dual=False, tol=1e-10, max_iter=10**6)
  computed = machine.fit(features[trains], labels[trains]).decision_function(features)
  return np.stack([-computed, computed], axis=1) if computed.ndim == 1 else computed


@pytest.mark.parametrize("balance", ["class_weights", "none"])
@pytest.mark.parametrize(
  ("kind", "n", "d", "cost"),
  [
    ("normal", 60, 12, 1.0),
    ("normal", 60, 12, 1000.0),
    ("normal", 40, 90, 1.0),  # more columns than clips
    ("histograms", 60, 40, 1000.0),
    ("histograms", 50, 80, 2000.0),
    ("pixels", 40, 100, 10.0),
    ("ill scaled", 60, 10, 10.0),
  ],
)
def test_decision_values_are_those_of_linear_svc(kind, n, d, cost, balance):
  features, labels, held_out = drawn(kind, n, d)
  computed = everywhere(features, labels, held_out, cost=cost, balance=balance)
  for values, prediction, holds in zip(*computed, held_out, strict=True):
    expected = peer(features, labels, ~holds, cost, balance)
    np.testing.assert_allclose(values, expected, atol=1e-3 * max(1, np.abs(expected).max()))
    np.testing.assert_array_equal(prediction, values.argmax(axis=1))


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10**6), dual=st.booleans(), log_cost=st.integers(-2, 3))
def test_no_other_point_is_lower(seed, dual, log_cost):
  """The gradient of the strictly convex objective vanishes at one point alone."""
  features, labels, held_out = drawn("normal", 20, 40 if dual else 5, seed=seed)
  cost = 10.0**log_cost
  values = everywhere(features, labels, held_out, cost=cost, balance="none").decisions
  rows = np.column_stack([features, np.ones(20)])
  for f, holds in enumerate(held_out):
    for k in range(CLASSES):
      sign = np.where(labels == k, 1.0, -1.0)
      # At the minimum w = sum_i 2 c y_i max(0, 1 - y_i f_i) x_i, and f = <w, x> follows from it.
      slack = np.maximum(0, 1 - sign * values[f, :, k])
      w = (2 * cost * sign * slack * ~holds) @ rows
      np.testing.assert_allclose(rows @ w, values[f, :, k], atol=1e-5 * max(1, cost))


@pytest.mark.parametrize(
  ("scale", "peer_scaler"), [("standardise", StandardScaler), ("minmax", MinMaxScaler)]
)
@pytest.mark.parametrize("d", [10, 70])
def test_scaling_is_fitted_on_the_training_clips(scale, peer_scaler, d):
  features, labels, held_out = drawn("ill scaled", 50, d, folds=4)
  features[:, 3] = 0.1  # constant
  computed = everywhere(features, labels, held_out, cost=1.0, scale=scale).decisions
  for values, holds in zip(computed, held_out, strict=True):
    scaled = peer_scaler().fit(features[~holds]).transform(features)
    np.testing.assert_allclose(values, peer(scaled, labels, ~holds, 1.0), atol=1e-3)


@pytest.mark.parametrize(("d", "size"), [(36, 10.0), (90, 255.0)])
def test_next_to_no_error_left(d, size):
  """The hard margin but for the last digits, where rounding moves clips across it."""
  features, labels, held_out = drawn("histograms", 40, d)
  computed = everywhere(size * features, labels, held_out, cost=1000.0).decisions
  for values, holds in zip(computed, held_out, strict=True):
    machine = LinearSVC(C=1000.0, class_weight="balanced", tol=1e-9, max_iter=10**6, random_state=0)
    machine.fit(size * features[~holds], labels[~holds])
    np.testing.assert_allclose(values, machine.decision_function(size * features), atol=1e-3)


def test_two_classes_mirror_each_other():
  features, labels, held_out = drawn("normal", 40, 8)
  labels = np.minimum(labels, 1)
  computed = everywhere(features, labels, held_out, 2, cost=5.0)
  np.testing.assert_allclose(computed.decisions[..., 0], -computed.decisions[..., 1], atol=1e-9)
  for values, holds in zip(computed.decisions, held_out, strict=True):
    np.testing.assert_allclose(values, peer(features, labels, ~holds, 5.0), atol=1e-4)


def test_a_fold_without_a_class_is_the_machine_of_the_others():
  features, labels, held_out = with_a_class_of_one_subject()
  computed = everywhere(features, labels, held_out, cost=5.0)
  assert (computed.decisions[0, :, 2] == -np.inf).all()
  assert set(computed.prediction[0]) <= {0, 1}
  expected = peer(features, labels, ~held_out[0], 5.0)
  np.testing.assert_allclose(computed.decisions[0, :, :2], expected, atol=1e-4)


@pytest.mark.parametrize("options", [{}, {"scale": "standardise"}, {"balance": "oversample"}])
@pytest.mark.parametrize(("d", "folds"), [(10, 4), (70, 4), (10, 18), (70, 18)])
def test_held_out_clips_change_no_bit(options, d, folds):
  features, labels, held_out = drawn("histograms", 54, d, folds=folds)
  before = everywhere(features, labels, held_out, **options).decisions
  changed = everywhere(junk(features, held_out[0]), labels, held_out, **options).decisions
  np.testing.assert_array_equal(before[0][~held_out[0]], changed[0][~held_out[0]])
  assert not np.array_equal(before[1][~held_out[0]], changed[1][~held_out[0]])


@pytest.mark.parametrize("folds", [4, 18])
def test_labels_of_held_out_clips_change_no_bit(folds):
  features, labels, held_out = drawn("histograms", 54, 30, folds=folds)
  before = everywhere(features, labels, held_out, balance="oversample")
  other = np.where(held_out[0], (labels + 1) % 3, labels)
  changed = everywhere(features, other, held_out, balance="oversample")
  np.testing.assert_array_equal(before.decisions[0], changed.decisions[0])


@pytest.mark.parametrize("d", [12, 90])
def test_many_folds_start_together_and_end_apart(d):
  features, labels, held_out = drawn("histograms", 60, d, folds=19)
  computed = everywhere(features, labels, held_out).decisions
  for values, holds in zip(computed, held_out, strict=True):
    np.testing.assert_allclose(values, peer(features, labels, ~holds, 1000.0), atol=1e-3)


@pytest.mark.parametrize("scale", ["none", "minmax"])
def test_a_fold_is_its_own_whatever_runs_beside_it(scale):
  from mer_jax.svm import linear
  from mer_jax.svm.balance import copies
  from mer_jax.svm.problem import Problem

  features, labels, held_out = drawn("normal", 40, 8, folds=11)
  counts = copies(labels, held_out, CLASSES, "class_weights", 0)
  problem = Problem(features, labels, counts, CLASSES, "class_weights", scale)
  every = linear.decisions(problem, 1.0, shown=False)
  part = linear.decisions(problem._replace(copies=counts[3:6]), 1.0, shown=False)
  np.testing.assert_array_equal(every[3:6], part)


def test_oversampling_is_copies_of_rows():
  from mer_jax.svm.balance import copies

  features, labels, held_out = drawn("normal", 40, 8, folds=4)
  computed = everywhere(features, labels, held_out, cost=5.0, balance="oversample", seed=3)
  counts = copies(labels, held_out, CLASSES, "oversample", 3)
  for values, count in zip(computed.decisions, counts, strict=True):
    rows = np.repeat(np.arange(40), count)
    machine = LinearSVC(C=5.0, dual=False, tol=1e-10, max_iter=10**6)
    machine.fit(features[rows], labels[rows])
    np.testing.assert_allclose(values, machine.decision_function(features), atol=1e-4)


def test_numbers_beyond_double_precision_are_an_error_and_no_score():
  features, labels, held_out = drawn("normal", 40, 60)
  with pytest.raises(DataError, match="too large to square"):
    everywhere(features * 1e200, labels, held_out)
  with pytest.raises(TrainingError, match="standardise"):
    everywhere(features * 10.0 ** np.linspace(0, 100, 60), labels, held_out)


def test_the_caller_keeps_single_precision():
  import jax
  import jax.numpy as jnp

  features, labels, held_out = drawn("normal", 20, 4)
  with warnings.catch_warnings():
    warnings.simplefilter("error")
    svm.loso(features.astype(np.float32), labels, held_out, CLASSES, shown=False)
  assert not jax.config.jax_enable_x64
  assert jnp.ones(1).dtype == jnp.float32
