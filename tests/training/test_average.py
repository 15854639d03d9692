"""Means of parameters over steps, and predictions of them and of mirror images."""

import jax
import numpy as np
import pytest
from problems import problem, program

from mer_jax.training import Average, augment, fold

STEPS = 6


def of_fold(state, f=1):
  return jax.tree.map(lambda x: np.asarray(x)[0, f], state)


@pytest.fixture(scope="module")
def steps():
  """Params, statistics and whether the fold learnt, after each step of a training without means."""
  loso, out = program("ststnet", problem("image"), seeds=(0,), batch_size=1), []
  state = loso.init()
  for step in range(STEPS):
    state, sums = loso.train(state, step, 1)
    one = of_fold(jax.device_get(state), 4)
    out.append((one.params, one.batch_stats, bool(sums.steps[0, 4])))
  return out


@pytest.mark.parametrize(
  "average", [Average("ema", 0.7), Average("swa", first_step=2), Average("ema", 0.0)]
)
def test_the_mean_is_that_of_the_steps_in_which_the_fold_learnt(average, steps):
  loso = program("ststnet", problem("image"), seeds=(0,), batch_size=1, average=average)
  one = of_fold(jax.device_get(loso.train(loso.init(), 0, STEPS)[0]), 4)
  kept = [each[:2] for step, each in enumerate(steps) if each[2] and step >= average.first_step]
  assert 0 < len(kept) < STEPS - average.first_step
  assert one.average.count == len(kept)
  weights = np.ones(len(kept))
  if average.name == "ema":
    weights = np.array([average.decay**i for i in range(len(kept))][::-1])
  mean = jax.tree.map(lambda *x: np.average(x, axis=0, weights=weights), *kept)
  for a, b in zip(jax.tree.leaves(one.average[:2]), jax.tree.leaves(mean), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
  for a, b in zip(jax.tree.leaves(one.params), jax.tree.leaves(steps[-1][0]), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_predictions_are_of_the_mean_once_there_is_one():
  given = problem("image")
  plain = program("ststnet", given, seeds=(0,))
  loso = program("ststnet", given, seeds=(0,), average=Average("swa", first_step=3))
  inputs = {"image": given.inputs["image"][:4]}
  for count in (3, 5):
    one = of_fold(loso.train(loso.init(), 0, count)[0])
    predicted = fold.predict(loso.recipe, one, inputs)
    of_last = fold.predict(plain.recipe, one, inputs)
    assert np.array_equal(predicted, of_last) == (count == 3)
  mean = one._replace(params=one.average.params, batch_stats=one.average.batch_stats)
  np.testing.assert_array_equal(predicted, fold.predict(plain.recipe, mean, inputs))


def test_without_a_mean_a_state_is_what_it_was():
  state = program("ststnet", problem("image"), seeds=(0,)).init()
  assert state.average == ()
  assert jax.tree.leaves(state) == jax.tree.leaves(tuple(state[:4]))


def test_a_clip_and_its_mirror_image_get_one_prediction():
  given = problem("image")
  loso = program("ststnet", given, seeds=(0,))
  both = loso.recipe._replace(mirror_at_test=True)
  one, inputs = of_fold(loso.init()), {"image": given.inputs["image"][:4]}
  mirror = augment.mirrored(inputs)
  each = [fold.predict(loso.recipe, one, x) for x in (inputs, mirror)]
  assert np.any(each[0] != each[1])
  np.testing.assert_allclose(fold.predict(both, one, inputs), np.mean(each, axis=0), rtol=1e-6)
  np.testing.assert_allclose(
    fold.predict(both, one, inputs), fold.predict(both, one, mirror), rtol=1e-6
  )
