"""The LSTM's walk and the projection before it, with gradients of their own, beside jax's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from batching import arguments_of, close, normal, of_all_folds, of_each_fold, over, scalar
from jax import lax

from mer_jax.models.layers import projection, recurrence

T, B, H = 5, 3, 4


def plain_last_state(projected, recurrent, counts):
  return plain_states(projected, recurrent, counts)[-1]


def plain_states(projected, recurrent, counts):
  def step(state, inputs):
    (h, c), (gates, valid) = state, inputs
    i, f, g, o = jnp.split(gates + h @ recurrent, 4, axis=-1)
    new_c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    new_h = jax.nn.sigmoid(o) * jnp.tanh(new_c)
    valid = valid[:, None]
    h = jnp.where(valid, new_h, h)
    return (h, jnp.where(valid, new_c, c)), h

  zero = jnp.zeros((projected.shape[1], recurrent.shape[0]))
  return lax.scan(step, (zero, zero), (projected, counts))[1]


PLAIN = {recurrence.last_state: plain_last_state, recurrence.states: plain_states}
every_walk = pytest.mark.parametrize("walk", PLAIN, ids=["last_state", "states"])


MASKS = {
  "all": np.ones((T, B), bool),
  "lengths": np.arange(T)[:, None] < np.array([5, 3, 1]),
  "holes_and_nothing": np.array([[1, 0, 1, 0, 1], [0, 1, 1, 1, 0], [0] * 5], bool).T,
}


def check(walk, batched, counts, arguments):
  """Whether values and gradients of both are jax's; `counts` is the same for all folds."""
  got, expected = (
    of_each_fold(scalar(function, counts), batched, arguments, (0, 1))
    for function in (walk, PLAIN[walk])
  )
  close(got, expected)


@every_walk
@pytest.mark.parametrize("mask", MASKS)
def test_the_states_and_their_gradients(walk, mask):
  check(walk, [], MASKS[mask], arguments_of([], [(T, B, 4 * H), (H, 4 * H)]))


@every_walk
def test_of_a_single_step(walk):
  check(walk, [], MASKS["all"][:1], arguments_of([], [(1, B, 4 * H), (H, 4 * H)]))


@every_walk
@pytest.mark.parametrize(
  "batched",
  [
    [(True, True)],
    [(False, True)],
    [(True, False)],
    [(True, True), (False, True)],
  ],
  ids=str,
)
def test_the_states_under_vmap(walk, batched):
  check(walk, batched, MASKS["lengths"], arguments_of(batched, [(T, B, 4 * H), (H, 4 * H)]))


@every_walk
def test_a_mask_of_each_fold(walk):
  counts = np.stack([*MASKS.values()])
  projected, recurrent = normal(T, B, 4 * H), normal(H, 4 * H, seed=1)
  got, expected = (
    jax.jit(over(jax.value_and_grad(scalar(function), (0, 1)), [(False, False, True)]))(
      projected, recurrent, counts
    )
    for function in (walk, PLAIN[walk])
  )
  close(got, expected)


@every_walk
def test_off_a_cpu_the_states_are_the_same(walk, monkeypatch):
  batched = [(True, True)]
  arguments = arguments_of(batched, [(T, B, 4 * H), (H, 4 * H)])
  monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
  check(walk, batched, MASKS["lengths"], arguments)


def test_steps_that_do_not_count_reach_nothing():
  counts = MASKS["holes_and_nothing"]
  projected, recurrent = normal(T, B, 4 * H), normal(H, 4 * H, seed=1)
  run = jax.jit(jax.value_and_grad(scalar(recurrence.last_state), (0, 1)))
  value, (of_projected, of_recurrent) = run(projected, recurrent, counts)
  assert not np.any(of_projected[~counts])
  assert np.all(np.any(of_projected[counts], axis=-1))
  noisy = np.where(counts[..., None], projected, 10 * normal(T, B, 4 * H, seed=2))
  again, (_, of_noisy) = run(noisy, recurrent, counts)
  assert value == again
  np.testing.assert_array_equal(of_recurrent, of_noisy)


@pytest.mark.parametrize(
  "batched",
  [
    [],
    [(True, True)],
    [(False, True)],
    [(True, False)],
    [(True, True), (False, True)],
    [(False, True), (True, False)],
  ],
  ids=str,
)
def test_project_is_the_product(batched):
  arguments = arguments_of(batched, [(6, 5), (5, 4)])
  for gradients in (of_each_fold, of_all_folds):
    got, expected = (
      gradients(scalar(function), batched, arguments, (0, 1))
      for function in (projection.project, jnp.dot)
    )
    close(got, expected)


def test_project_in_a_loop_of_training():
  x, start = normal(6, 5), normal(3, 5, 4, seed=1)

  def trained(function):
    of_folds = over(jax.grad(scalar(function), 1), [(False, True)])
    run = jax.jit(
      lambda kernel: lax.fori_loop(0, 3, lambda _, k: k - 0.01 * of_folds(x, k), kernel)
    )
    return run(start)

  got = trained(projection.project)
  close(got, trained(jnp.dot))
  assert not np.allclose(got, start, atol=0.01)
