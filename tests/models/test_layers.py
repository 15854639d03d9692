"""Layers against their textbook forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

from mer_jax.models import layers

KEY = jax.random.key(0)


def normal(*shape, seed=0):
  return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(
  ("strides", "padding", "dilation"),
  [
    ((1, 1), "SAME", None),
    ((2, 2), "SAME", None),
    ((2, 3), "VALID", None),
    ((1, 1), "VALID", (2, 1)),
    ((1, 2), [(1, 1), (0, 2)], (1, 1)),
  ],
)
def test_conv_as_product_is_the_convolution_and_so_is_its_gradient(strides, padding, dilation):
  x, w = normal(2, 13, 12, 3), normal(3, 4, 3, 5, seed=1)

  def reference(x, w):
    return lax.conv_general_dilated(
      x, w, strides, padding, rhs_dilation=dilation, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )

  def ours(x, w):
    return layers.conv_as_product(x, w, strides, padding, rhs_dilation=dilation)

  np.testing.assert_allclose(ours(x, w), reference(x, w), rtol=1e-4, atol=1e-4)
  cotangent = normal(*reference(x, w).shape, seed=2)
  for got, expected in zip(
    jax.vjp(ours, x, w)[1](cotangent), jax.vjp(reference, x, w)[1](cotangent), strict=True
  ):
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-3)


def test_conv_as_product_in_three_dimensions():
  x, w = normal(2, 5, 6, 7, 2), normal(3, 3, 3, 2, 4, seed=1)
  expected = lax.conv_general_dilated(
    x, w, (1, 1, 1), "SAME", dimension_numbers=("NDHWC", "DHWIO", "NDHWC")
  )
  got = layers.conv_as_product(x, w, (1, 1, 1), "SAME")
  np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


def test_conv_as_product_refuses_groups():
  with pytest.raises(NotImplementedError):
    layers.conv_as_product(
      normal(1, 4, 4, 2), normal(3, 3, 1, 2), (1, 1), "SAME", feature_group_count=2
    )


@settings(max_examples=15, deadline=None)
@given(h=st.integers(3, 9), w=st.integers(3, 9), window=st.integers(2, 3), pad=st.integers(0, 1))
def test_max_pool_is_reduce_window(h, w, window, pad):
  x = normal(2, h, w, 3, seed=h * 10 + w)
  expected = lax.reduce_window(
    x,
    -jnp.inf,
    lax.max,
    (1, window, window, 1),
    (1, window, window, 1),
    ((0, 0), (pad, pad), (pad, pad), (0, 0)),
  )
  np.testing.assert_array_equal(layers.max_pool(x, (window, window), pad), expected)


def test_pooling_cuts_a_window_to_a_short_axis():
  x = normal(1, 1, 4, 2)
  np.testing.assert_array_equal(layers.max_pool(x, (2, 2)), x.reshape(1, 1, 2, 2, 2).max(3))
  np.testing.assert_allclose(layers.avg_pool(x, (2, 2)), x.reshape(1, 1, 2, 2, 2).mean(3))


def test_batch_norm_counts_only_what_has_weight():
  x, weights = normal(6, 4, 5, 3), np.float32([1, 0, 2, 0, 1, 1])
  norm = layers.BatchNorm()
  variables = norm.init(KEY, x, weights, train=False)
  y, changed = norm.apply(variables, x, weights, train=True, mutable=["batch_stats"])
  counted = x[weights > 0]
  mean, var = counted.mean((0, 1, 2)), counted.var((0, 1, 2))
  np.testing.assert_allclose(y, (x - mean) / np.sqrt(var + 1e-3), rtol=1e-3, atol=1e-4)
  np.testing.assert_allclose(changed["batch_stats"]["mean"], 0.01 * mean, rtol=1e-3, atol=1e-6)


def test_batch_norm_of_nothing_changes_nothing():
  x = normal(3, 4)
  norm = layers.BatchNorm()
  variables = norm.init(KEY, x, np.ones(3, np.float32), train=False)
  y, changed = norm.apply(
    variables, x, np.zeros(3, np.float32), train=True, mutable=["batch_stats"]
  )
  assert np.all(np.isfinite(y))
  jax.tree.map(np.testing.assert_array_equal, changed["batch_stats"], variables["batch_stats"])


def lstm_by_hand(params, x, mask):
  """One sequence at a time, one gate at a time."""
  hidden = params["recurrent"].shape[0]

  def sigmoid(z):
    return 1 / (1 + np.exp(-z))

  out = []
  for sequence, steps in zip(x, mask, strict=True):
    h = c = np.zeros(hidden)
    for frame, valid in zip(sequence, steps, strict=True):
      gates = frame @ params["kernel"] + h @ params["recurrent"] + params["bias"]
      i, f, g, o = np.split(gates, 4)
      if valid:
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
    out.append(h)
  return np.stack(out)


@pytest.mark.parametrize("masked", [False, True])
def test_lstm_is_the_equations(masked):
  x = normal(3, 5, 4)
  mask = np.arange(5)[None] < np.array([5, 3, 1])[:, None]
  lstm = layers.LSTM(6)
  params = jax.device_get(lstm.init(KEY, x)["params"])
  got = lstm.apply({"params": params}, x, mask if masked else None)
  expected = lstm_by_hand(params, x, mask if masked else np.ones_like(mask))
  np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_lstm_starts_with_an_open_forget_gate():
  params = layers.LSTM(3).init(KEY, normal(1, 2, 2))["params"]
  np.testing.assert_array_equal(params["bias"], np.repeat([0, 1, 0, 0], 3))
  square = params["recurrent"] @ params["recurrent"].T
  np.testing.assert_allclose(square, np.eye(3), atol=1e-5)
