"""Layers against their textbook forms."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

from mer_jax.models import layers
from mer_jax.models.layers import convolution

KEY = jax.random.key(0)


def normal(*shape, seed=0):
  return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def channels_last(ndim):
  last = (0, ndim - 1, *range(1, ndim - 1))
  return lax.ConvDimensionNumbers(last, (ndim - 1, ndim - 2, *range(ndim - 2)), last)


@pytest.mark.parametrize("implementation", ["fused", "product", "grouped"])
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
def test_convolve_is_the_convolution_and_so_is_its_gradient(
  implementation, strides, padding, dilation
):
  x, w = normal(2, 13, 12, 3), normal(3, 4, 3, 5, seed=1)

  def reference(x, w):
    return lax.conv_general_dilated(
      x, w, strides, padding, rhs_dilation=dilation, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )

  def ours(x, w):
    return convolution.convolve(
      x,
      w,
      strides,
      padding,
      rhs_dilation=dilation,
      dimension_numbers=channels_last(4),
      implementation=implementation,
    )

  def run(function):
    def both(x, w):
      out, pullback = jax.vjp(function, x, w)
      return out, *pullback(jnp.asarray(normal(*out.shape, seed=2)))

    return jax.jit(both)(x, w)

  for got, expected in zip(run(ours), run(reference), strict=True):
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("implementation", ["fused", "product", "grouped"])
def test_convolve_in_three_dimensions(implementation):
  x, w = normal(2, 5, 6, 7, 2), normal(3, 3, 3, 2, 4, seed=1)
  expected = lax.conv_general_dilated(
    x, w, (1, 1, 1), "SAME", dimension_numbers=("NDHWC", "DHWIO", "NDHWC")
  )
  convolve = partial(
    convolution.convolve,
    window_strides=(1, 1, 1),
    padding="SAME",
    dimension_numbers=channels_last(5),
    implementation=implementation,
  )
  got = jax.jit(convolve)(x, w)
  np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("implementation", ["fused", "product"])
@pytest.mark.parametrize(("size", "stride"), [(5, 1), (7, 2), (7, 3)])
def test_large_windows_are_the_convolution_too(size, stride, implementation):
  x, w = normal(2, 15, 12, 2), normal(size, size, 2, 3, seed=1)
  args = (stride, stride), [(size // 2, size // 2)] * 2

  def outputs(function, **numbers):
    out, pullback = jax.vjp(lambda x, w: function(x, w, *args, **numbers), x, w)
    return out, *pullback(jnp.cos(out))

  expected = outputs(lax.conv_general_dilated, dimension_numbers=("NHWC", "HWIO", "NHWC"))
  convolve = partial(convolution.convolve, implementation=implementation)
  got = outputs(convolve, dimension_numbers=channels_last(4))
  for a, b in zip(got, expected, strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("refused", [{"feature_group_count": 2}, {"lhs_dilation": (1, 2)}])
def test_convolve_refuses_groups_and_transposition(refused):
  with pytest.raises(NotImplementedError):
    convolution.convolve(normal(1, 4, 4, 2), normal(3, 3, 1, 2), (1, 1), "SAME", **refused)


def test_auto_is_fused_on_a_cpu_and_product_elsewhere(monkeypatch):
  for backend, expected in (("cpu", "fused"), ("gpu", "product"), ("tpu", "product")):
    monkeypatch.setattr(jax, "default_backend", lambda backend=backend: backend)
    assert convolution.resolve("auto") == expected
    assert convolution.resolve("grouped") == "grouped"


@settings(max_examples=10, deadline=None)
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
  pooled = jax.jit(lambda x: layers.max_pool(x, (window, window), pad))(x)
  np.testing.assert_array_equal(pooled, expected)


def test_pooling_cuts_a_window_to_a_short_axis():
  x = normal(1, 1, 4, 2)
  np.testing.assert_array_equal(layers.max_pool(x, (2, 2)), x.reshape(1, 1, 2, 2, 2).max(3))
  np.testing.assert_allclose(layers.avg_pool(x, (2, 2)), x.reshape(1, 1, 2, 2, 2).mean(3))


@settings(max_examples=12, deadline=None)
@given(h=st.integers(3, 9), w=st.integers(3, 9), window=st.integers(2, 3), stride=st.integers(1, 2))
def test_overlapping_max_pool_is_caffes(h, w, window, stride):
  """Windows begin at multiples of the stride; the last one is the first to reach the end."""
  x = normal(2, h, w, 3, seed=h * 10 + w)
  starts = [[*range(0, n - window + stride, stride)] for n in (h, w)]
  expected = np.stack(
    [
      np.stack([x[:, i : i + window, j : j + window].max((1, 2)) for j in starts[1]], axis=1)
      for i in starts[0]
    ],
    axis=1,
  )
  pooled = jax.jit(lambda x: layers.max_pool_overlapping(x, window, stride))(x)
  np.testing.assert_array_equal(pooled, expected)


def test_overlapping_max_pool_sends_each_gradient_to_the_places_of_its_maxima():
  x = np.zeros((1, 5, 5, 1), np.float32)
  x[0, 2, 2] = 1  # in all four windows
  x[0, 0, 4] = 2  # in one of them, where it is larger
  of_x = jax.grad(lambda x: layers.max_pool_overlapping(x, 3, 2).sum())(x)
  expected = np.zeros_like(x)
  expected[0, 2, 2], expected[0, 0, 4] = 3, 1
  np.testing.assert_array_equal(of_x, expected)


def test_overlapping_max_pool_refuses_what_holds_no_window():
  with pytest.raises(ValueError, match="too short"):
    layers.max_pool_overlapping(normal(1, 1, 5, 1), 3, 2)


def test_l2_normalise_gives_length_one_and_a_bounded_slope_at_zero():
  x = 5 * normal(4, 6)
  y = np.asarray(layers.l2_normalise(x))
  np.testing.assert_allclose(np.linalg.norm(y, axis=-1), 1, rtol=1e-4)
  np.testing.assert_allclose(y * np.linalg.norm(x, axis=-1, keepdims=True), x, rtol=1e-4)
  slope = jax.grad(lambda x: layers.l2_normalise(x)[0])(jnp.zeros(6))
  np.testing.assert_allclose(slope, [100, 0, 0, 0, 0, 0], rtol=1e-5)


def test_batch_norm_without_bias_averages_what_it_has_seen():
  norm, ones = layers.BatchNorm(3, momentum=0.9, debias=True), np.ones(5, np.float32)
  batches = [3 * normal(5, 4, 3, seed=seed) + seed for seed in range(3)]
  variables = norm.init(KEY, batches[0], ones, train=False)
  for x in batches:
    for weights in (0 * ones, ones):  # a batch without an example that counts is none
      _, changed = norm.apply(variables, x, weights, train=True, mutable=["batch_stats"])
      variables = {**variables, **changed}
  shares = np.array([0.81, 0.9, 1]) / 2.71
  stats = variables["batch_stats"]
  for name, moment in (("mean", np.mean), ("var", np.var)):
    expected = shares @ np.stack([moment(x, axis=(0, 1)) for x in batches])
    np.testing.assert_allclose(stats[name], expected, rtol=1e-5)


def test_batch_norm_counts_only_what_has_weight():
  x, weights = normal(6, 4, 5, 3), np.float32([1, 0, 2, 0, 1, 1])
  norm = layers.BatchNorm(3)
  variables = norm.init(KEY, x, weights, train=False)
  y, changed = norm.apply(variables, x, weights, train=True, mutable=["batch_stats"])
  counted = x[weights > 0]
  mean, var = counted.mean((0, 1, 2)), counted.var((0, 1, 2))
  np.testing.assert_allclose(y, (x - mean) / np.sqrt(var + 1e-3), rtol=1e-3, atol=1e-4)
  np.testing.assert_allclose(changed["batch_stats"]["mean"], 0.01 * mean, rtol=1e-3, atol=1e-6)


def test_batch_norm_of_nothing_changes_nothing():
  x = normal(3, 4)
  norm = layers.BatchNorm(4)
  variables = norm.init(KEY, x, np.ones(3, np.float32), train=False)
  y, changed = norm.apply(
    variables, x, np.zeros(3, np.float32), train=True, mutable=["batch_stats"]
  )
  assert np.all(np.isfinite(y))
  jax.tree.map(np.testing.assert_array_equal, changed["batch_stats"], variables["batch_stats"])


def dropped(rate, x, seed=0):
  """What a Dropout of `rate`, a number of Python or traced, makes of x in training."""
  return layers.Dropout(rate).apply({}, x, train=True, rngs={"dropout": jax.random.key(seed)})


def test_largest_is_the_max_and_its_gradient_goes_to_one_place():
  x = jax.random.normal(jax.random.key(0), (2, 5, 3)).at[0, 1:4, 0].set(7.0)
  np.testing.assert_array_equal(layers.largest(x, 1), x.max(axis=1))
  gradient = np.asarray(jax.grad(lambda x: layers.largest(x, 1).sum())(x))
  np.testing.assert_array_equal(gradient.sum(axis=1), np.ones((2, 3)))
  np.testing.assert_array_equal(gradient.argmax(axis=1), np.argmax(x, axis=1))
  assert set(gradient.ravel()) == {0.0, 1.0}


@pytest.mark.parametrize("rate", [0.05, 0.3, 0.5, 0.9])
def test_dropout_keeps_the_mean_and_drops_its_share(rate):
  x = np.ones((400, 500), np.float32)
  y = np.asarray(jax.jit(dropped, static_argnums=0)(rate, x))
  scaled = y[y != 0]
  np.testing.assert_allclose(scaled, 1 / (1 - rate), rtol=1e-6)
  deviation = np.sqrt(rate * (1 - rate) / x.size)
  assert abs(np.mean(y == 0) - rate) < 5 * deviation
  assert abs(y.mean() - 1) < 5 * deviation / (1 - rate)
  # No row, column or neighbour knows of another: shares of single rows spread as chance has it.
  spread = np.std(np.mean(y == 0, axis=1)) / np.sqrt(rate * (1 - rate) / 500)
  assert 0.8 < spread < 1.2


def test_dropout_of_a_traced_rate_is_that_of_the_number():
  rates, x = (0.0, 0.25, 0.3, 0.9), normal(50, 40)
  traced = jax.jit(jax.vmap(dropped, (0, None)))(np.float32(rates), x)
  for rate, y in zip(rates, traced, strict=True):
    np.testing.assert_allclose(y, jax.jit(dropped, static_argnums=0)(rate, x), rtol=1e-5)
  np.testing.assert_array_equal(traced[0], x)


def test_dropout_draws_anew_with_another_key_and_passes_out_of_training():
  x = normal(20, 30)
  assert np.any((dropped(0.5, x, 0) == 0) != (dropped(0.5, x, 1) == 0))
  np.testing.assert_array_equal(layers.Dropout(0.5).apply({}, x, train=False), x)


def test_the_gradient_of_dropout_is_what_was_kept():
  x = normal(20, 30)
  y, of_x = dropped(0.5, x), jax.grad(lambda x: dropped(0.5, x).sum())(x)
  np.testing.assert_array_equal(of_x, np.where(y == 0, 0, 2))


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
def test_the_states_of_an_lstm_are_the_last_ones_of_shorter_sequences(masked):
  x = normal(3, 5, 4)
  mask = np.arange(5)[None] < np.array([5, 3, 1])[:, None] if masked else None
  lstm = layers.LSTM(6, sequences=True)
  variables = lstm.init(KEY, x)
  states = lstm.apply(variables, x, mask)
  assert states.shape == (3, 5, 6)
  for t in range(5):
    until = None if mask is None else mask[:, : t + 1]
    last = layers.LSTM(6).apply(variables, x[:, : t + 1], until)
    np.testing.assert_allclose(states[:, t], last, rtol=1e-5, atol=1e-6)


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
