"""What is said about a clip comes from the fold that held it out; what is refused."""

import numpy as np
import pytest
from feature_problems import CLASSES, drawn, everywhere

from mer_jax import svm
from mer_jax.errors import ConfigError, DataError
from mer_jax.svm.balance import class_weights, copies


@pytest.mark.parametrize("options", [{"cost": 1.0}, {"kernel": "rbf"}])
def test_each_clip_is_scored_by_the_fold_that_held_it_out(options):
  features, labels, held_out = drawn("normal", 30, 6)
  scores = svm.loso(features, labels, held_out, CLASSES, svm.Machine(**options), shown=False)
  message = everywhere(features, labels, held_out, **options)
  for f, holds in enumerate(held_out):
    np.testing.assert_array_equal(
      scores.decisions[holds], message.decisions[f, holds].astype(np.float32)
    )
    np.testing.assert_array_equal(scores.prediction[holds], message.prediction[f, holds])
  assert scores.decisions.dtype == scores.probabilities.dtype == np.float32


@pytest.mark.parametrize("options", [{"cost": 1.0}, {"kernel": "rbf"}, {"kernel": "poly"}])
@pytest.mark.parametrize("seed", range(3))
def test_probabilities_order_the_classes_as_the_decisions_do(options, seed):
  features, labels, held_out = drawn("normal", 60, 3, seed=seed)
  scores = svm.loso(features, labels, held_out, CLASSES, svm.Machine(**options), shown=False)
  np.testing.assert_allclose(scores.probabilities.sum(axis=1), 1, atol=1e-5)
  np.testing.assert_array_equal(scores.probabilities.argmax(axis=1), scores.prediction)
  agree = scores.decisions.argmax(axis=1) == scores.prediction
  assert agree.mean() > 0.8
  order = np.argsort(scores.decisions[agree], axis=1)
  ordered = np.take_along_axis(scores.probabilities[agree], order, axis=1)
  assert (np.diff(ordered, axis=1) >= 0).all()


def test_tied_votes_are_decided_as_predict_decides_them():
  """Three machines, each for another class: predict takes the first, the values say another."""
  computed = 0
  for seed in range(8):
    features, labels, held_out = drawn("normal", 60, 2, seed=seed)
    scores = svm.loso(
      features, labels, held_out, CLASSES, svm.Machine(kernel="rbf", gamma=2.0), shown=False
    )
    tied = scores.decisions.argmax(axis=1) != scores.prediction
    np.testing.assert_array_equal(scores.probabilities.argmax(axis=1), scores.prediction)
    computed += tied.sum()
  assert computed > 0


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_a_fold_with_one_class_says_that_class(kernel):
  features, _, _ = drawn("normal", 10, 4)
  labels = np.array([0] * 5 + [1] * 5)
  held_out = np.stack([labels == 0, labels == 1])
  scores = svm.loso(features, labels, held_out, 3, svm.Machine(kernel=kernel), shown=False)
  np.testing.assert_array_equal(scores.prediction, 1 - labels)
  np.testing.assert_array_equal(scores.probabilities[:, :2], np.eye(2)[1 - labels])
  assert (scores.decisions[np.arange(10), labels] == -np.inf).all()
  assert (scores.decisions[:, 2] == -np.inf).all()


def test_a_dict_of_one_array_is_flattened_and_its_mask_left_out():
  features, labels, held_out = drawn("normal", 20, 12)
  flat = svm.loso(features, labels, held_out, CLASSES, svm.Machine(cost=1.0), shown=False)
  inputs = {"frames": features.reshape(20, 3, 2, 2, 1), "mask": np.ones((20, 3), bool)}
  made = svm.loso(inputs, labels, held_out, CLASSES, svm.Machine(cost=1.0), shown=False)
  np.testing.assert_array_equal(flat.decisions, made.decisions)
  with pytest.raises(ConfigError, match="'a', 'b'"):
    svm.loso({"a": features, "b": features}, labels, held_out, CLASSES)


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"kernel": "rfb"}, "'rbf'"),
    ({"balance": "weights"}, "class_weights"),
    ({"scale": "standardize"}, "'standardise'"),
    ({"cost": 0.0}, "cost"),
    ({"cost": float("nan")}, "cost"),
    ({"cost": "1"}, "cost"),
    ({"gamma": "auto"}, "gamma"),
    ({"gamma": -1.0}, "gamma"),
    ({"gamma": True}, "gamma"),
    ({"degree": 0}, "degree"),
    ({"coef0": float("inf")}, "coef0"),
    ({"seed": -1}, "seed"),
  ],
)
def test_options_out_of_range_are_named(options, message):
  with pytest.raises(ConfigError, match=message):
    everywhere(*drawn("normal", 20, 4), **options)


def test_gamma_may_come_as_text():
  problem = drawn("normal", 20, 4)
  text = everywhere(*problem, kernel="rbf", gamma="0.25").decisions
  np.testing.assert_array_equal(text, everywhere(*problem, kernel="rbf", gamma=0.25).decisions)


@pytest.mark.parametrize(
  ("change", "message"),
  [
    (lambda x, y, h: (x.astype(object), y, h), "object"),
    (lambda x, y, h: (x.astype(complex), y, h), "complex"),
    (lambda x, y, h: (x[:, 0], y, h), r"\(20,\)"),
    (lambda x, y, h: (x[:, :0], y, h), r"\(20, 0\)"),
    (lambda x, y, h: (np.where(np.arange(4) == 2, np.nan, x), y, h), "row 0 .*column 2: nan"),
    (lambda x, y, h: (x, y[1:], h), "20 rows"),
    (lambda x, y, h: (x, y.astype(float), h), "float64"),
    (lambda x, y, h: (x, y + 1, h), r"0\.\.2; got 1 to 3"),
    (lambda x, y, h: (x, y - 1, h), r"0\.\.2; got -1 to 1"),
    (lambda x, y, h: (x, y, h[:, 1:]), r"bool \[F, 20\]"),
    (lambda x, y, h: (x, y, h.astype(int)), "int64"),
    (lambda x, y, h: (x, y, np.concatenate([h, h[2:3]])), "clip 2 is by 2"),
    (lambda x, y, h: (x, y, h[1:]), "clip 0 is by 0"),
    (lambda x, y, h: (x, y, np.ones((1, 20), bool)), "two subjects"),
  ],
)
def test_arrays_that_contradict_each_other_are_refused(change, message):
  with pytest.raises(DataError, match=message):
    everywhere(*change(*drawn("normal", 20, 4)))


def test_oversampling_makes_classes_equal_and_is_a_folds_own():
  _, labels, held_out = drawn("normal", 60, 4)
  counts = copies(labels, held_out, CLASSES, "oversample", 0)
  assert (counts[held_out] == 0).all()
  assert (counts[~held_out] >= 1).all()
  for count in counts:
    sizes = np.bincount(labels, weights=count)
    assert (sizes == sizes.max()).all()
  np.testing.assert_array_equal(counts[2:], copies(labels, held_out[2:], CLASSES, "oversample", 0))
  assert (counts != copies(labels, held_out, CLASSES, "oversample", 1)).any()


def test_class_weights_are_the_balanced_ones_of_scikit_learn():
  from sklearn.utils.class_weight import compute_class_weight

  labels = np.array([0, 0, 0, 0, 2, 2, 2])
  expected = compute_class_weight("balanced", classes=np.array([0, 2]), y=labels)
  computed = class_weights(labels, np.ones(7, int), 3, "class_weights")
  np.testing.assert_allclose(computed, [expected[0], 0, expected[1]])
