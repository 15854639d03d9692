"""Convolution, ReLU, normalisation and pooling as one operation, beside its parts one by one."""

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
  weighed,
  with_outputs,
)
from jax import lax

from mer_jax.models import layers
from mer_jax.models.layers import side_by_side
from mer_jax.models.layers.conv_moments_pool import conv_moments_pool

TINY, DEFAULT = 1, side_by_side.PART_BYTES
# Squares of sums over all places: the numbers are in the thousands.
LOOSE = {"rtol": 1e-3, "atol": 0.02}


def relu_of_convolution(x, kernel, bias):
  y = lax.conv_general_dilated(
    x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
  )
  return jax.nn.relu(y + bias)


def plain(x, kernel, bias, sign, counts, pool, padding):
  y = relu_of_convolution(x, kernel, bias)
  pooled = layers.max_pool(y * sign, (pool, pool), padding) * sign
  return pooled, jnp.einsum("b,bhwc->c", counts, y), jnp.einsum("b,bhwc->c", counts, y * y)


def arguments(batched, batch=3, h=5, w=4, window=(3, 3)):
  """x, kernel, bias, sign and counts; some signs are negative and some images do not count."""
  shapes = [(batch, h, w, 2), (*window, 2, 4), (4,), (4,), (batch,)]
  x, kernel, bias, sign, counts = arguments_of(batched, shapes)
  return x, kernel, bias, np.sign(sign), np.float32(counts > -0.3)


def test_the_arguments_are_worth_testing_with():
  _, _, _, sign, counts = arguments([])
  assert {*sign} == {-1, 1}
  assert {*counts} == {0, 1}


@pytest.mark.parametrize(
  ("batch", "h", "w", "window", "pool", "padding", "part"),
  [
    (4, 10, 10, (3, 3), 3, 1, DEFAULT),  # (10 + 2) / 3 is whole
    (4, 9, 11, (3, 3), 3, 1, TINY),  # a rest of 2 and of 1
    (7, 6, 5, (5, 1), 2, 0, 700),
    (1, 5, 4, (1, 1), 3, 2, DEFAULT),
    (6, 4, 8, (1, 3), 2, 1, 2000),
  ],
)
def test_conv_moments_pool_is_its_parts(monkeypatch, batch, h, w, window, pool, padding, part):
  monkeypatch.setattr(side_by_side, "PART_BYTES", part)

  got, expected = (
    jax.jit(jax.value_and_grad(with_outputs(function, pool, padding), (0, 1, 2), has_aux=True))(
      *arguments([], batch, h, w, window)
    )
    for function in (conv_moments_pool, plain)
  )
  close(got, expected, **LOOSE)


# Which of x, kernel, bias, sign and counts have an axis of folds, or an outer one of seeds.
PATTERNS = {
  "own_weights": [(False, True, True, True, True)],
  "everything_own": [(True, True, True, True, True)],
  "own_images": [(True, False, False, False, False)],
  "own_counts": [(False, False, False, False, True)],
  "seeds_of_folds": [(True, True, True, True, True), (False, True, True, True, True)],
  "seeds_share_images": [(False, True, True, True, False), (False, True, True, True, True)],
}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_conv_moments_pool_under_vmap(monkeypatch, pattern):
  monkeypatch.setattr(side_by_side, "PART_BYTES", TINY)
  batched = PATTERNS[pattern]
  got, expected = (
    of_each_fold(scalar(function, 2, 1), batched, arguments(batched), (0, 1, 2))
    for function in (conv_moments_pool, plain)
  )
  close(got, expected, **LOOSE)


def test_gradients_of_what_folds_share_are_summed_outside_vmap():
  batched = PATTERNS["own_weights"]
  got, expected = (
    of_all_folds(scalar(function, 2, 1), batched, arguments(batched), (0, 1, 2))
    for function in (conv_moments_pool, plain)
  )
  assert got[0].shape == (3, 5, 4, 2)
  close(got, expected, **LOOSE)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_tie_passes_the_gradient_once(sign):
  x, kernel = np.ones((2, 4, 4, 1), np.float32), np.full((1, 1, 1, 1), 2, np.float32)
  ones = np.ones(2, np.float32)

  def loss(x, kernel, bias):
    return conv_moments_pool(x, kernel, bias, sign * ones[:1], ones, 2, 0)[0].sum()

  of_x, of_kernel, of_bias = jax.jit(jax.grad(loss, (0, 1, 2)))(x, kernel, 0 * ones[:1])
  first = np.zeros((2, 4, 4), np.float32)
  first[:, ::2, ::2] = 2
  np.testing.assert_array_equal(of_x[..., 0], first)
  assert (of_kernel.item(), of_bias.item()) == (8, 8)


def test_an_image_that_does_not_count_changes_no_bit_of_the_gradients():
  """Fold 0 may not learn from image 1, fold 1 may."""
  x, kernel, bias, sign, _ = arguments([])
  weights = np.float32([[1, 0, 2], [1, 1, 1]])

  @jax.jit
  def of_folds(x):
    def loss(kernel, bias, weights):
      counts = jnp.float32(weights > 0)
      pooled, first, second = conv_moments_pool(x, kernel, bias, sign, counts, 3, 1)
      return jnp.einsum("b,bhwc->", weights, pooled**2) + jnp.sum(first * second)

    return jax.vmap(jax.grad(loss, (0, 1)), (None, None, 0))(kernel, bias, weights)

  noisy = x.copy()
  noisy[1] += 10 * normal(*x.shape[1:], seed=7)
  for before, after in zip(of_folds(x), of_folds(noisy), strict=True):
    np.testing.assert_array_equal(before[0], after[0])
    assert not np.allclose(before[1], after[1])


