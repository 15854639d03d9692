import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from mer_jax.errors import DataError
from mer_jax.targets import single_class

# STSTNet's published log of MEGC2019 as counts, and the official scores of that log:
# (UF1, UAR, macro precision; its paper prints the last as UAR).
STSTNET = {
  "full": ([[219, 22, 9], [40, 62, 7], [21, 3, 59]], (0.7353, 0.7186, 0.7605)),
  "smic": ([[54, 10, 6], [17, 30, 4], [14, 1, 28]], (0.6801, 0.6703, 0.7013)),
  "casme2": ([[83, 5, 0], [12, 19, 1], [2, 0, 23]], (0.8382, 0.8190, 0.8686)),
  "samm": ([[82, 7, 3], [11, 13, 2], [5, 2, 8]], (0.6588, 0.6415, 0.6810)),
}

# The same log, fold by fold, as counts in row order, sorted so that no subject can be told; "xN"
# stands behind a matrix that N folds share.
STSTNET_FOLDS = """
0 0 0 0 1 0 0 0 0, 0 0 0 0 1 0 2 0 3, 0 0 0 1 0 0 0 0 1, 0 0 0 1 0 0 1 0 4, 0 0 0 1 0 0 2 1 0,
0 0 0 1 1 0 0 0 0, 0 0 0 2 1 0 0 0 0, 0 0 0 3 5 0 0 0 1, 0 0 0 3 7 0 0 0 0,
0 1 0 0 0 0 0 0 0 x2, 0 1 0 1 0 0 1 0 1, 1 0 0 0 0 0 0 0 0 x5, 1 0 0 0 0 0 0 0 2,
1 0 0 0 0 0 1 0 0, 1 0 0 1 0 0 0 0 1, 1 0 0 1 0 0 0 0 2, 1 0 0 2 0 0 0 0 0, 1 0 0 3 2 0 2 0 0,
1 0 1 0 0 0 0 0 1, 1 1 0 0 0 0 0 0 1, 1 1 0 0 0 0 1 0 1, 2 0 0 0 0 0 0 0 0 x4,
2 0 0 0 0 0 0 0 1 x2, 2 0 0 0 0 0 0 0 5, 2 0 0 0 1 0 0 0 0, 2 0 0 0 1 0 2 0 0,
2 0 0 0 1 1 0 0 0, 2 0 0 6 1 0 0 0 1, 2 0 1 0 0 0 0 0 0, 2 0 1 0 2 0 0 0 0, 2 0 1 2 0 0 1 0 0,
2 1 0 0 0 0 0 1 0 x2, 2 3 0 0 0 1 0 0 3, 3 0 0 0 0 0 0 0 0, 3 0 0 0 0 0 1 0 1,
3 0 0 0 3 0 0 0 1, 3 0 0 1 1 0 0 0 5, 3 0 0 1 2 0 0 0 5, 3 1 0 0 0 0 0 0 0,
4 0 0 0 0 0 0 0 0 x2, 4 0 0 0 0 0 0 0 1, 4 0 0 0 0 1 0 0 0, 5 0 0 0 0 0 0 0 0,
5 0 0 0 2 0 0 0 4, 5 0 0 2 3 0 0 0 0, 5 1 0 0 0 0 0 0 0, 5 3 2 0 2 2 2 0 3, 6 1 0 0 0 0 0 0 1,
7 0 0 0 1 0 0 0 0, 9 0 0 0 0 0 0 0 0, 9 0 0 0 0 0 1 0 1, 9 0 0 0 2 0 0 0 0, 9 0 0 2 1 1 0 0 0,
12 1 0 2 5 0 0 0 0, 12 2 0 1 2 0 3 0 2, 16 3 3 2 8 1 1 0 5, 23 0 0 1 6 0 0 0 1
"""


@st.composite
def labelled(draw):
  k = draw(st.integers(2, 7))  # scikit-learn warns of one class
  classes = st.integers(0, k - 1)
  pairs = draw(st.lists(st.tuples(classes, classes), min_size=1, max_size=60))
  labels, predictions = np.array(pairs).T
  return labels, predictions, k


@pytest.mark.parametrize("dataset", STSTNET)
def test_published_log(dataset):
  counts, (uf1, uar, precision) = STSTNET[dataset]
  found = single_class.scores(np.array(counts))
  assert [round(found[key], 4) for key in ("uf1", "uar", "precision")] == [uf1, uar, precision]
  assert found["recall"] == found["uar"]


def test_published_log_averaged_over_folds():
  folds = []
  for text in STSTNET_FOLDS.replace("\n", " ").split(","):
    counts, _, times = text.partition("x")
    folds += [np.array(counts.split(), int).reshape(3, 3)] * int(times or 1)
  assert len(folds) == 68
  assert np.sum(folds, axis=0).tolist() == STSTNET["full"][0]
  found = {
    name: round(row["uf1"], 3) for name, row in single_class.fold_means(np.stack(folds)).items()
  }
  assert found == {"absent_as_0": 0.450, "absent_skipped": 0.669, "absent_as_1": 0.710}


