"""Schedules: who sees what, and how often."""

import jax
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mer_jax.targets import SingleClass
from mer_jax.training import schedule

KEY = jax.random.key(5)


@settings(max_examples=20, deadline=None)
@given(clips=st.integers(1, 40), batch=st.integers(1, 12), epoch=st.integers(0, 3))
def test_shared_shows_every_clip_once_an_epoch(clips, batch, epoch):
  batch = min(batch, clips)
  steps = schedule.steps_per_epoch(clips, batch)
  seen = []
  for step in range(epoch * steps, (epoch + 1) * steps):
    index, valid = schedule.shared(KEY, step, clips, batch)
    seen += np.asarray(index)[np.asarray(valid) > 0].tolist()
  assert sorted(seen) == list(range(clips))


def test_shared_permutes_anew_each_epoch():
  orders = {
    tuple(np.asarray(schedule.shared(KEY, step, 30, 30).index).tolist()) for step in range(6)
  }
  assert len(orders) == 6


@settings(max_examples=20, deadline=None)
@given(trains=st.lists(st.booleans(), min_size=2, max_size=20).filter(any), batch=st.integers(1, 9))
def test_per_fold_walks_through_its_training_clips_in_full_batches(trains, batch):
  trains = np.array(trains)
  count = int(trains.sum())
  rounds = 3
  stream = []
  for step in range(-(-rounds * count // batch)):
    index, valid = schedule.per_fold(KEY, step, trains, batch, count)
    assert np.all(np.asarray(valid) == 1)
    stream += np.asarray(index).tolist()
  for walk in range(rounds):
    part = stream[walk * count : (walk + 1) * count]
    assert sorted(part) == np.flatnonzero(trains).tolist()


def test_balanced_draws_every_class_equally_often_and_never_a_held_out_clip():
  labels = np.repeat([0, 1, 2], [60, 12, 4])
  trains = np.ones(76, bool)
  trains[[0, 1, 70, 75]] = False
  index = np.concatenate(
    [schedule.balanced(KEY, step, trains, labels, 50, 3).index for step in range(40)]
  )
  assert np.all(trains[index])
  shares = np.bincount(labels[index], minlength=3) / len(index)
  np.testing.assert_allclose(shares, 1 / 3, atol=0.04)  # 2000 draws: 0.04 is four deviations


def test_a_fold_that_may_learn_from_nothing_gets_batches_that_do_not_count():
  trains = np.zeros(5, bool)
  assert not np.any(schedule.per_fold(KEY, 0, trains, 3, 0).valid)
  assert not np.any(schedule.balanced(KEY, 0, trains, np.zeros(5, int), 3, 2).valid)


def test_class_weights_give_every_class_the_same_sum():
  labels = np.array([0, 0, 0, 0, 1, 1, 2, 2])
  trains = np.float32([1, 1, 1, 0, 1, 1, 1, 0])
  weights = np.asarray(SingleClass(4, "class_weights").clip_weights(trains, labels))
  np.testing.assert_allclose(weights, [2 / 3, 2 / 3, 2 / 3, 0, 1, 1, 2, 0], rtol=1e-6)
  assert weights.sum() == trains.sum()


def test_focal_loss_is_its_formula_and_gamma_zero_is_cross_entropy():
  logits = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
  labels, weights = np.array([0, 1, 2, 0, 1, 2]), np.float32([1, 1, 0, 2, 1, 0])
  p = np.asarray(jax.nn.softmax(logits))[np.arange(6), labels]
  for gamma in (0.0, 2.0):
    expected = np.sum(weights * (1 - p) ** gamma * -np.log(p)) / 4
    np.testing.assert_allclose(
      SingleClass(4).loss(logits, labels, weights, gamma), expected, rtol=1e-5
    )


def test_smoothing_spreads_probability_over_all_classes():
  logits = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
  labels, weights = np.array([0, 1, 2, 0, 1, 2]), np.float32([1, 1, 0, 2, 1, 0])
  log_p = np.asarray(jax.nn.log_softmax(logits))
  soft = 0.7 * np.eye(3)[labels] + 0.1
  wrong = 1 - np.exp(log_p[np.arange(6), labels])
  for gamma in (None, 2.0):
    focal = wrong ** (gamma or 0)
    expected = np.sum(weights * focal * -(soft * log_p).sum(axis=1)) / 4
    loss = SingleClass(3, smoothing=0.3).loss(logits, labels, weights, gamma)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
