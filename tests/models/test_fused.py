"""Convolution, pooling and ReLU as one operation: what its parts compute, whatever is batched."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from batching import (
  arguments_of,
  close,
  normal,
  of_all_folds,
  of_each_fold,
  over,
  scalar,
  with_outputs,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

from mer_jax.models import layers
from mer_jax.models.layers import conv_pool, side_by_side

# A part of the images as small as it gets is one image.
TINY, DEFAULT = 1, side_by_side.PART_BYTES


def plain(x, kernel, bias, pool):
  y = lax.conv_general_dilated(
    x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
  )
  return jax.nn.relu(layers.max_pool(y, (pool, pool)) + bias)


@pytest.mark.parametrize(
  ("batch", "h", "w", "window", "pool", "part"),
  [
    (4, 8, 6, (3, 3), 2, DEFAULT),
    (4, 7, 5, (3, 3), 2, TINY),
    (1, 9, 9, (5, 5), 3, DEFAULT),
    (7, 8, 11, (1, 3), 3, 3000),
    (6, 5, 4, (1, 1), 2, 700),
    (5, 4, 3, (5, 1), 3, DEFAULT),
  ],
)
def test_conv_pool_relu_is_its_parts(monkeypatch, batch, h, w, window, pool, part):
  monkeypatch.setattr(side_by_side, "PART_BYTES", part)
  arguments = normal(batch, h, w, 3), normal(*window, 3, 4, seed=1), normal(4, seed=2)

  got, expected = (
    jax.jit(jax.value_and_grad(with_outputs(function, pool), (0, 1, 2), has_aux=True))(*arguments)
    for function in (conv_pool.conv_pool_relu, plain)
  )
  close(got, expected)


# Which of x, kernel and bias have an axis of folds, or an outer one of seeds.
PATTERNS = {
  "own_weights": [(False, True, True)],
  "own_weights_and_images": [(True, True, True)],
  "own_images": [(True, False, False)],
  "own_bias": [(False, False, True)],
  "seeds_of_folds": [(True, True, True), (False, True, True)],
  "seeds_share_images": [(False, True, True), (False, True, True)],
}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_conv_pool_relu_under_vmap(monkeypatch, pattern):
  monkeypatch.setattr(side_by_side, "PART_BYTES", TINY)
  batched = PATTERNS[pattern]
  arguments = arguments_of(batched, [(3, 5, 4, 2), (3, 3, 2, 4), (4,)])
  got, expected = (
    of_each_fold(scalar(function, 2), batched, arguments, (0, 1, 2))
    for function in (conv_pool.conv_pool_relu, plain)
  )
  close(got, expected)


@pytest.mark.parametrize("pattern", ["own_weights", "seeds_of_folds"])
def test_gradients_of_what_folds_share_are_summed_outside_vmap(pattern):
  batched = PATTERNS[pattern]
  arguments = arguments_of(batched, [(3, 5, 4, 2), (3, 3, 2, 4), (4,)])
  got, expected = (
    of_all_folds(scalar(function, 2), batched, arguments, (0, 1, 2))
    for function in (conv_pool.conv_pool_relu, plain)
  )
  assert got[0].shape == arguments[0].shape
  close(got, expected)


def test_training_in_a_loop_is_that_of_the_parts():
  x, *start = arguments_of(PATTERNS["own_weights"], [(3, 5, 4, 2), (3, 3, 2, 4), (4,)])

  def trained(function):
    of_folds = over(jax.grad(scalar(function, 2), (1, 2)), PATTERNS["own_weights"])

    def step(_, weights):
      return jax.tree.map(lambda w, g: w - 0.01 * g, weights, of_folds(x, *weights))

    return jax.jit(lambda *weights: lax.fori_loop(0, 3, step, weights))(*start)

  got = trained(conv_pool.conv_pool_relu)
  close(got, trained(plain))
  assert not np.allclose(got[0], start[0], atol=0.01)


def test_a_tie_passes_the_gradient_once():
  x, kernel = np.ones((2, 4, 4, 1), np.float32), np.full((1, 1, 1, 1), 2, np.float32)
  grad = jax.jit(jax.grad(lambda *a: conv_pool.conv_pool_relu(*a, 2).sum(), (0, 1, 2)))
  of_x, of_kernel, of_bias = grad(x, kernel, np.zeros(1, np.float32))
  first = np.zeros((2, 4, 4), np.float32)
  first[:, ::2, ::2] = 2
  np.testing.assert_array_equal(of_x[..., 0], first)
  assert (of_kernel.item(), of_bias.item()) == (8, 8)


def test_no_gradient_passes_where_relu_is_zero():
  x, kernel, bias = normal(2, 4, 4, 2), normal(3, 3, 2, 3), np.full(3, -1e3, np.float32)
  run = jax.jit(jax.value_and_grad(scalar(conv_pool.conv_pool_relu, 2), (0, 1, 2)))
  value, grads = run(x, kernel, bias)
  assert value == 0
  assert not any(np.any(leaf) for leaf in grads)


def test_a_fold_that_is_not_finite_changes_no_bit_of_the_others():
  batched = PATTERNS["own_weights"]
  x, kernel, bias = arguments_of(batched, [(3, 5, 4, 2), (3, 3, 2, 4), (4,)])
  run = jax.jit(over(jax.value_and_grad(scalar(conv_pool.conv_pool_relu, 2), (0, 1, 2)), batched))
  broken = kernel.copy()
  broken[1, 0, 0, 0, :] = np.nan
  before, after = run(x, kernel, bias), run(x, broken, bias)
  assert np.isnan(after[0][1])
  for a, b in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True):
    np.testing.assert_array_equal(a[::2], b[::2])


@pytest.mark.parametrize("size", [(6, 5), (1, 6), (4, 3, 5)])
def test_the_layer_takes_axes_too_short_to_pool_and_a_third_one(size):
  window = (3,) * len(size)
  x, params = normal(2, *size, 2), {"kernel": normal(*window, 2, 3, seed=1), "bias": np.ones(3)}
  outputs = []
  for implementation in ("fused", "grouped"):
    layer = layers.ConvPoolRelu(3, window, 2, implementation)
    outputs.append(jax.jit(partial(layer.apply, {"params": params}))(x))
  assert outputs[0].shape == (2, *(max(n // 2, 1) for n in size), 3)
  close(*outputs)


@settings(max_examples=200, deadline=None)
@given(images=st.integers(1, 300), bytes_of_image=st.integers(1, 2 * DEFAULT))
def test_parts_are_equal_and_as_few_as_the_cache_allows(images, bytes_of_image):
  number = side_by_side.parts(images, bytes_of_image)
  allowed = max(1, DEFAULT // bytes_of_image)
  assert images % number == 0
  assert images // number <= allowed
  assert all(images // n > allowed for n in range(1, number) if images % n == 0)


def test_apart_undoes_side_by_side_and_joined_undoes_cut():
  x = jnp.asarray(normal(3, 4, 2, 5))
  joined = side_by_side.side_by_side(x)
  assert joined.shape == (4, 2, 15)
  np.testing.assert_array_equal(joined[..., 5:10], x[1])
  np.testing.assert_array_equal(side_by_side.apart(joined, 3), x)
  np.testing.assert_array_equal(side_by_side.joined(side_by_side.cut(joined, 2)), joined)
