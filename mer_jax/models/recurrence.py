"""The LSTM's walk through time, with the gradient of its weights as one product.

What automatic differentiation makes of the loop adds to the gradient of the recurrent weights in
every step. Here the loop backwards only leaves the gradients of the gates; one product over all
time steps makes the weights' gradient of them.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax


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

  def back(carry, inputs):
    dh, dc = carry
    s, valid = inputs
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

  end = gradient, jnp.zeros_like(gradient)
  _, gates = lax.scan(back, end, (steps, counts), reverse=True)
  return gates, jnp.einsum("tbh,tbg->hg", steps.h, gates), None


last_state.defvjp(_forward, _backward)
