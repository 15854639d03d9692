"""Long short-term memory with the projection of its input outside the scan."""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from mer_jax.models.layers import projection, recurrence


def _forget_bias_one(key: jax.Array, shape: Sequence[int], dtype=jnp.float32) -> jax.Array:
  del key
  quarter = shape[0] // 4
  return jnp.zeros(shape, dtype).at[quarter : 2 * quarter].set(1)


class LSTM(nn.Module):
  """Long short-term memory over whole sequences (Hochreiter & Schmidhuber 1997), as Keras has it.

  Gates in the order input, forget, cell, output; orthogonal recurrent weights; forget bias 1. The
  projection of the input is one product over all time steps, outside the scan.

  Attributes:
    features: width H of the state.
    sequences: return the states after every step, not the last alone.
    kernel_init, recurrent_init, bias_init: initialisers of [D, 4 H], [H, 4 H] and [4 H].
  """

  features: int
  sequences: bool = False
  kernel_init: nn.initializers.Initializer = nn.initializers.glorot_uniform()
  recurrent_init: nn.initializers.Initializer = nn.initializers.orthogonal()
  bias_init: nn.initializers.Initializer = _forget_bias_one

  @nn.compact
  def __call__(self, x: jax.Array, mask: jax.Array | None = None) -> jax.Array:
    """The last state of each sequence, or all of them.

    Args:
      x: float [B, T, D].
      mask: bool [B, T]; where False the state is carried over unchanged. None: every step counts.

    Returns:
      float [B, features]; with `sequences` float [B, T, features].
    """
    hidden = self.features
    kernel = self.param("kernel", self.kernel_init, (x.shape[-1], 4 * hidden), x.dtype)
    recurrent = self.param("recurrent", self.recurrent_init, (hidden, 4 * hidden), x.dtype)
    bias = self.param("bias", self.bias_init, (4 * hidden,), x.dtype)
    steps, batch = x.shape[1], x.shape[0]
    rows = jnp.swapaxes(x, 0, 1).reshape(steps * batch, -1)
    projected = projection.project(rows, kernel).reshape(steps, batch, -1) + bias
    counts = jnp.ones(x.shape[:2], bool) if mask is None else mask
    if self.sequences:
      return jnp.swapaxes(recurrence.states(projected, recurrent, counts.T), 0, 1)
    return recurrence.last_state(projected, recurrent, counts.T)
