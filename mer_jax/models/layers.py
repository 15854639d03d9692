"""Layers written so that many small models share one program well.

How a convolution is computed is decided in mer_jax.models.convolution. Max pooling is a reshape,
for the gradient of reduce_window is slow on CPUs.
"""

import functools
import math
from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from mer_jax.models import conv_moments_pool, conv_pool, convolution, projection, recurrence


def conv(features: int, window: Sequence[int], name: str, **kwargs) -> nn.Conv:
  """A flax convolution [B, *spatial, C] -> [B, *out, features], computed as `using` says.

  Glorot-uniform weights and zero bias: Keras' defaults, which the implementations of this field
  were written with.
  """
  kwargs.setdefault("kernel_init", nn.initializers.glorot_uniform())
  return nn.Conv(
    features, tuple(window), conv_general_dilated=convolution.convolve, name=name, **kwargs
  )


class ConvPoolRelu(nn.Module):
  """Convolution, max pooling, ReLU: [B, *spatial, C] -> [B, *(spatial // pool), features].

  Parameters and values are those of `conv` of the same name, ReLU and `max_pool` in any order, for
  the three commute; an axis shorter than the window is not pooled smaller than 1.

  Attributes:
    features: filters.
    window: one odd size per spatial axis; the edges are padded with zeros.
    pool: window and stride of the pooling, along every axis.
  """

  features: int
  window: tuple[int, ...]
  pool: int

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Applies the layer to x, float [B, *spatial, C]."""
    shape = (*self.window, x.shape[-1], self.features)
    kernel = self.param("kernel", nn.initializers.glorot_uniform(), shape)
    bias = self.param("bias", nn.initializers.zeros, (self.features,))
    fits = len(self.window) == 2 and min(x.shape[1:-1]) >= self.pool
    if convolution.implementation() == "fused" and fits:
      return conv_pool.conv_pool_relu(x, kernel, bias, self.pool)
    strides = (1,) * len(self.window)
    x = convolution.convolve(x, kernel, strides, "SAME", dimension_numbers=_channels_last(x.ndim))
    return nn.relu(max_pool(x, (self.pool,) * len(self.window)) + bias)


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


def max_pool_overlapping(x: jax.Array, window: int, stride: int) -> jax.Array:
  """Max over windows that may overlap, as Caffe has it: without padding, and nothing is left over.

  Args:
    x: float [B, *spatial, C].
    window, stride: along every spatial axis, the stride no longer than the window, of which the
      last may reach beyond the end.

  Returns:
    float [B, *out, C], out = ceil((size - window) / stride) + 1.

  Raises:
    ValueError: an axis is too short for a single window.
  """
  for axis in range(1, x.ndim - 1):
    size = x.shape[axis]
    out = -((window - size) // stride) + 1
    if out < 1:
      raise ValueError(f"max_pool_overlapping: axis {axis} of {x.shape} is too short for {window}.")
    reach = (out - 1) * stride + window
    x = lax.pad(
      x,
      np.array(-np.inf, x.dtype),
      [(0, reach - size if a == axis else 0, 0) for a in range(x.ndim)],
    )
    ends = [i + (out - 1) * stride + 1 for i in range(window)]
    slices = [lax.slice_in_dim(x, i, end, stride, axis) for i, end in enumerate(ends)]
    x = functools.reduce(jnp.maximum, slices)
  return x


def l2_normalise(x: jax.Array, epsilon: float = 1e-4) -> jax.Array:
  """x / |x| along the last axis, float [..., D]; epsilon is added to |x| squared.

  It is small against any feature vector and still keeps the slope of one near 0 within bounds.
  """
  return x * lax.rsqrt(jnp.sum(jnp.square(x), axis=-1, keepdims=True) + epsilon)


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
    # 16 bits tell one rate from another well enough, and drawing them takes half as long as 32.
    drawn = jax.random.bits(self.make_rng("dropout"), x.shape, jnp.uint16)
    return jnp.where(drawn.astype(jnp.float32) < keep * 2**16, x / keep, 0)


def avg_pool(x: jax.Array, window: Sequence[int]) -> jax.Array:
  """Mean over windows that do not overlap; shapes as in `max_pool` without padding."""
  for axis, size in reversed(list(enumerate(window, 1))):
    x = _windows(x, axis, size).mean(axis=axis + 1)
  return x


def _channels_last(ndim: int) -> lax.ConvDimensionNumbers:
  last = (0, ndim - 1, *range(1, ndim - 1))
  return lax.ConvDimensionNumbers(last, (ndim - 1, ndim - 2, *range(ndim - 2)), last)


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

  Attributes:
    features: C.
    momentum: what is kept of the running statistics in a step.
    epsilon: added to the variance.
    debias: leave the values that the running statistics start from out of them, as Caffe does: they
      are then right after the first step, not after several times 1 / (1 - momentum).
  """

  features: int
  momentum: float = 0.99
  epsilon: float = 1e-3
  debias: bool = False

  def setup(self):
    """Parameters and running statistics, float [features] each."""
    shape = (self.features,)
    self.mean = self.variable("batch_stats", "mean", jnp.zeros, shape)
    self.var = self.variable("batch_stats", "var", jnp.ones, shape)
    if self.debias:
      # What the running statistics are worth: the sum of the weights of the batches in them.
      self.worth = self.variable("batch_stats", "worth", jnp.zeros, ())
    self.scale = self.param("scale", nn.initializers.ones, shape)
    self.bias = self.param("bias", nn.initializers.zeros, shape)

  def __call__(self, x: jax.Array, weights: jax.Array, *, train: bool) -> jax.Array:
    """Normalises x (float [B, ..., C]); `weights` (float [B]) are 0 where none may learn."""
    if not train:
      return self._normalise(x, self.mean.value, self.var.value)
    counts = (weights > 0).astype(x.dtype)
    total = jnp.maximum(counts.sum(), 1.0) * math.prod(x.shape[1:-1])
    mean = jnp.einsum("b,b...c->c", counts, x) / total
    var = jnp.einsum("b,b...c->c", counts, jnp.square(x - mean)) / total
    return self.by_moments(x, mean, var, counts)

  def by_moments(
    self, x: jax.Array, mean: jax.Array, var: jax.Array, counts: jax.Array
  ) -> jax.Array:
    """Normalises x by a batch's moments (float [features]) and remembers them.

    `counts` (float [B]) says which examples the moments are of.
    """
    if not self.is_initializing():
      keep = self._keep(counts.sum() > 0)
      self.mean.value = keep * self.mean.value + (1 - keep) * mean
      self.var.value = keep * self.var.value + (1 - keep) * var
    return self._normalise(x, mean, var)

  def _keep(self, any_counts):
    if not self.debias:
      return jnp.where(any_counts, self.momentum, 1.0)
    before = self.worth.value
    after = self.momentum * before + (1 - self.momentum)
    self.worth.value = jnp.where(any_counts, after, before)
    return jnp.where(any_counts, self.momentum * before / after, 1.0)

  def _normalise(self, x, mean, var):
    return (x - mean) * (lax.rsqrt(var + self.epsilon) * self.scale) + self.bias


