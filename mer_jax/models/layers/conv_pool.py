"""max-pool(conv(x) + b) with ReLU as one operation, for many folds on a CPU.

What the parts compute one after another, with a third of the memory traffic: forwards nothing but
the pooled values and the place of each maximum is kept, and backwards the gradient is spread from
there. Folds that share a batch enter one convolution, their filters side by side; otherwise one
fold follows the other. Images are taken a few at a time, so that what is touched stays in cache.
"""

from functools import partial, reduce

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import custom_vmap

from mer_jax.models.layers.side_by_side import all_batched, apart, cut, joined, parts, side_by_side

# In the place of a maximum where ReLU is 0, and no gradient passes.
NOWHERE = -1


def conv_pool_relu(x: jax.Array, kernel: jax.Array, bias: jax.Array, pool: int) -> jax.Array:
  """relu(max over windows of (x * kernel + bias)), padded to keep the size before pooling.

  Args:
    x: float [B, H, W, C].
    kernel: float [h, w, C, features], h and w odd.
    bias: float [features].
    pool: window and stride of the pooling; rows and columns left over are dropped.

  Returns:
    float [B, H // pool, W // pool, features]. Among equal values the first of a window counts.
  """
  return _operation(x, kernel, bias, pool)


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def _operation(x, kernel, bias, pool):
  return _forward(pool)(x, kernel, bias)[0]


def _operation_forward(x, kernel, bias, pool):
  out, place = _forward(pool)(x, kernel, bias)
  return out, (x, kernel, place)


def _operation_backward(pool, residuals, gradient):
  return _backward(pool)(*residuals, gradient)


_operation.defvjp(_operation_forward, _operation_backward)


def _forward(pool: int):
  """(x, kernel, bias) -> (pooled, place of the maximum, int8)."""
  of_fold = custom_vmap(partial(_forward_of_fold, pool=pool))

  @of_fold.def_vmap
  def over_folds(folds, batched, x, kernel, bias):
    if batched == [False, True, True]:
      out, place = of_fold(x, side_by_side(kernel), bias.reshape(-1))
      return (apart(out, folds), apart(place, folds)), (True, True)
    x, kernel, bias = all_batched(folds, batched, (x, kernel, bias))
    return lax.map(lambda fold: of_fold(*fold), (x, kernel, bias)), (True, True)

  return of_fold


def _backward(pool: int):
  """(x, kernel, place, gradient of pooled) -> gradients of x, kernel, bias."""
  of_fold = custom_vmap(partial(_backward_of_fold, pool=pool))

  @of_fold.def_vmap
  def over_folds(folds, batched, x, kernel, place, gradient):
    if batched == [False, True, True, True]:
      sides = [side_by_side(a) for a in (kernel, place, gradient)]
      _, of_kernel, of_bias = of_fold(x, *sides)
      # Dead code where x is no activation, and each fold's own where somebody asks.
      of_x = lax.map(lambda fold: of_fold(x, *fold)[0], (kernel, place, gradient))
      return (of_x, apart(of_kernel, folds), apart(of_bias, folds)), (True, True, True)
    arguments = all_batched(folds, batched, (x, kernel, place, gradient))
    return lax.map(lambda fold: of_fold(*fold), arguments), (True, True, True)

  return of_fold


def _forward_of_fold(x, kernel, bias, *, pool):
  def of_images(x):
    y = _convolve(x, kernel)
    h, w = y.shape[1] // pool, y.shape[2] // pool
    y = y[:, : h * pool, : w * pool].reshape(-1, h, pool, w, pool, y.shape[-1])
    places = [y[:, :, i, :, j] for i in range(pool) for j in range(pool)]
    highest = reduce(jnp.maximum, places)
    place = jnp.int8(len(places) - 1)
    for i in reversed(range(len(places) - 1)):
      place = jnp.where(places[i] == highest, jnp.int8(i), place)
    out = highest + bias
    return jnp.maximum(out, 0), jnp.where(out > 0, place, jnp.int8(NOWHERE))

  number = _parts(x, kernel)
  return tuple(joined(part) for part in lax.map(of_images, cut(x, number)))


def _backward_of_fold(x, kernel, place, gradient, *, pool):
  def of_images(sums, images):
    x, place, gradient = images
    of_y = _spread(gradient, place, x.shape, pool)
    passing = jnp.where(place == NOWHERE, 0, gradient)
    of_kernel, of_bias = sums
    of_kernel = of_kernel + _kernel_gradient(x, kernel.shape[:2], of_y)
    return (of_kernel, of_bias + passing.sum(axis=(0, 1, 2))), _convolve(of_y, turned)

  turned = jnp.flip(kernel, (0, 1)).swapaxes(-1, -2)
  number = _parts(x, kernel)
  zero = jnp.zeros_like(kernel), jnp.zeros(kernel.shape[-1], kernel.dtype)
  sums, of_x = lax.scan(of_images, zero, tuple(cut(a, number) for a in (x, place, gradient)))
  return joined(of_x), *sums


def _convolve(x, kernel):
  return lax.conv_general_dilated(
    x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
  )


def _spread(gradient, place, shape, pool):
  """The gradient before pooling, [B, H, W, features], of the one after it."""
  b, h, w, features = gradient.shape
  window = jnp.arange(pool * pool, dtype=jnp.int8).reshape(pool, 1, pool, 1)
  here = place[:, :, None, :, None] == window
  spread = jnp.where(here, gradient[:, :, None, :, None], 0)
  spread = spread.reshape(b, h * pool, w * pool, features)
  rest = ((0, shape[1] - h * pool), (0, shape[2] - w * pool))
  return jnp.pad(spread, ((0, 0), *rest, (0, 0)))


def _kernel_gradient(x, window, of_y):
  """One product of what every output looked at and the gradients of the outputs."""
  _, h, w, c = x.shape
  around = [(n // 2, n // 2) for n in window]
  x = jnp.pad(x, ((0, 0), *around, (0, 0)))
  looked_at = [x[:, i : i + h, j : j + w] for i in range(window[0]) for j in range(window[1])]
  patches = jnp.concatenate(looked_at, axis=-1).reshape(-1, len(looked_at) * c)
  product = lax.dot_general(patches, of_y.reshape(len(patches), -1), (((0,), (0,)), ((), ())))
  return product.reshape(*window, c, -1)


def _parts(x, kernel) -> int:
  return parts(len(x), x[0].size * kernel.shape[0] * kernel.shape[1] * x.dtype.itemsize)
