"""A matrix product of many folds with one large array that they share.

Left to itself the compiler joins the folds' weights into one wide matrix, which is copied for that
in every step, with its gradient. Large products are as fast one by one, and need no copies.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import custom_vmap


@jax.custom_vjp
def project(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """x @ kernel, float [rows, D] and [D, features], fold by fold under vmap."""
  return _product(x, kernel)


def _forward(x, kernel):
  return _product(x, kernel), (x, kernel)


def _backward(residuals, gradient):
  x, kernel = residuals
  return _product(gradient, kernel.T), _product(x.T, gradient)


project.defvjp(_forward, _backward)


@custom_vmap
def _product(a, b):
  return jnp.dot(a, b)


@_product.def_vmap
def _fold_by_fold(folds, batched, a, b):
  if all(batched):
    return lax.map(lambda fold: _product(*fold), (a, b)), True
  if batched[0]:
    return lax.map(lambda a: _product(a, b), a), True
  return lax.map(lambda b: _product(a, b), b), True
