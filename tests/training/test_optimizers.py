"""Optimisers of optax by name, schedules of their learning rates, clipping."""

import jax
import numpy as np
import optax
import pytest
from problems import problem, program

from mer_jax.errors import ConfigError
from mer_jax.training import optimizers

Schedule = optimizers.Schedule
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
  np.testing.assert_allclose(
    rates(optimizers.build("sgd", Schedule("step", 3, 0.5)), 7), expected, rtol=1e-6
  )
  np.testing.assert_allclose(rates(optimizers.build("sgd"), 7), 0.2, rtol=1e-6)


def test_cosines_end_at_zero_and_begin_at_the_top_or_with_a_warm_up():
  cosine = rates(optimizers.build("sgd", Schedule("cosine", steps=8)), 9)
  expected = 0.1 * (1 + np.cos(np.pi * np.arange(9) / 8))
  np.testing.assert_allclose(cosine, expected, atol=1e-7)
  warm = rates(optimizers.build("sgd", Schedule("warmup_cosine", warmup_steps=4, steps=12)), 13)
  np.testing.assert_allclose(warm[:4], [0, 0.05, 0.1, 0.15], atol=1e-7)
  np.testing.assert_allclose(warm[4:], expected, atol=1e-7)


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_without_decay_the_state_has_nothing_more(name):
  plain, decaying = (
    optimizers.build(name, Schedule("step", n))(HYPER).init(PARAMS) for n in (0, 5)
  )
  assert len(jax.tree.leaves(decaying)) == len(jax.tree.leaves(plain)) + 1


@pytest.mark.filterwarnings("ignore:Specifying a key")
@pytest.mark.parametrize("name", optimizers.names())
def test_every_optimiser_goes_downhill_whatever_its_hyper_parameters(name):
  """As in the engine: traced hyper-parameters, two folds side by side, absent ones zero."""

  def loss_after(rate, momentum, decay):
    hyper = {"learning_rate": rate, "momentum": momentum, "weight_decay": decay}
    optimizer = optimizers.build(name, clip_norm=1.0)(hyper)
    # Matrices: some factor their statistics.
    params = {"w": jax.numpy.ones((2, 3)), "b": jax.numpy.ones(3)}
    state = optimizer.init(params)
    loss = lambda params: optax.tree.norm(params, squared=True)  # noqa: E731
    for _ in range(3):
      updates, state = optimizer.update(jax.grad(loss)(params), state, params)
      params = optax.apply_updates(params, updates)
    return loss(params)

  rates, zeros = np.float32([0.01, 0.02]), np.zeros(2, np.float32)
  losses = jax.jit(jax.vmap(loss_after))(rates, zeros + np.float32(0.5), zeros + np.float32(0.01))
  assert np.all(losses < 9.0)
  assert losses[0] != losses[1]


def test_further_options_reach_optax_and_momentum_is_b1():
  gradient = {"w": np.float32([0.3, -0.1])}

  def updates(transformation):
    state = transformation.init(PARAMS)
    for _ in range(2):
      step, state = transformation.update(gradient, state, PARAMS)
    return step["w"]

  ours = optimizers.build("adamw", options={"b2": 0.5})(HYPER | {"weight_decay": np.float32(0.1)})
  theirs = optax.adamw(0.2, b1=0.9, b2=0.5, weight_decay=0.1)
  np.testing.assert_allclose(updates(ours), updates(theirs), rtol=1e-5)


def test_a_long_gradient_is_scaled_down_to_the_norm_asked_for():
  optimizer = optimizers.build("sgd", clip_norm=0.5)({"learning_rate": np.float32(1)})
  state = optimizer.init(PARAMS)
  for gradient, expected in (([3.0, 4.0], [-0.3, -0.4]), ([0.1, 0.0], [-0.1, 0.0])):
    updates, _ = optimizer.update({"w": np.float32(gradient)}, state, PARAMS)
    np.testing.assert_allclose(updates["w"], expected, rtol=1e-6)


def test_the_same_optimiser_is_equal_so_that_nothing_is_compiled_twice():
  builds = [optimizers.build("adam", Schedule("step", n), 1.0, {"b2": 0.9}) for n in (0, 0, 5, 6)]
  assert builds[0] == builds[1]
  assert len(set(builds)) == 3


@pytest.mark.parametrize(
  ("options", "message"),
  [
    (("sdg",), "Did you mean 'sgd'"),
    (("lbfgs",), "Unknown optimizer 'lbfgs'"),
    (("sgd", Schedule("step", -1)), "decay_steps must be a whole number of at least 0"),
    (("sgd", Schedule("step", 2.5)), "decay_steps must be a whole number"),
    (("sgd", Schedule("step", 5, 0.0)), "decay_rate is 0.0; it must be above 0 and at most 1"),
    (("sgd", Schedule("step", 5, 1.5)), "decay_rate is 1.5"),
    (("sgd", Schedule("cosin")), "Did you mean 'cosine'"),
    (("sgd", Schedule("constant", 5)), "Set config.optimizer.schedule=step"),
    (("sgd", Schedule("cosine", warmup_steps=5)), "Set config.optimizer.schedule=warmup_cosine"),
    (("sgd", Schedule("warmup_cosine", warmup_steps=5, steps=5)), "training has 5 steps"),
    (("sgd", Schedule(), 0.0, {"b2": 0.9}), "option of the optimizer sgd 'b2'"),
    (("adam", Schedule(), 0.0, {"b1": 0.9}), "option of the optimizer adam 'b1'"),
  ],
)
def test_values_out_of_range_are_refused(options, message):
  with pytest.raises(ConfigError, match=message):
    optimizers.build(*options)


def test_decay_counts_over_chunks_and_hardly_anything_is_learnt_after_it():
  given = problem("image")
  hyper = {"learning_rate": [0.05]}
  loso = program(
    "ststnet", given, hyper=hyper, optimizer=optimizers.build("sgd", Schedule("step", 4, 1e-6))
  )
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
