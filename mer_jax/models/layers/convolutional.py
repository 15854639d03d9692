"""Convolutional and fully connected layers, with the initialisation of Keras."""

import functools
import math
from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from mer_jax.models.layers import conv_moments_pool, conv_pool, convolution
from mer_jax.models.layers.normalisation import BatchNorm
from mer_jax.models.layers.pooling import max_pool


def conv(
  features: int, window: Sequence[int], name: str, implementation: str = "auto", **kwargs
) -> nn.Conv:
  """A flax convolution [B, *spatial, C] -> [B, *out, features].

  `implementation` is one of convolution.IMPLEMENTATIONS; further keywords are those of nn.Conv.

  Glorot-uniform weights and zero bias: Keras' defaults, which the implementations of this field
  were written with.
  """
  kwargs.setdefault("kernel_init", nn.initializers.glorot_uniform())
  convolve = functools.partial(convolution.convolve, implementation=implementation)
  return nn.Conv(features, tuple(window), conv_general_dilated=convolve, name=name, **kwargs)


def dense(features: int, name: str) -> nn.Dense:
  """A fully connected layer [..., D] -> [..., features] with Keras' initialisation."""
  return nn.Dense(features, kernel_init=nn.initializers.glorot_uniform(), name=name)


class ConvPoolRelu(nn.Module):
  """Convolution, max pooling, ReLU: [B, *spatial, C] -> [B, *(spatial // pool), features].

  Parameters and values are those of `conv` of the same name, ReLU and `max_pool` in any order, for
  the three commute; an axis shorter than the window is not pooled smaller than 1.

  Attributes:
    features: filters.
    window: one odd size per spatial axis; the edges are padded with zeros.
    pool: window and stride of the pooling, along every axis.
    implementation: one of convolution.IMPLEMENTATIONS.
  """

  features: int
  window: tuple[int, ...]
  pool: int
  implementation: str = "auto"

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Applies the layer to x, float [B, *spatial, C]."""
    shape = (*self.window, x.shape[-1], self.features)
    kernel = self.param("kernel", nn.initializers.glorot_uniform(), shape)
    bias = self.param("bias", nn.initializers.zeros, (self.features,))
    fits = len(self.window) == 2 and min(x.shape[1:-1]) >= self.pool
    if convolution.resolve(self.implementation) == "fused" and fits:
      return conv_pool.conv_pool_relu(x, kernel, bias, self.pool)
    strides = (1,) * len(self.window)
    x = convolution.convolve(
      x,
      kernel,
      strides,
      "SAME",
      dimension_numbers=_channels_last(x.ndim),
      implementation=self.implementation,
    )
    return nn.relu(max_pool(x, (self.pool,) * len(self.window)) + bias)


class ConvReluNormPool(nn.Module):
  """Convolution, ReLU, batch normalisation, max pooling: [B, H, W, C] -> [B, H', W', features].

  H' = (H + 2 padding) // pool. Values are those of `conv`, ReLU, `BatchNorm` and `max_pool` in this
  order, and a weight of 0 means the same.

  Attributes:
    features: filters.
    window: odd sizes of the filters; the edges are padded with zeros.
    pool, padding: window and stride of the pooling; places of -inf around the image.
    momentum, epsilon: of the normalisation.
    kernel_init, bias_init: initialisers of [*window, C, features] and [features].
    implementation: one of convolution.IMPLEMENTATIONS.
  """

  features: int
  window: tuple[int, int]
  pool: int
  padding: int = 0
  momentum: float = 0.99
  epsilon: float = 1e-3
  kernel_init: nn.initializers.Initializer = nn.initializers.glorot_uniform()
  bias_init: nn.initializers.Initializer = nn.initializers.zeros
  implementation: str = "auto"

  @nn.compact
  def __call__(self, x: jax.Array, weights: jax.Array, *, train: bool) -> jax.Array:
    """Applies the layer to x; `weights` (float [B]) are 0 where none may learn."""
    shape = (*self.window, x.shape[-1], self.features)
    kernel = self.param("kernel", self.kernel_init, shape)
    bias = self.param("bias", self.bias_init, (self.features,))
    norm = BatchNorm(self.features, self.momentum, self.epsilon, name="norm")
    if not train or convolution.resolve(self.implementation) != "fused":
      y = convolution.convolve(
        x,
        kernel,
        (1, 1),
        "SAME",
        dimension_numbers=_channels_last(4),
        implementation=self.implementation,
      )
      return max_pool(norm(nn.relu(y + bias), weights, train=train), (self.pool,) * 2, self.padding)
    counts = (weights > 0).astype(x.dtype)
    pooled, first, second = conv_moments_pool.conv_moments_pool(
      x, kernel, bias, jnp.where(norm.scale < 0, -1.0, 1.0), counts, self.pool, self.padding
    )
    total = jnp.maximum(counts.sum(), 1.0) * math.prod(x.shape[1:3])
    mean = first / total
    var = jnp.maximum(second / total - jnp.square(mean), 0)
    return norm.by_moments(pooled, mean, var, counts)


def _channels_last(ndim: int) -> lax.ConvDimensionNumbers:
  last = (0, ndim - 1, *range(1, ndim - 1))
  return lax.ConvDimensionNumbers(last, (ndim - 1, ndim - 2, *range(ndim - 2)), last)
