"""Layers written so that many small models share one program well.

Inside a loop XLA:CPU runs a convolution some 25 times slower than outside of it, and under vmap
over weights a convolution becomes a grouped one, whose gradient is slow on GPUs too. The same
arithmetic as shifted slices and one matrix product keeps its speed everywhere, and a batch that all
folds share enters that product once. Max pooling is a reshape for the same reason: the gradient of
reduce_window is slow on CPUs.
"""

import functools
import itertools
import math
from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax


def conv_as_product(
  lhs: jax.Array,
  rhs: jax.Array,
  window_strides: Sequence[int],
  padding: str | Sequence[tuple[int, int]],
  *,
  lhs_dilation: Sequence[int] | None = None,
  rhs_dilation: Sequence[int] | None = None,
  dimension_numbers: lax.ConvDimensionNumbers | None = None,
  feature_group_count: int = 1,
  precision: lax.PrecisionLike = None,
) -> jax.Array:
  """`lax.conv_general_dilated` as shifted slices and one product, to be handed to nn.Conv.

  Args:
    lhs: float [B, *spatial, C], channels last as flax hands it over.
    rhs: float [*window, C, features].
    window_strides, padding, lhs_dilation, rhs_dilation: as in lax.conv_general_dilated.
    dimension_numbers: ignored, always channels last.
    feature_group_count: must be 1.
    precision: precision of the product.

  Returns:
    float [B, *out, features].

  Raises:
    NotImplementedError: grouped or transposed convolution, which no model here uses.
  """
  del dimension_numbers
  if feature_group_count != 1 or any(d != 1 for d in lhs_dilation or ()):
    raise NotImplementedError("conv_as_product: grouped or input-dilated convolutions")
  window, features = rhs.shape[:-2], rhs.shape[-1]
  dilation = tuple(rhs_dilation or (1,) * len(window))
  reach = tuple((w - 1) * d + 1 for w, d in zip(window, dilation, strict=True))
  if isinstance(padding, str):
    padding = lax.padtype_to_pads(lhs.shape[1:-1], reach, window_strides, padding)
  lhs = jnp.pad(lhs, ((0, 0), *padding, (0, 0)))
  out = tuple(
    (n - r) // s + 1 for n, r, s in zip(lhs.shape[1:-1], reach, window_strides, strict=True)
  )
  slices = [
    lax.slice(
      lhs,
      (0, *(o * d for o, d in zip(offset, dilation, strict=True)), 0),
      (
        lhs.shape[0],
        *(
          o * d + (n - 1) * s + 1
          for o, d, n, s in zip(offset, dilation, out, window_strides, strict=True)
        ),
        lhs.shape[-1],
      ),
      (1, *window_strides, 1),
    )
    for offset in itertools.product(*map(range, window))
  ]
  patches = jnp.concatenate(slices, axis=-1)
  return jnp.dot(patches, rhs.reshape(-1, features), precision=precision)


def conv(features: int, window: Sequence[int], name: str, **kwargs) -> nn.Conv:
  """A flax convolution [B, *spatial, C] -> [B, *out, features], computed as a product.

  Glorot-uniform weights and zero bias: Keras' defaults, which the implementations of this field
  were written with.
  """
  kwargs.setdefault("kernel_init", nn.initializers.glorot_uniform())
  return nn.Conv(features, tuple(window), conv_general_dilated=conv_as_product, name=name, **kwargs)


def dense(features: int, name: str) -> nn.Dense:
  """A fully connected layer [..., D] -> [..., features] with Keras' initialisation."""
  return nn.Dense(features, kernel_init=nn.initializers.glorot_uniform(), name=name)


def max_pool(x: jax.Array, window: Sequence[int], padding: int = 0) -> jax.Array:
  """Max over windows that do not overlap (stride = window).

  Args:
    x: float [B, *spatial, C].
    window: one size per spatial axis; cut to the axis where that is shorter.
    padding: places of -inf on either side of every spatial axis.

  Returns:
    float [B, *out, C], out = (size + 2 padding) // window; what is left over is dropped.
  """
  if padding:
    around = ((0, 0), *((padding, padding),) * len(window), (0, 0))
    x = jnp.pad(x, around, constant_values=-jnp.inf)
  # Axis by axis and place by place: the gradient of jnp.max over a window costs twice as much.
  for axis, size in reversed(list(enumerate(window, 1))):
    places = _windows(x, axis, size)
    x = functools.reduce(
      jnp.maximum,
      [lax.index_in_dim(places, i, axis + 1, False) for i in range(places.shape[axis + 1])],
    )
  return x