@hypothesis.settings(deadline=None)
@hypothesis.given(labelled())
def test_equals_scikit_learn_with_absent_classes(sample):
  labels, predictions, k = sample
  counts = single_class.confusion(labels, predictions, k)
  np.testing.assert_array_equal(
    counts, sklearn_metrics.confusion_matrix(labels, predictions, labels=range(k))
  )
  for absent in single_class.CONVENTIONS.values():
    found = single_class.scores(counts, absent)
    macro = sklearn_metrics.precision_recall_fscore_support(
      labels, predictions, labels=range(k), average="macro", zero_division=absent
    )
    np.testing.assert_allclose([found["precision"], found["recall"], found["uf1"]], macro[:3])
    assert found["accuracy"] == pytest.approx(np.mean(labels == predictions))
    each = sklearn_metrics.precision_recall_fscore_support(
      labels, predictions, labels=range(k), zero_division=absent
    )
    for ours, theirs in zip(single_class.per_class(counts, absent), each, strict=True):
      np.testing.assert_allclose(ours, theirs)


@hypothesis.settings(deadline=None)
@hypothesis.given(labelled(), st.randoms(use_true_random=False))
def test_order_and_names_of_classes_do_not_matter(sample, random):
  labels, predictions, k = sample
  new = np.array(random.sample(range(k), k))
  order = np.array(random.sample(range(len(labels)), len(labels)))
  before = single_class.scores(single_class.confusion(labels, predictions, k))
  after = single_class.scores(
    single_class.confusion(new[labels][order], new[predictions][order], k)
  )
  assert after == pytest.approx(before)


def test_swapping_truth_and_prediction_swaps_precision_and_recall():
  # The slip by which STSTNet's paper prints macro precision as UAR.
  counts = np.array(STSTNET["full"][0])
  straight, swapped = single_class.scores(counts), single_class.scores(counts.T)
  assert straight["precision"] == pytest.approx(swapped["uar"])
  assert straight["precision"] != pytest.approx(straight["uar"], abs=0.01)


def test_fold_means_by_hand():
  # Fold 1: one clip of class 0, recognised. Fold 2: a clip of class 0 taken for 1, one of 1 right.
  folds = np.array([[[1, 0, 0], [0, 0, 0], [0, 0, 0]], [[0, 1, 0], [0, 1, 0], [0, 0, 0]]])
  means = single_class.fold_means(folds)
  assert {entry["accuracy"] for entry in means.values()} == {0.75}
  # F1 per class: (1, -, -) and (0, 2/3, -).
  assert means["absent_as_0"]["uf1"] == pytest.approx((1 / 3 + 2 / 9) / 2)
  assert means["absent_skipped"]["uf1"] == pytest.approx((1 + 1 / 3) / 2)
  assert means["absent_as_1"]["uf1"] == pytest.approx((1 + 5 / 9) / 2)
  # Recall per class: (1, -, -) and (0, 1, -); precision: (1, -, -) and (-, 1/2, -).
  assert means["absent_skipped"]["uar"] == pytest.approx((1 + 1 / 2) / 2)
  assert means["absent_skipped"]["precision"] == pytest.approx((1 + 1 / 2) / 2)
  assert means["absent_as_0"]["precision"] == pytest.approx((1 / 3 + 1 / 6) / 2)
  assert means["absent_as_1"]["precision"] == pytest.approx((1 + 5 / 6) / 2)


@hypothesis.settings(deadline=None)
@hypothesis.given(st.lists(labelled(), min_size=1, max_size=8))
def test_fold_means_are_ordered_and_agree_where_no_class_is_absent(samples):
  k = max(k for _, _, k in samples)
  folds = [single_class.confusion(labels, predictions, k) for labels, predictions, _ in samples]
  means = single_class.fold_means(np.stack(folds))
  for key in single_class.SCORES:
    zero, skipped, one = (means[name][key] for name in single_class.CONVENTIONS)
    assert 0 <= zero <= skipped + 1e-12
    assert skipped <= one + 1e-12 <= 1 + 2e-12
  full = np.stack(folds) + np.eye(k, dtype=int)  # every class is there and is predicted
  a, b, c = single_class.fold_means(full).values()
  assert a == b == c


def test_a_single_fold_is_its_own_mean():
  counts = np.array(STSTNET["smic"][0])
  assert single_class.fold_means(counts[None])["absent_as_0"] == single_class.scores(counts)


def test_bad_input():
  with pytest.raises(DataError, match=r"expected two \[N\]"):
    single_class.confusion(np.array([0, 1]), np.array([0]), 2)
  with pytest.raises(DataError, match=r"expected 0\.\.1"):
    single_class.confusion(np.array([0, 2]), np.array([0, 1]), 2)
  with pytest.raises(DataError, match=r"expected 0\.\.1"):
    single_class.confusion(np.array([0, -1]), np.array([0, 1]), 2)
  with pytest.raises(DataError, match="at least one clip"):
    single_class.scores(np.zeros((3, 3), int))
  with pytest.raises(DataError, match="at least one clip"):
    single_class.scores(np.ones((3, 2), int))
  with pytest.raises(DataError, match="nothing to average"):
    single_class.fold_means(np.zeros((0, 3, 3), int))