class ConvReluNormPool(nn.Module):
  """Convolution, ReLU, batch normalisation, max pooling: [B, H, W, C] -> [B, H', W', features].

  H' = (H + 2 padding) // pool. Values are those of `conv`, ReLU, `BatchNorm` and `max_pool` in this
  order, and a weight of 0 means the same.

  Attributes:
    features: filters.
    window: odd sizes of the filters; the edges are padded with zeros.
    pool, padding: window and stride of the pooling; places of -inf around the image.
    momentum, epsilon: of the normalisation.
  """

  features: int
  window: tuple[int, int]
  pool: int
  padding: int = 0
  momentum: float = 0.99
  epsilon: float = 1e-3

  @nn.compact
  def __call__(self, x: jax.Array, weights: jax.Array, *, train: bool) -> jax.Array:
    """Applies the layer to x; `weights` (float [B]) are 0 where none may learn."""
    shape = (*self.window, x.shape[-1], self.features)
    kernel = self.param("kernel", nn.initializers.glorot_uniform(), shape)
    bias = self.param("bias", nn.initializers.zeros, (self.features,))
    norm = BatchNorm(self.features, self.momentum, self.epsilon, name="norm")
    if not train or convolution.implementation() != "fused":
      y = convolution.convolve(x, kernel, (1, 1), "SAME", dimension_numbers=_channels_last(4))
      return max_pool(norm(nn.relu(y + bias), weights, train=train), (self.pool,) * 2, self.padding)
    counts = (weights > 0).astype(x.dtype)
    pooled, first, second = conv_moments_pool.conv_moments_pool(
      x, kernel, bias, jnp.where(norm.scale < 0, -1.0, 1.0), counts, self.pool, self.padding
    )
    total = jnp.maximum(counts.sum(), 1.0) * math.prod(x.shape[1:3])
    mean = first / total
    var = jnp.maximum(second / total - jnp.square(mean), 0)
    return norm.by_moments(pooled, mean, var, counts)


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
