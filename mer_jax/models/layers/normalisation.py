"""Normalisation: batch statistics of the examples that a fold may learn from, and unit length."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax


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


def l2_normalise(x: jax.Array, epsilon: float = 1e-4) -> jax.Array:
  """x / |x| along the last axis, float [..., D]; epsilon is added to |x| squared.

  It is small against any feature vector and still keeps the slope of one near 0 within bounds.
  """
  return x * lax.rsqrt(jnp.sum(jnp.square(x), axis=-1, keepdims=True) + epsilon)
