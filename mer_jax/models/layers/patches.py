"""What each place of a convolution looks at, and the convolution as a product with it."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

# Windows up to this size are sliced place by place, which copies less; larger ones axis by axis.
LARGEST_SLICED = 3


class Geometry(NamedTuple):
  """How a window moves over the spatial axes; a value for each of them.

  Attributes:
    strides, dilation: places from one window to the next, and from one place of it to the next.
    padding: zeros in front and behind.
    precision: precision of the products.
  """

  strides: tuple[int, ...]
  padding: tuple[tuple[int, int], ...]
  dilation: tuple[int, ...]
  precision: lax.PrecisionLike = None


def product(x: jax.Array, kernel: jax.Array, geometry: Geometry) -> jax.Array:
  """x (float [B, *spatial, C]) convolved with kernel (float [*window, C, features])."""
  seen = patches(x, kernel.shape[:-2], geometry)
  return jnp.dot(seen, kernel.reshape(-1, kernel.shape[-1]), precision=geometry.precision)


def patches(x: jax.Array, window: Sequence[int], geometry: Geometry) -> jax.Array:
  """What each place of the result looks at, float [B, *out, window C]; x float [B, *spatial, C]."""
  x = jnp.pad(x, ((0, 0), *geometry.padding, (0, 0)))
  if max(window) <= LARGEST_SLICED:
    return _place_by_place(x, window, geometry)
  return _axis_by_axis(x, window, geometry)


def _place_by_place(x, window, geometry):
  strides, dilation = geometry.strides, geometry.dilation
  out = [
    (n - (w - 1) * d - 1) // s + 1
    for n, w, d, s in zip(x.shape[1:-1], window, dilation, strides, strict=True)
  ]
  slices = []
  for offset in itertools.product(*map(range, window)):
    first = [o * d for o, d in zip(offset, dilation, strict=True)]
    end = [f + (n - 1) * s + 1 for f, n, s in zip(first, out, strides, strict=True)]
    slices.append(lax.slice(x, (0, *first, 0), (x.shape[0], *end, x.shape[-1]), (1, *strides, 1)))
  return jnp.concatenate(slices, axis=-1)


def _axis_by_axis(x, window, geometry):
  """The last axis first: a window of 7 x 7 is then 14 slices instead of 49."""
  for axis in reversed(range(1, x.ndim - 1)):
    size, stride, dilate = window[axis - 1], geometry.strides[axis - 1], geometry.dilation[axis - 1]
    out = (x.shape[axis] - (size - 1) * dilate - 1) // stride + 1
    starts = [i * dilate for i in range(size)]
    slices = [lax.slice_in_dim(x, i, i + (out - 1) * stride + 1, stride, axis) for i in starts]
    x = jnp.concatenate(slices, axis=-1)
  return x
