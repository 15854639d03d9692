"""Pooling without reduce_window, whose gradient is slow on CPUs."""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


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


def largest(x: jax.Array, axis: int) -> jax.Array:
  """Max of x over `axis`; the gradient goes to the first place that has it, as in PyTorch.

  jnp.max shares the gradient among all places that equal the max, and divides by their number. A
  program that computes x a second time for that may find none, with other last digits: 0 / 0.

  Args:
    x: float, of any shape.
    axis: from 0 on.

  Returns:
    float, the shape of x without `axis`.
  """
  place = jnp.argmax(x, axis=axis, keepdims=True)
  is_place = lax.broadcasted_iota(place.dtype, x.shape, axis) == place
  return jnp.where(is_place, x, 0).sum(axis=axis)


def max_pool_overlapping(x: jax.Array, window: int, stride: int, before: int = 0) -> jax.Array:
  """Max over windows that may overlap, as Caffe has it: without padding, and nothing is left over.

  Args:
    x: float [B, *spatial, C].
    window, stride: along every spatial axis, the stride no longer than the window, of which the
      last may reach beyond the end.
    before: places of -inf in front of every spatial axis. With window 3, stride 2 and an even size,
      1 gives what PyTorch gives with padding 1.

  Returns:
    float [B, *out, C], out = ceil((size + before - window) / stride) + 1.

  Raises:
    ValueError: an axis is too short for a single window.
  """
  if before:
    around = [(0, 0), *[(before, 0)] * (x.ndim - 2), (0, 0)]
    x = jnp.pad(x, around, constant_values=-jnp.inf)
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


def avg_pool(x: jax.Array, window: Sequence[int]) -> jax.Array:
  """Mean over windows that do not overlap; shapes as in `max_pool` without padding."""
  for axis, size in reversed(list(enumerate(window, 1))):
    x = _windows(x, axis, size).mean(axis=axis + 1)
  return x


def adaptive_avg_pool(x: jax.Array, size: int) -> jax.Array:
  """Mean over size x size parts of x (float [B, H, W, C]), which overlap as PyTorch's do.

  Part i of an axis of n places goes from floor(i n / size) to ceil((i + 1) n / size).

  Returns:
    float [B, size, size, C].
  """
  rows, columns = (_shares(n, size) for n in x.shape[1:3])
  return jnp.einsum("bhwc,ih,jw->bijc", x, rows, columns)


def _shares(places: int, parts: int) -> np.ndarray:
  """float32 [parts, places]: what each place contributes to the mean of each part."""
  part, place = np.arange(parts)[:, None], np.arange(places)
  inside = (place >= part * places // parts) & (place < -(-(part + 1) * places // parts))
  return (inside / inside.sum(axis=1, keepdims=True)).astype(np.float32)


def _windows(x: jax.Array, axis: int, size: int) -> jax.Array:
  """Splits `axis` into (windows, places in a window), dropping what is left over."""
  size = min(size, x.shape[axis])
  count = x.shape[axis] // size
  x = lax.slice_in_dim(x, 0, count * size, axis=axis)
  return x.reshape(*x.shape[:axis], count, size, *x.shape[axis + 1 :])
