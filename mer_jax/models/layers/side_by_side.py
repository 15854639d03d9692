"""Arrays of many folds as one fold's would be, and images a few at a time.

What the operations on a CPU have in common: folds that share a batch put their filters side by
side in the last axis, and images are taken in parts that stay in cache.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

# About what a part of the images becomes: half of what a core and its share of the last level hold.
PART_BYTES = 4 * 2**20


def side_by_side(x: jax.Array) -> jax.Array:
  """[F, ..., features] -> [..., F features]."""
  x = jnp.moveaxis(x, 0, -2)
  return x.reshape(*x.shape[:-2], -1)


def apart(x: jax.Array, folds: int) -> jax.Array:
  """[..., F features] -> [F, ..., features]."""
  return jnp.moveaxis(x.reshape(*x.shape[:-1], folds, -1), -2, 0)


def all_batched(
  folds: int, batched: Sequence[bool], arguments: Sequence[jax.Array]
) -> tuple[jax.Array, ...]:
  """The arguments of a custom_vmap rule, each with the fold axis in front."""
  return tuple(
    x if is_batched else jnp.broadcast_to(x, (folds, *x.shape))
    for x, is_batched in zip(arguments, batched, strict=True)
  )


def parts(images: int, bytes_of_image: int) -> int:
  """Into how many equal parts to cut the images."""
  wanted = max(1, PART_BYTES // bytes_of_image)
  return next(n for n in range(1, images + 1) if images % n == 0 and images // n <= wanted)


def cut(x: jax.Array, number: int) -> jax.Array:
  """[B, ...] -> [parts, B / parts, ...]."""
  return x.reshape(number, -1, *x.shape[1:])


def joined(x: jax.Array) -> jax.Array:
  """[parts, B / parts, ...] -> [B, ...]."""
  return x.reshape(-1, *x.shape[2:])