class Dropout(nn.Module):
  """Dropout (Srivastava et al., JMLR 2014) whose rate may be a traced scalar, as in a sweep.

  Attributes:
    rate: probability of a value to become 0, in [0, 1).
  """

  rate: float | jax.Array

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    """x (any shape), in training with some values 0 and the others scaled by 1 / (1 - rate)."""
    if not train or (isinstance(self.rate, float | int) and self.rate == 0):
      return x
    keep = 1.0 - self.rate
    kept = jax.random.bernoulli(self.make_rng("dropout"), keep, x.shape)
    return jnp.where(kept, x / keep, 0)


def avg_pool(x: jax.Array, window: Sequence[int]) -> jax.Array:
  """Mean over windows that do not overlap; shapes as in `max_pool` without padding."""
  for axis, size in reversed(list(enumerate(window, 1))):
    x = _windows(x, axis, size).mean(axis=axis + 1)
  return x


def _windows(x: jax.Array, axis: int, size: int) -> jax.Array:
  """Splits `axis` into (windows, places in a window), dropping what is left over."""
  size = min(size, x.shape[axis])
  count = x.shape[axis] // size
  x = lax.slice_in_dim(x, 0, count * size, axis=axis)
  return x.reshape(*x.shape[:axis], count, size, *x.shape[axis + 1 :])


class BatchNorm(nn.Module):
  """Batch normalisation whose statistics come only from the examples a fold may learn from.

  Ioffe & Szegedy (ICML 2015); momentum and epsilon are Keras' defaults. A batch without a single
  example that counts leaves the running statistics as they are.
  """

  momentum: float = 0.99
  epsilon: float = 1e-3

  @nn.compact
  def __call__(self, x: jax.Array, weights: jax.Array, *, train: bool) -> jax.Array:
    """Normalises x (float [B, ..., C]); `weights` (float [B]) are 0 where none may learn."""
    channels = x.shape[-1]
    mean = self.variable("batch_stats", "mean", jnp.zeros, (channels,))
    var = self.variable("batch_stats", "var", jnp.ones, (channels,))
    scale = self.param("scale", nn.initializers.ones, (channels,))
    bias = self.param("bias", nn.initializers.zeros, (channels,))
    if train:
      counts = (weights > 0).astype(x.dtype)
      places = math.prod(x.shape[1:-1])
      total = jnp.maximum(counts.sum(), 1.0) * places
      batch_mean = jnp.einsum("b,b...c->c", counts, x) / total
      batch_var = jnp.einsum("b,b...c->c", counts, jnp.square(x - batch_mean)) / total
      if not self.is_initializing():
        keep = jnp.where(counts.sum() > 0, self.momentum, 1.0)
        mean.value = keep * mean.value + (1 - keep) * batch_mean
        var.value = keep * var.value + (1 - keep) * batch_var
    else:
      batch_mean, batch_var = mean.value, var.value
    return (x - batch_mean) * (lax.rsqrt(batch_var + self.epsilon) * scale) + bias


class LSTM(nn.Module):
  """Long short-term memory over whole sequences (Hochreiter & Schmidhuber 1997), as Keras has it.

  Gates in the order input, forget, cell, output; orthogonal recurrent weights; forget bias 1. The
  projection of the input is one product over all time steps, outside the scan.
  """

  features: int

  @nn.compact
  def __call__(self, x: jax.Array, mask: jax.Array | None = None) -> jax.Array:
    """The last state of each sequence.

    Args:
      x: float [B, T, D].
      mask: bool [B, T]; where False the state is carried over unchanged. None: every step counts.

    Returns:
      float [B, features].
    """
    hidden = self.features
    kernel = self.param(
      "kernel", nn.initializers.glorot_uniform(), (x.shape[-1], 4 * hidden), x.dtype
    )
    recurrent = self.param("recurrent", nn.initializers.orthogonal(), (hidden, 4 * hidden), x.dtype)
    bias = self.param("bias", _forget_bias_one, (4 * hidden,), x.dtype)
    projected = jnp.einsum("btd,dg->tbg", x, kernel) + bias
    steps = jnp.ones(x.shape[:2], bool) if mask is None else mask

    def step(carry, inputs):
      h, c = carry
      gates, valid = inputs
      i, f, g, o = jnp.split(gates + h @ recurrent, 4, axis=-1)
      new_c = nn.sigmoid(f) * c + nn.sigmoid(i) * jnp.tanh(g)
      new_h = nn.sigmoid(o) * jnp.tanh(new_c)
      if mask is not None:
        new_h, new_c = (jnp.where(valid[:, None], n, old) for n, old in ((new_h, h), (new_c, c)))
      return (new_h, new_c), None

    start = jnp.zeros((x.shape[0], hidden), x.dtype)
    (h, _), _ = lax.scan(step, (start, start), (projected, steps.T))
    return h


def _forget_bias_one(key: jax.Array, shape: Sequence[int], dtype=jnp.float32) -> jax.Array:
  del key
  quarter = shape[0] // 4
  return jnp.zeros(shape, dtype).at[quarter : 2 * quarter].set(1)
