"""Learning rates that fall in steps."""

import jax
import numpy as np
import pytest
from problems import problem, program

from mer_jax.errors import ConfigError
from mer_jax.training import optimizers

HYPER = {"learning_rate": np.float32(0.2), "momentum": np.float32(0.9)}
PARAMS = {"w": np.float32([1, -2])}


def rates(optimizer, steps):
  """The step sizes of plain gradient descent, one after another."""
  transformation = optimizer({"learning_rate": np.float32(0.2)})
  state, sizes = transformation.init(PARAMS), []
  for _ in range(steps):
    updates, state = transformation.update({"w": np.ones(2, np.float32)}, state, PARAMS)
    sizes.append(-float(updates["w"][0]))
  return sizes


def test_the_rate_is_multiplied_after_every_so_many_steps():
  expected = [0.2] * 3 + [0.1] * 3 + [0.05]
  np.testing.assert_allclose(rates(optimizers.build("sgd", 3, 0.5), 7), expected, rtol=1e-6)
  np.testing.assert_allclose(rates(optimizers.build("sgd"), 7), 0.2, rtol=1e-6)


@pytest.mark.parametrize("name", optimizers.OPTIMIZERS)
def test_without_decay_the_state_has_nothing_more(name):
  plain, decaying = (optimizers.build(name, n)(HYPER).init(PARAMS) for n in (0, 5))
  assert len(jax.tree.leaves(decaying)) == len(jax.tree.leaves(plain)) + 1


def test_the_same_optimiser_is_equal_so_that_nothing_is_compiled_twice():
  assert optimizers.build("sgd", 5) == optimizers.build("sgd", 5)
  assert len({optimizers.build("sgd", n) for n in (0, 0, 5, 6)}) == 3


@pytest.mark.parametrize(
  ("options", "message"),
  [
    (("sdg",), "Did you mean 'sgd'"),
    (("sgd", -1), "decay_steps must be a whole number of at least 0"),
    (("sgd", 2.5), "decay_steps must be a whole number"),
    (("sgd", 5, 0.0), "decay_rate is 0.0; it must be above 0 and at most 1"),
    (("sgd", 5, 1.5), "decay_rate is 1.5"),
  ],
)
def test_values_out_of_range_are_refused(options, message):
  with pytest.raises(ConfigError, match=message):
    optimizers.build(*options)


def test_decay_counts_over_chunks_and_hardly_anything_is_learnt_after_it():
  given = problem("image")
  hyper = {"learning_rate": [0.05]}
  loso = program("ststnet", given, hyper=hyper, optimizer=optimizers.build("sgd", 4, 1e-6))
  plain = program("ststnet", given, hyper=hyper)
  at_first, _ = plain.train(plain.init(), 0, 4)
  at_first = jax.device_get(at_first.params)
  at_once, _ = loso.train(loso.init(), 0, 9)
  state, _ = loso.train(loso.init(), 0, 3)
  parts, _ = loso.train(state, 3, 6)
  at_once, parts = jax.device_get((at_once, parts))
  jax.tree.map(np.testing.assert_array_equal, at_once, parts)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), at_once.params, at_first
  )
