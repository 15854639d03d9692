"""A convolution as products, for many folds on a CPU.

What the places look at is many times as large as the images, and for many folds at a time it falls
out of the cache: the product then waits for memory. Here one fold follows the other, a few images
at a time, and backwards what was looked at is copied together again instead of kept. Folds that
share a batch enter one product, their filters side by side.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import custom_vmap

from mer_jax.models.layers.patches import Geometry, patches, product
from mer_jax.models.layers.side_by_side import all_batched, apart, cut, joined, parts, side_by_side


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def conv_by_parts(x: jax.Array, kernel: jax.Array, geometry: Geometry) -> jax.Array:
  """x convolved with kernel.

  Args:
    x: float [B, *spatial, C].
    kernel: float [*window, C, features].
    geometry: how the window moves.

  Returns:
    float [B, *out, features].
  """
  return _forward(geometry)(x, kernel)


def _operation_forward(x, kernel, geometry):
  return conv_by_parts(x, kernel, geometry), (x, kernel)


def _operation_backward(geometry, residuals, gradient):
  return _backward(geometry)(*residuals, gradient)


conv_by_parts.defvjp(_operation_forward, _operation_backward)


def _forward(geometry):
  """(x, kernel) -> the convolution."""
  of_fold = custom_vmap(partial(_forward_of_fold, geometry=geometry))

  @of_fold.def_vmap
  def over_folds(folds, batched, x, kernel):
    if not batched[0]:
      return apart(of_fold(x, side_by_side(kernel)), folds), True
    x, kernel = all_batched(folds, batched, (x, kernel))
    return lax.map(lambda fold: of_fold(*fold), (x, kernel)), True

  return of_fold


def _backward(geometry):
  """(x, kernel, gradient of the convolution) -> gradients of x and kernel."""
  of_fold = custom_vmap(partial(_backward_of_fold, geometry=geometry))

  @of_fold.def_vmap
  def over_folds(folds, batched, x, kernel, gradient):
    kernel, gradient = all_batched(folds, batched[1:], (kernel, gradient))
    if batched[0]:
      return lax.map(lambda fold: of_fold(*fold), (x, kernel, gradient)), (True, True)
    _, of_kernel = of_fold(x, side_by_side(kernel), side_by_side(gradient))
    # Dead code where x is no activation, and each fold's own where somebody asks.
    of_x = lax.map(lambda fold: of_fold(x, *fold)[0], (kernel, gradient))
    return (of_x, apart(of_kernel, folds)), (True, True)

  return of_fold


def _forward_of_fold(x, kernel, *, geometry):
  number = _parts(x, kernel, geometry)
  if number == 1:
    return product(x, kernel, geometry)
  return joined(lax.map(lambda x: product(x, kernel, geometry), cut(x, number)))


def _backward_of_fold(x, kernel, gradient, *, geometry):
  flat = kernel.reshape(-1, kernel.shape[-1])
  look = partial(patches, window=kernel.shape[:-2], geometry=geometry)
  dot = partial(lax.dot_general, precision=geometry.precision)

  def of_images(of_kernel, images):
    x, gradient = images
    seen, look_back = jax.vjp(look, x)
    of_seen = dot(gradient, flat, (((gradient.ndim - 1,), (1,)), ((), ())))
    rows = gradient.reshape(-1, gradient.shape[-1])
    of_kernel += dot(seen.reshape(len(rows), -1), rows, (((0,), (0,)), ((), ())))
    return of_kernel, *look_back(of_seen)

  number = _parts(x, kernel, geometry)
  if number == 1:
    of_kernel, of_x = of_images(jnp.zeros_like(flat), (x, gradient))
  else:
    images = cut(x, number), cut(gradient, number)
    of_kernel, of_x = lax.scan(of_images, jnp.zeros_like(flat), images)
    of_x = joined(of_x)
  return of_x, of_kernel.reshape(kernel.shape)


def _parts(x, kernel, geometry) -> int:
  seen = jax.eval_shape(partial(product, geometry=geometry), x, kernel).size // kernel.shape[-1]
  wide = max(kernel[..., 0].size, kernel.shape[-1])
  return parts(len(x), seen * wide * x.dtype.itemsize // len(x))
