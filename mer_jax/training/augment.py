"""Random changes of flow maps: pure functions of a key and the examples of a batch.

They are made for inputs whose last axis is (u, v, strain), u to the right and v downwards, in which
0 is no motion. An example's "image" [H, W, 3] and all of its "frames" [T, H, W, 3] change alike.
Batches are changed before folds are known, so nothing here looks at labels or weights. What is 0 is
neither computed nor traced.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

# Inputs that change; others stay as they are.
FLOW_MAPS = ("image", "frames")
_SIGNS = (-1.0, 1.0, 1.0)  # of u, v and strain in a mirror


class Augment(NamedTuple):
  """How strongly examples change.

  Attributes:
    mirror: probability of a mirror image, 0..1.
    shift: largest shift in each direction, as a share of the width.
    scale: largest absolute logarithm of the factor in size.
    rotate: largest angle, degrees; the vectors (u, v) turn along.
    noise: standard deviation of what is added to every number.
    cut_out: side of a square that is set to 0, as a share of the width (DeVries and Taylor,
      "Improved Regularization of Convolutional Neural Networks with Cutout", 2017); its centre is
      anywhere, so that parts of it may fall outside.
    mixup: alpha > 0 of Beta(alpha, alpha), see `mix`; 0: nothing is mixed.
  """

  mirror: float = 0.0
  shift: float = 0.0
  scale: float = 0.0
  rotate: float = 0.0
  noise: float = 0.0
  cut_out: float = 0.0
  mixup: float = 0.0


class Mix(NamedTuple):
  """Which examples were mixed.

  Attributes:
    partner: int32 [B], the example that was added to each.
    share: float32, of the example itself, 0.5..1; that of its partner is the rest.
  """

  partner: jax.Array
  share: jax.Array


def changed(
  augment: Augment, key: jax.Array, inputs: Mapping[str, jax.Array]
) -> dict[str, jax.Array]:
  """The inputs [B, ...] of examples, each mirrored, moved, disturbed and cut by its own draws.

  Args:
    augment: how strongly.
    key: typed key of the batch.
    inputs: arrays [B, ...]; "image" and "frames" change. Noise stays out of frames where
      inputs["mask"] (bool [B, T]) is False.
  """
  # One key for each change: switching one on leaves the draws of the others as they were.
  keys = dict(
    zip(("mirror", "geometry", "noise", "cut_out"), jax.random.split(key, 4), strict=True)
  )
  out = dict(inputs)
  for name in FLOW_MAPS:
    if name in inputs:
      out[name] = _changed(augment, keys, inputs[name], inputs.get("mask"))
  return out


def mirrored(inputs: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
  """The mirror images of inputs [B, ...]: width reversed, u with the other sign."""
  return {
    name: jnp.flip(x, -2) * jnp.array(_SIGNS, x.dtype) if name in FLOW_MAPS else x
    for name, x in inputs.items()
  }


def mix(
  alpha: float, key: jax.Array, inputs: Mapping[str, jax.Array]
) -> tuple[dict[str, jax.Array], Mix]:
  """Mixes every example with another one of its batch.

  Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018, in which one share is drawn
  for a batch from Beta(alpha, alpha). Partners stand a drawn number of places apart.

  Args:
    alpha: above 0.
    key: typed key of the batch.
    inputs: arrays [B, ...]; of bool arrays a mixed example has what either partner has.

  Returns:
    The mixed inputs, and how they were mixed. The larger share counts as the example's own.
  """
  of_share, of_roll = jax.random.split(key)
  drawn = jax.random.beta(of_share, alpha, alpha, dtype=jnp.float32)
  share = jnp.maximum(drawn, 1 - drawn)
  size = len(jax.tree.leaves(inputs)[0])
  distance = jax.random.randint(of_roll, (), 1, max(size, 2))
  partner = (jnp.arange(size) + distance) % size

  def mixed(x: jax.Array) -> jax.Array:
    return x | x[partner] if x.dtype == bool else share * x + (1 - share) * x[partner]

  return {name: mixed(x) for name, x in inputs.items()}, Mix(partner, share)


def _changed(
  augment: Augment, keys: Mapping[str, jax.Array], x: jax.Array, mask: jax.Array | None
) -> jax.Array:
  """`x`, float32 [B, H, W, 3] or [B, T, H, W, 3], after all changes but mixing."""
  if augment.mirror:
    flipped = jax.random.bernoulli(keys["mirror"], augment.mirror, (len(x),))
    x = jnp.where(_per_example(flipped, x), mirrored({FLOW_MAPS[0]: x})[FLOW_MAPS[0]], x)
  if augment.shift or augment.scale or augment.rotate:
    x = _moved(augment, keys["geometry"], x)
  if augment.noise:
    noise = augment.noise * jax.random.normal(keys["noise"], x.shape, x.dtype)
    x = x + (noise if mask is None or x.ndim == 4 else noise * _per_example(mask, x))
  if augment.cut_out:
    x = jnp.where(_cut(augment.cut_out, keys["cut_out"], x), 0, x)
  return x


def _moved(augment: Augment, key: jax.Array, x: jax.Array) -> jax.Array:
  """Shift, scale and rotation about the centre in one bilinear resampling; 0 from outside."""
  size, width = len(x), x.shape[-2]
  draw = jax.random.uniform(key, (4, size), minval=-1, maxval=1)
  shift = augment.shift * width * draw[:2]
  factor = jnp.exp(augment.scale * draw[2])
  if not augment.rotate:
    rows, columns = (
      _interpolation(n, shift[axis], factor) for axis, n in enumerate(x.shape[-3:-1])
    )
    x = jnp.einsum("bij,b...hjc->b...hic", columns, x)
    return jnp.einsum("bij,b...jwc->b...iwc", rows, x)
  angle = math.radians(augment.rotate) * draw[3]
  cos, sin = (_per_example(f(angle), x[..., 0]) for f in (jnp.cos, jnp.sin))
  x = _sampled(x, shift, factor, angle)
  u, v, strain = x[..., 0], x[..., 1], x[..., 2]
  return jnp.stack([cos * u - sin * v, sin * u + cos * v, strain], axis=-1)


def _interpolation(n: int, shift: jax.Array, factor: jax.Array) -> jax.Array:
  """float32 [B, n, n]: row i holds the weights from which pixel i is interpolated."""
  centre = (n - 1) / 2
  at = (jnp.arange(n) - centre - shift[:, None]) / factor[:, None] + centre
  return jnp.maximum(1 - jnp.abs(at[..., None] - jnp.arange(n)), 0)


def _sampled(x: jax.Array, shift: jax.Array, factor: jax.Array, angle: jax.Array) -> jax.Array:
  """`x` turned by `angle` (radians, u towards v), scaled and shifted, the vectors as they were."""
  height, width = x.shape[-3:-1]
  row, column = jnp.divmod(jnp.arange(height * width), width)
  dy = (row - (height - 1) / 2 - shift[0][:, None]) / factor[:, None]  # [B, H W]
  dx = (column - (width - 1) / 2 - shift[1][:, None]) / factor[:, None]
  cos, sin = jnp.cos(angle)[:, None], jnp.sin(angle)[:, None]
  y = cos * dy - sin * dx + (height - 1) / 2
  x_at = cos * dx + sin * dy + (width - 1) / 2
  flat = x.reshape(len(x), -1, height * width, x.shape[-1])  # [B, 1 or T, H W, 3]
  total = jnp.zeros_like(flat)
  # Gathers: for any rotation there is no product of two small matrices, and one of the full matrix
  # [H W, H W] takes 70 times as long at 28 x 28.
  for i in (jnp.floor(y), jnp.floor(y) + 1):
    for j in (jnp.floor(x_at), jnp.floor(x_at) + 1):
      inside = (i >= 0) & (i < height) & (j >= 0) & (j < width)
      weight = (1 - jnp.abs(y - i)) * (1 - jnp.abs(x_at - j)) * inside
      index = jnp.clip(i, 0, height - 1) * width + jnp.clip(j, 0, width - 1)
      taken = jnp.take_along_axis(flat, index.astype(jnp.int32)[:, None, :, None], axis=2)
      total = total + weight[:, None, :, None] * taken
  return total.reshape(x.shape)


def _cut(side: float, key: jax.Array, x: jax.Array) -> jax.Array:
  """bool, of a shape that goes with `x`: the square of each example that is set to 0."""
  height, width = x.shape[-3:-1]
  half = side * width / 2
  centre = jax.random.uniform(key, (2, len(x)))
  rows = jnp.abs(jnp.arange(height) + 0.5 - height * centre[0][:, None]) < half
  columns = jnp.abs(jnp.arange(width) + 0.5 - width * centre[1][:, None]) < half
  square = (rows[:, :, None] & columns[:, None, :])[..., None]
  return square if x.ndim == 4 else square[:, None]


def _per_example(values: jax.Array, x: jax.Array) -> jax.Array:
  """`values` [B] or [B, T] with axes of length 1 behind, as many as `x` has more."""
  return values.reshape(*values.shape, *(1,) * (x.ndim - values.ndim))
