"""Layers with the initialisation and the constants of PyTorch, for models published in it.

Weights and biases are uniform within 1 / sqrt(fan in), which is what kaiming_uniform_ with a =
sqrt(5) comes to; running statistics keep .9 of what they were, and 1e-5 is added to the variance.
"""

import math
from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from mer_jax.models.layers.convolutional import conv as convolution_layer
from mer_jax.models.layers.normalisation import BatchNorm

KERNEL = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")


def conv(
  x: jax.Array,
  features: int,
  window: Sequence[int],
  name: str,
  implementation: str = "auto",
  **kwargs,
) -> jax.Array:
  """x (float [B, *spatial, C]) convolved, float [B, *out, features]; in a compact method.

  `implementation` is one of convolution.IMPLEMENTATIONS; further keywords are those of nn.Conv.
  """
  kwargs.setdefault("kernel_init", KERNEL)
  kwargs.setdefault("bias_init", bias(x.shape[-1] * math.prod(window)))
  return convolution_layer(features, window, name, implementation, **kwargs)(x)


def dense(x: jax.Array, features: int, name: str, *, use_bias: bool = True) -> jax.Array:
  """A fully connected layer on x (float [..., D]), float [..., features]; in a compact method."""
  layer = nn.Dense(
    features, use_bias=use_bias, kernel_init=KERNEL, bias_init=bias(x.shape[-1]), name=name
  )
  return layer(x)


def norm(x: jax.Array, weights: jax.Array, name: str, *, train: bool) -> jax.Array:
  """Batch normalisation of x (float [B, ..., C]), as `BatchNorm`; in a compact method."""
  return BatchNorm(x.shape[-1], momentum=0.9, epsilon=1e-5, name=name)(x, weights, train=train)


def bias(fan_in: int) -> nn.initializers.Initializer:
  """The initialiser of a bias behind weights from so many inputs."""
  bound = 1 / math.sqrt(fan_in)

  def init(key: jax.Array, shape: Sequence[int], dtype=jnp.float32) -> jax.Array:
    return jax.random.uniform(key, shape, dtype, -bound, bound)

  return init
