"""Convolution, ReLU, the moments for batch normalisation and max pooling as one operation.

For many folds on a CPU, where the values before pooling are far more than a cache holds. Batch
normalisation is one factor and one shift for each feature, so it commutes with max pooling once the
factor's sign is known: what has to be computed on all places is the two moments alone. Nothing of
the places is kept; backwards they are computed again, a few images at a time.
"""

from functools import partial, reduce

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_batching import custom_vmap

from mer_jax.models.layers.side_by_side import all_batched, apart, cut, joined, parts, side_by_side


def conv_moments_pool(
  x: jax.Array,
  kernel: jax.Array,
  bias: jax.Array,
  sign: jax.Array,
  counts: jax.Array,
  pool: int,
  padding: int,
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Of y = relu(x * kernel + bias) the pooled values and the sums of y and of y squared.

  Args:
    x: float [B, H, W, C], padded with zeros to keep the size.
    kernel: float [h, w, C, features], h and w odd.
    bias: float [features].
    sign: float [features], 1 where the largest value of a window is wanted, -1 for the smallest.
    counts: float [B], 1 for images that enter the sums, else 0.
    pool: window and stride.
    padding: places without a value on either side of both axes, fewer than `pool`.

  Returns:
    pooled: float [B, (H + 2 padding) // pool, (W + 2 padding) // pool, features].
    first, second: float [features], sums over images that count and all places.
  """
  weights = jnp.broadcast_to(counts[:, None], (len(x), kernel.shape[-1]))
  return _operation(x, kernel, bias, sign, weights, (pool, padding))


@partial(jax.custom_vjp, nondiff_argnums=(5,))
def _operation(x, kernel, bias, sign, weights, geometry):
  return _forward(geometry)(x, kernel, bias, sign, weights)[:3]


def _operation_forward(x, kernel, bias, sign, weights, geometry):
  pooled, first, second, place = _forward(geometry)(x, kernel, bias, sign, weights)
  return (pooled, first, second), (x, kernel, bias, weights, place)


def _operation_backward(geometry, residuals, gradients):
  return (*_backward(geometry)(*residuals, *gradients), None, None)


_operation.defvjp(_operation_forward, _operation_backward)


def _forward(geometry):
  """(x, kernel, bias, sign, weights) -> (pooled, first, second, place of the extreme, int8)."""
  of_fold = custom_vmap(partial(_forward_of_fold, geometry=geometry))

  @of_fold.def_vmap
  def over_folds(folds, batched, x, *of_folds):
    of_folds = all_batched(folds, batched[1:], of_folds)
    if batched[0]:
      out = lax.map(lambda fold: of_fold(*fold), (x, *of_folds))
    else:
      out = tuple(apart(a, folds) for a in of_fold(x, *map(side_by_side, of_folds)))
    return out, (True,) * 4

  return of_fold


def _backward(geometry):
  """(x, kernel, bias, weights, place, gradients of the outputs) -> of x, kernel, bias."""
  of_fold = custom_vmap(partial(_backward_of_fold, geometry=geometry))

  @of_fold.def_vmap
  def over_folds(folds, batched, x, *of_folds):
    of_folds = all_batched(folds, batched[1:], of_folds)
    if batched[0]:
      return lax.map(lambda fold: of_fold(*fold), (x, *of_folds)), (True, True, True)
    _, of_kernel, of_bias = of_fold(x, *map(side_by_side, of_folds))
    # Dead code where x is no activation, and each fold's own where somebody asks.
    of_x = lax.map(lambda fold: of_fold(x, *fold)[0], of_folds)
    return (of_x, apart(of_kernel, folds), apart(of_bias, folds)), (True, True, True)

  return of_fold


def _forward_of_fold(x, kernel, bias, sign, weights, *, geometry):
  pool, padding = geometry
  windows = [(n + 2 * padding) // pool for n in x.shape[1:3]]
  real = _real(x.shape, geometry)

  def of_images(sums, images):
    x, weights = images
    y = jnp.maximum(_convolve(_patches(x, kernel.shape, geometry), kernel) + bias, 0)
    signed = jnp.where(real, y * sign, -jnp.inf)
    extreme = reduce(jnp.maximum, list(signed))
    place = jnp.int8(len(signed) - 1)
    for i in reversed(range(len(signed) - 1)):
      place = jnp.where(signed[i] == extreme, jnp.int8(i), place)
    counted = jnp.where(real, y, 0) * weights[:, None, None]
    places = (0, 1, 2, 3)
    sums = sums[0] + counted.sum(axis=places), sums[1] + (counted * y).sum(axis=places)
    inside = slice(None), slice(windows[0]), slice(windows[1])
    return sums, ((extreme * sign)[inside], place[inside])

  zero = jnp.zeros_like(bias)
  number = _parts(x, kernel)
  sums, (pooled, place) = lax.scan(of_images, (zero, zero), (cut(x, number), cut(weights, number)))
  return joined(pooled), *sums, joined(place)


def _backward_of_fold(x, kernel, bias, weights, place, *gradients, geometry):
  of_pooled, of_first, of_second = gradients
  pool = geometry[0]
  real = _real(x.shape, geometry)
  places = jnp.arange(pool * pool, dtype=jnp.int8)[:, None, None, None, None]

  def of_images(sums, images):
    x, weights, place, of_pooled = images
    patches = _patches(x, kernel.shape, geometry)
    y = _convolve(patches, kernel) + bias
    rest = [(0, n - m) for n, m in zip(y.shape[2:4], place.shape[1:3], strict=True)]
    around = ((0, 0), *rest, (0, 0))
    spread = jnp.where(jnp.pad(place, around) == places, jnp.pad(of_pooled, around), 0)
    moments = jnp.where(real, weights[:, None, None] * (of_first + 2 * of_second * y), 0)
    of_y = jnp.where(y > 0, spread + moments, 0)
    of_y = of_y.reshape(-1, of_y.shape[-1])
    patches = patches.reshape(len(of_y), -1)
    of_kernel = lax.dot_general(patches, of_y, (((0,), (0,)), ((), ())))
    of_x = _unpatch(of_y, x, kernel, geometry)
    return (sums[0] + of_kernel, sums[1] + of_y.sum(axis=0)), of_x

  zero = jnp.zeros((kernel[..., 0].size, kernel.shape[-1]), kernel.dtype), jnp.zeros_like(bias)
  number = _parts(x, kernel)
  images = tuple(cut(a, number) for a in (x, weights, place, of_pooled))
  (of_kernel, of_bias), of_x = lax.scan(of_images, zero, images)
  return joined(of_x), of_kernel.reshape(kernel.shape), of_bias


def _convolve(patches, kernel):
  return jnp.dot(patches, kernel.reshape(-1, kernel.shape[-1]))


def _grid(shape, geometry):
  """Windows along both axes that it takes to cover every place."""
  pool, padding = geometry
  return tuple(-(-(n + padding) // pool) for n in shape[1:3])


def _real(shape, geometry) -> np.ndarray:
  """bool [pool pool, 1, rows, columns, 1]: which places of the windows lie in the image."""
  pool, padding = geometry
  rows, columns = (
    (np.arange(m * pool).reshape(m, pool).T - padding) for m in _grid(shape, geometry)
  )
  inside = [(r >= 0) & (r < n) for r, n in zip((rows, columns), shape[1:3], strict=True)]
  both = inside[0][:, None, :, None] & inside[1][None, :, None, :]
  return both.reshape(pool * pool, 1, *both.shape[2:], 1)


def _patches(x, kernel_shape, geometry):
  """What each place looks at, [pool pool, B, rows, columns, h w C]: places of a window apart."""
  pool, padding = geometry
  grid = _grid(x.shape, geometry)
  low = [k // 2 + padding for k in kernel_shape[:2]]
  high = [
    m * pool + k - 1 - n - first
    for m, k, n, first in zip(grid, kernel_shape[:2], x.shape[1:3], low, strict=True)
  ]
  around = ((0, 0, 0), *((a, b, 0) for a, b in zip(low, high, strict=True)), (0, 0, 0))
  x = lax.pad(x, jnp.zeros((), x.dtype), around)  # a negative number cuts
  rows, columns = (m * pool for m in grid)

  def seen(p, q):
    return jnp.concatenate(
      [
        x[:, p + i : p + i + rows : pool, q + j : q + j + columns : pool]
        for i in range(kernel_shape[0])
        for j in range(kernel_shape[1])
      ],
      axis=-1,
    )

  return jnp.stack([seen(p, q) for p in range(pool) for q in range(pool)])


def _unpatch(of_y, x, kernel, geometry):
  """The gradient of x; linear transposition of looking. Dead code where x is no activation."""
  of_patches = of_y @ kernel.reshape(-1, kernel.shape[-1]).T
  patches_of = partial(_patches, kernel_shape=kernel.shape, geometry=geometry)
  shape = jax.eval_shape(patches_of, x).shape
  return jax.linear_transpose(patches_of, x)(of_patches.reshape(shape))[0]


def _parts(x, kernel) -> int:
  wide = max(kernel[..., 0].size, kernel.shape[-1])
  return parts(len(x), x[0, ..., 0].size * wide * x.dtype.itemsize)
