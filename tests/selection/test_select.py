"""What is chosen from looks: by inner folds, and, so named, by the held-out clips themselves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import f1_score, log_loss, recall_score

from mer_jax.experiment.selection import options, select

K = 3
VALIDATION = np.array([[1, 0, 1, 0, 1], [0, 1, 0, 1, 0]] * 2, bool)
LABELS = np.array([0, 1, 2, 0, 1])


def said(seed: int, looks: int = 1, seeds: int = 2) -> np.ndarray:
  """Probabilities [E, S, R, M, K] for `VALIDATION`, noise where a row has fewer clips than M."""
  rng = np.random.default_rng(seed)
  return rng.dirichlet(np.ones(K), (looks, seeds, len(VALIDATION), 3)).astype(np.float32)


def brute_force(p: np.ndarray, rows: list[int], name: str) -> float:
  """The score of the clips of some rows pooled, by scikit-learn; `p` is of one look and seed."""
  clips = [np.flatnonzero(VALIDATION[r]) for r in rows]
  probabilities = np.concatenate([p[r, : len(c)] for r, c in zip(rows, clips, strict=True)])
  exact = probabilities.astype(float) / probabilities.sum(axis=1, keepdims=True, dtype=float)
  truth = LABELS[np.concatenate(clips)]
  guess = probabilities.argmax(axis=-1)
  known = {"labels": range(K), "average": "macro", "zero_division": 0.0}
  return {
    "uf1": lambda: f1_score(truth, guess, **known),
    "uar": lambda: recall_score(truth, guess, **known),
    "accuracy": lambda: np.mean(truth == guess),
    "loss": lambda: -log_loss(truth, exact, labels=range(K)),
  }[name]()


@pytest.mark.parametrize("name", options.METRICS)
@pytest.mark.parametrize("seed", range(4))
def test_the_choice_is_the_best_of_all_epochs_and_settings(name, seed):
  """Rows: two settings of one fold with two inner folds each."""
  p = said(seed, looks=5)
  noted = [select.tally(look, VALIDATION, LABELS) for look in p]
  counts, loss = (np.stack([note[key] for note in noted]) for key in ("counts", "loss"))
  epochs = [3, 6, 9, 12, 14]
  found = select.by_inner_folds(epochs, counts, loss, 2, 2, name)
  assert found.epoch.shape == (2, 1)
  for s in range(2):
    every = {
      (e, setting): brute_force(p[e, s], [2 * setting, 2 * setting + 1], name)
      for e in range(5)
      for setting in range(2)
    }
    best = max(every.values())
    chosen = (epochs.index(found.epoch[s, 0]), int(found.setting[s, 0]))
    assert every[chosen] == pytest.approx(best, abs=1e-6)
    assert found.score[s, 0] == pytest.approx(best, abs=1e-6)


def counts_of(accuracy: np.ndarray) -> np.ndarray:
  """Counts [E, 1, P, K, K] of ten clips each, so many of them right."""
  counts = np.zeros((*accuracy.shape, K, K), int)
  counts[..., 0, 0], counts[..., 0, 1] = accuracy, 10 - accuracy
  return counts[:, None]


@pytest.mark.parametrize(
  ("right", "epoch", "setting"),
  [
    ([[5, 5], [7, 7], [7, 9]], 30, 1),
    ([[5, 5], [7, 7], [7, 7]], 20, 0),  # the earliest, then the first
    ([[5, 8], [8, 8], [8, 8]], 10, 1),  # earlier counts before first
    ([[0, 0], [0, 0], [0, 0]], 10, 0),
  ],
)
def test_among_equals_the_earliest_epoch_then_the_first_setting(right, epoch, setting):
  counts = counts_of(np.array(right))
  loss = np.zeros(counts.shape[:3])
  found = select.by_inner_folds([10, 20, 30], counts, loss, 2, 1, "accuracy")
  assert (found.epoch.item(), found.setting.item()) == (epoch, setting)


@pytest.mark.parametrize("name", options.METRICS)
def test_what_left_clips_without_a_prediction_comes_last(name):
  p = said(0, looks=3, seeds=1)
  p[:, 0, 2:] = [1, 0, 0]  # a setting that is far from perfect
  p[:, 0, :2] = np.eye(K)[1]
  p[1:, 0, 0] = np.nan  # the other, stopped after the first look in one of its inner folds
  noted = [select.tally(look, VALIDATION, LABELS) for look in p]
  assert np.isnan(noted[1]["loss"][0, 0])
  counts, loss = (np.stack([note[key] for note in noted]) for key in ("counts", "loss"))
  found = select.by_inner_folds([1, 2, 3], counts[1:], loss[1:], 2, 2, name)
  assert (found.epoch.item(), found.setting.item()) == (1, 1)


@pytest.mark.parametrize("name", options.METRICS)
def test_where_nothing_was_ever_predicted_the_first_is_taken(name):
  note = select.tally(np.full((1, 4, 3, K), np.nan, np.float32), VALIDATION, LABELS)
  counts, loss = (np.stack([note[key]] * 2) for key in ("counts", "loss"))
  found = select.by_inner_folds([4, 8], counts, loss, 2, 2, name)
  assert (found.epoch.item(), found.setting.item()) == (4, 0)
  assert np.isneginf(found.score.item())


@st.composite
def looks(draw):
  """Probabilities [E, S, N, K] with folds that were stopped at some look, labels, folds."""
  sizes = draw(st.lists(st.integers(1, 4), min_size=2, max_size=5))
  n, e, s = sum(sizes), draw(st.integers(1, 5)), draw(st.integers(1, 2))
  p = draw(arrays.arrays(np.float32, (e, s, n, K), elements=st.floats(0, 1, width=32)))
  owner = np.repeat(np.arange(len(sizes)), sizes)
  held_out = owner == np.arange(len(sizes))[:, None]
  for f in draw(st.sets(st.integers(0, len(sizes) - 1))):
    p[draw(st.integers(0, e - 1)) :, :, owner == f] = np.nan
  labels = np.array(draw(st.lists(st.integers(0, K - 1), min_size=n, max_size=n)))
  return p, labels, held_out


def right_by_fold(p, labels, held_out):
  """int [S, F], clips predicted right, of probabilities [S, N, K]."""
  hits = (np.where(np.isnan(p).any(-1), -1, p.argmax(-1)) == labels)[:, None]
  return (hits & held_out).sum(axis=-1)


@given(looks())
def test_no_fold_loses_by_the_leaky_choice_and_gaps_stay_gaps(case):
  p, labels, held_out = case
  best, chosen = select.leaky_test_best(p, labels, held_out)
  np.testing.assert_array_equal(np.isnan(chosen), np.isnan(p[-1]))
  leaky, last = (right_by_fold(x, labels, held_out) for x in (chosen, p[-1]))
  assert np.all(leaky >= last)
  whole = ~np.isnan(p[-1]).any(axis=-1)
  for s, f in np.ndindex(best.shape):
    if np.all(whole[s][held_out[f]]):
      every = [right_by_fold(look, labels, held_out)[s, f] for look in p]
      assert best[s, f] == int(np.argmax(every))
      assert leaky[s, f] == max(every)


def test_labels_of_held_out_clips_decide_the_leaky_choice():
  """That is what leaks: other labels, another epoch, from the same training."""
  p = np.stack([np.eye(K)[[0, 0, 1]], np.eye(K)[[1, 1, 2]]])[:, None].astype(np.float32)
  held_out = np.array([[1, 1, 0], [0, 0, 1]], bool)
  one, _ = select.leaky_test_best(p, np.array([0, 0, 1]), held_out)
  other, _ = select.leaky_test_best(p, np.array([1, 1, 1]), held_out)
  np.testing.assert_array_equal(one, [[0, 0]])
  np.testing.assert_array_equal(other, [[1, 0]])