def test_a_fold_that_is_not_finite_changes_no_bit_of_the_others():
  batched = PATTERNS["own_weights"]
  x, kernel, *rest = arguments(batched)
  run = jax.jit(over(jax.value_and_grad(scalar(conv_moments_pool, 2, 1), (0, 1, 2)), batched))
  broken = kernel.copy()
  broken[1, 0, 0, 0, :] = np.nan
  before, after = run(x, kernel, *rest), run(x, broken, *rest)
  assert np.isnan(after[0][1])
  for a, b in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True):
    np.testing.assert_array_equal(a[::2], b[::2])


def layer_by_hand(params, stats, x, weights, pool, padding):
  """Values and running statistics of a ConvReluNormPool by the equations of its parts."""
  y = relu_of_convolution(x, params["kernel"], params["bias"])
  counts = jnp.float32(weights > 0)
  total = jnp.maximum(counts.sum(), 1) * y.shape[1] * y.shape[2]
  mean = jnp.einsum("b,bhwc->c", counts, y) / total
  var = jnp.einsum("b,bhwc->c", counts, (y - mean) ** 2) / total
  norm = params["norm"]
  y = (y - mean) / jnp.sqrt(var + 1e-3) * norm["scale"] + norm["bias"]
  keep = jnp.where(counts.any(), 0.9, 1)
  stats = {
    "mean": keep * stats["mean"] + (1 - keep) * mean,
    "var": keep * stats["var"] + (1 - keep) * var,
  }
  return layers.max_pool(y, (pool, pool), padding), stats


def layer_arguments(batched):
  """As in training: scales of both signs, clips without weight; fold 1 learns from nothing."""
  shapes = [(3, 3, 2, 4), (4,), (4,), (4,), (4,), (4,), (4, 7, 8, 2), (4,)]
  kernel, bias, scale, shift, mean, var, x, weights = arguments_of(
    [[axes[0]] * 6 + [axes[1], axes[2]] for axes in batched], shapes
  )
  assert np.any(scale < 0)
  assert np.any(scale > 0)
  weights = np.float32(weights > 0) * 2
  if batched:
    weights[..., 1, :] = 0
  params = {"kernel": kernel, "bias": bias, "norm": {"scale": scale, "bias": shift}}
  return params, {"mean": mean, "var": var**2}, x, weights


@pytest.mark.parametrize(
  ("implementation", "batched"),
  [
    ("fused", []),
    ("fused", [(True, False, True)]),
    ("fused", [(True, True, True), (True, False, True)]),
    ("product", [(True, False, True)]),
  ],
)
def test_the_layer_is_convolution_relu_normalisation_and_pooling(implementation, batched):
  """`batched`: whether folds have weights, images and weights of clips of their own."""
  layer = layers.ConvReluNormPool(
    4, (3, 3), pool=2, padding=1, momentum=0.9, implementation=implementation
  )

  def ours(params, stats, x, weights):
    variables = {"params": params, "batch_stats": {"norm": stats}}
    out, changed = layer.apply(variables, x, weights, train=True, mutable=["batch_stats"])
    return out, changed["batch_stats"]["norm"]

  def by_hand(params, stats, x, weights):
    return layer_by_hand(params, stats, x, weights, 2, 1)

  def run(function):
    def loss(*arguments):
      outputs = function(*arguments)
      return weighed(outputs[0]), outputs

    axes = [(own, own, images, weights) for own, images, weights in batched]
    return jax.jit(over(jax.value_and_grad(loss, has_aux=True), axes))(*layer_arguments(batched))

  got, expected = run(ours), run(by_hand)
  close(got, expected, rtol=1e-3, atol=5e-3)
  assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(got))


@pytest.mark.parametrize("implementation", ["fused", "product", "grouped"])
def test_without_an_example_that_counts_the_statistics_stay(implementation):
  layer = layers.ConvReluNormPool(3, (3, 3), pool=2, implementation=implementation)
  x = normal(2, 4, 4, 2)
  params = {
    "kernel": normal(3, 3, 2, 3, seed=1),
    "bias": np.zeros(3),
    "norm": {"scale": np.ones(3), "bias": np.zeros(3)},
  }
  stats = {"norm": {"mean": normal(3), "var": normal(3) ** 2}}
  variables = {"params": params, "batch_stats": stats}

  @jax.jit
  def run(weights):
    return layer.apply(variables, x, weights, train=True, mutable=["batch_stats"])

  out, changed = run(np.zeros(2, np.float32))
  assert np.all(np.isfinite(out))
  jax.tree.map(np.testing.assert_array_equal, changed["batch_stats"], variables["batch_stats"])


def test_the_layer_out_of_training_uses_the_running_statistics():
  layer = layers.ConvReluNormPool(4, (3, 3), pool=2)
  params, stats, x, weights = layer_arguments([])
  variables = {"params": params, "batch_stats": {"norm": stats}}
  run = jax.jit(lambda weights: layer.apply(variables, x, weights, train=False))
  got = run(weights)
  y = relu_of_convolution(x, params["kernel"], params["bias"])
  y = (y - stats["mean"]) / np.sqrt(stats["var"] + 1e-3) * params["norm"]["scale"]
  close(got, layers.max_pool(y + params["norm"]["bias"], (2, 2)))
  np.testing.assert_array_equal(got, run(0 * weights))
