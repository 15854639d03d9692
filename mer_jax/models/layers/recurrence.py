"""The LSTM's walk through time, with the gradient of its weights as one product.

What automatic differentiation makes of the loop adds to the gradient of the recurrent weights in
every step. Here the loop backwards only leaves the gradients of the gates; one product over all
time steps makes the weights' gradient of them.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import custom_vmap


class Step(NamedTuple):
  """What a step leaves for its gradient, float [B, H] each.

  Attributes:
    h, c: the state before it.
    i, f, g, o: its gates, after their non-linearities.
    t: tanh of the new cell.
  """

  h: jax.Array
  c: jax.Array
  i: jax.Array
  f: jax.Array
  g: jax.Array
  o: jax.Array
  t: jax.Array


@jax.custom_vjp
def last_state(projected: jax.Array, recurrent: jax.Array, counts: jax.Array) -> jax.Array:
  """The hidden state after the last time step, from a state of zeros.

  Args:
    projected: float [T, B, 4 H], input and bias projected on the gates input, forget, cell, output.
    recurrent: float [H, 4 H].
    counts: bool [T, B]; where False the state is carried over unchanged.

  Returns:
    float [B, H].
  """
  return _walk(projected, recurrent, counts)[0]


def _walk(projected, recurrent, counts):
  def step(state, inputs):
    h, c = state
    gates, valid = inputs
    i, f, g, o = jnp.split(gates + h @ recurrent, 4, axis=-1)
    i, f, g, o = jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o)
    new_c = f * c + i * g
    t = jnp.tanh(new_c)
    valid = valid[:, None]
    new = jnp.where(valid, o * t, h), jnp.where(valid, new_c, c)
    return new, Step(h, c, i, f, g, o, t)

  start = jnp.zeros((projected.shape[1], recurrent.shape[0]), projected.dtype)
  (h, _), steps = lax.scan(step, (start, start), (projected, counts))
  return h, steps


def _forward(projected, recurrent, counts):
  h, steps = _walk(projected, recurrent, counts)
  return h, (recurrent, counts, steps)


def _backward(residuals, gradient):
  recurrent, counts, steps = residuals
  gates, of_recurrent = _walk_back(recurrent, counts, steps, gradient)
  return gates, of_recurrent, None


def _walk_back(recurrent, counts, steps, end, each=None):
  """Gradients of `projected` and `recurrent`.

  `end` (float [B, H]) is that of the state after the last step, `each` (float [T, B, H]) what the
  states after every step add to it.
  """

  def back(carry, inputs):
    dh, dc = carry
    s, valid, *of_state = inputs
    for d in of_state:
      dh = dh + d
    valid = valid[:, None]
    inner = dc + dh * s.o * (1 - s.t * s.t)
    gates = jnp.concatenate(
      [
        inner * s.g * s.i * (1 - s.i),
        inner * s.c * s.f * (1 - s.f),
        inner * s.i * (1 - s.g * s.g),
        dh * s.t * s.o * (1 - s.o),
      ],
      axis=-1,
    )
    gates = jnp.where(valid, gates, 0)
    before = jnp.where(valid, gates @ recurrent.T, dh), jnp.where(valid, inner * s.f, dc)
    return before, gates

  inputs = (steps, counts) if each is None else (steps, counts, each)
  _, gates = lax.scan(back, (end, jnp.zeros_like(end)), inputs, reverse=True)
  return gates, jnp.einsum("tbh,tbg->hg", steps.h, gates)


last_state.defvjp(_forward, _backward)


@jax.custom_vjp
def states(projected: jax.Array, recurrent: jax.Array, counts: jax.Array) -> jax.Array:
  """The hidden states after every time step, float [T, B, H]; arguments as in `last_state`."""
  return _states_forward(projected, recurrent, counts)[0]


def _states_forward(projected, recurrent, counts):
  h, steps = _fold_by_fold(_walk)(projected, recurrent, counts)
  return jnp.concatenate([steps.h[1:], h[None]]), (recurrent, counts, steps)


def _states_backward(residuals, gradient):
  end = jnp.zeros_like(gradient[0])
  gates, of_recurrent = _fold_by_fold(_walk_back)(*residuals, end, gradient)
  return gates, of_recurrent, None


states.defvjp(_states_forward, _states_backward)


def _fold_by_fold(function: Callable[..., Any]) -> Callable[..., Any]:
  """`function`, of which vmap on a CPU makes one walk after another.

  The recurrent weights of one fold stay in cache from step to step; those of many do not.
  """
  if jax.default_backend() != "cpu":
    return function
  of_fold = custom_vmap(function)

  @of_fold.def_vmap
  def over_folds(folds, batched, *arguments):
    arguments = jax.tree.map(
      lambda x, is_batched: x if is_batched else jnp.broadcast_to(x, (folds, *x.shape)),
      arguments,
      tuple(batched),
    )
    out = lax.map(lambda fold: of_fold(*fold), arguments)
    return out, jax.tree.map(lambda _: True, out)

  return of_fold
