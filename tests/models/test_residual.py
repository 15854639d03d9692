"""Micro-Attention and ATNet: sizes as published, and the layers beside a plain reading of them."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from mer_jax import models
from mer_jax.errors import ConfigError
from mer_jax.models.layers import residual
from mer_jax.models.multiply_adds import multiply_adds

CHANNELS = (64, 128, 256, 512)


def shapes_of(name, size=64, **options):
  """A model with the shapes of its variables and of its inputs, for one clip."""
  model = models.build(name, 3, options)
  inputs = {
    "image": jax.ShapeDtypeStruct((1, size, size, 1), jnp.float32),
    "motion": jax.ShapeDtypeStruct((1, 64, 128), jnp.float32),
  }
  init = partial(model.init, train=False)
  return model, jax.eval_shape(init, jax.random.key(0), inputs, jnp.ones(1)), inputs


def cost(name, size=64, **options):
  """Multiply-adds of one clip forwards."""
  model, variables, inputs = shapes_of(name, size, **options)
  return multiply_adds(partial(model.apply, train=False), variables, inputs, jnp.ones(1))


def test_multiply_adds_are_those_of_products_convolutions_and_loops():
  a, b = np.ones((5, 2, 3)), np.ones((5, 3, 4))
  assert multiply_adds(jnp.matmul, a, b) == 5 * 2 * 3 * 4
  x, kernel = np.ones((2, 9, 9, 4)), np.ones((3, 3, 2, 6))
  conv = partial(
    lax.conv_general_dilated,
    window_strides=(2, 2),
    padding="VALID",
    feature_group_count=2,
    dimension_numbers=("NHWC", "HWIO", "NHWC"),
  )
  assert multiply_adds(conv, x, kernel) == 2 * 4 * 4 * 6 * 3 * 3 * 2

  def loop(x):
    return lax.scan(lambda h, _: (jax.jit(jnp.dot)(h, x), None), x, length=7)[0]

  assert multiply_adds(loop, np.ones((3, 3))) == 7 * 27
  with pytest.raises(NotImplementedError):
    multiply_adds(
      lambda x: lax.while_loop(lambda h: h[0, 0] < 9, lambda h: h @ x, x), np.ones((3, 3))
    )


@pytest.mark.parametrize(
  ("name", "options", "millions"),
  [
    ("micro_attention", {}, 5.94),
    ("micro_attention", {"attention": False}, 4.90),
    ("atnet", {"stream": "spatial"}, 4.90),
    ("atnet", {"stream": "temporal"}, 3.41),
    ("atnet", {}, 8.31),
  ],
)
def test_parameters_are_those_published(name, options, millions):
  count = models.count_parameters(shapes_of(name, **options)[1]["params"])
  assert round(count / 1e6, 2) == millions


@pytest.mark.parametrize(
  ("options", "size", "millions"),
  [
    ({"stream": "spatial"}, 224, 810),
    ({"stream": "spatial"}, 112, 216),
    ({"stream": "spatial"}, 64, 66),
    ({"stream": "temporal"}, 64, 218),
    ({}, 224, 1028),
    ({}, 64, 284),
    # Without the first maximum everything behind it has four times the places.
    ({"stream": "spatial", "first_pool": False}, 64, 255),
  ],
)
def test_multiply_adds_of_atnet(options, size, millions):
  assert round(cost("atnet", size, **options) / 1e6) == millions


@pytest.mark.parametrize(("size", "millions"), [(224, 965), (112, 258), (64, 79)])
def test_multiply_adds_of_micro_attention(size, millions):
  """As published, where the masks are two convolutions; their product costs next to nothing."""
  plain = cost("micro_attention", size, attention=False)
  side, as_published = -(-size // 4), 0  # after the first convolution and maximum
  for features in CHANNELS:
    as_published += side * side * (3 * features * features + features)
    side = -(-side // 2)
  assert round((plain + as_published) / 1e6) == millions
  assert 0 < cost("micro_attention", size) - plain < 2.5e6


def drawn(shapes):
  """Random values in the place of shapes, positive for statistics."""
  rng = np.random.default_rng(0)

  def of_sign(lowest):
    return lambda x: rng.uniform(lowest, 0.5, x.shape).astype(np.float32)

  lowest = {"params": -0.5, "batch_stats": 0.1}
  return {name: jax.tree.map(of_sign(lowest[name]), tree) for name, tree in shapes.items()}


def conv(x, kernel, stride=1):
  pad = kernel.shape[0] // 2
  return lax.conv_general_dilated(
    x,
    kernel,
    (stride, stride),
    ((pad, pad),) * 2,
    dimension_numbers=("NHWC", "HWIO", "NHWC"),
  )


def by_hand(params, stats, image):
  """Two stages with their units, read off the layer table line by line."""

  def norm(x, name):
    p, s = params[name], stats[name]
    return (x - s["mean"]) / jnp.sqrt(s["var"] + 1e-5) * p["scale"] + p["bias"]

  def mask(parts, name):
    inner = conv(jnp.concatenate(parts, axis=-1), params[name]["inner"])
    return jax.nn.sigmoid(conv(inner, params[name]["outer"]))

  relu = jax.nn.relu
  x = conv(norm(image, "norm_of_data"), params["conv1"]["kernel"], 2) + params["conv1"]["bias"]
  x = relu(norm(x, "norm1"))
  x = lax.reduce_window(
    x, -jnp.inf, lax.max, (1, 3, 3, 1), (1, 2, 2, 1), ((0, 0), (0, 1), (0, 1), (0, 0))
  )
  h = relu(norm(conv(x, params["stage1_conv1"]["kernel"]), "stage1_inner_norm"))
  o = conv(h, params["stage1_conv2"]["kernel"])
  r = x + o
  r = r + mask([x, h, o], "stage1_attention") * r
  x = relu(norm(r, "stage2_norm"))
  h = relu(norm(conv(x, params["stage2_conv1"]["kernel"], 2), "stage2_inner_norm"))
  o = conv(h, params["stage2_conv2"]["kernel"])
  s = conv(x, params["stage2_shortcut"]["kernel"], 2)
  r = relu(norm(s + o, "last_norm"))
  return r + mask([s, h, o], "stage2_attention") * r


def test_the_backbone_is_the_layer_table():
  image = np.random.default_rng(1).uniform(0, 255, (2, 16, 16, 1)).astype(np.float32)
  net = residual.Res10(channels=(3, 4), attention=True)
  shapes = jax.eval_shape(partial(net.init, train=False), jax.random.key(0), image, jnp.ones(2))
  variables = drawn(shapes)
  got = jax.jit(partial(net.apply, train=False))(variables, image, jnp.ones(2))
  expected = jax.jit(by_hand)(variables["params"], variables["batch_stats"], image)
  assert got.shape == (2, 2, 2, 4)
  np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-3)


def test_the_first_layer_takes_any_range():
  """What the data are multiplied by and what is added to them is gone after it."""
  image = np.random.default_rng(0).uniform(0, 1, (4, 12, 12, 1)).astype(np.float32)
  net = residual.Res10(channels=(3,))
  variables = net.init(jax.random.key(0), image, jnp.ones(4), train=False)
  apply = jax.jit(partial(net.apply, train=True, mutable=["batch_stats"]))
  got, expected = (apply(variables, x, jnp.ones(4))[0] for x in (255 * image + 7, image))
  np.testing.assert_allclose(got, expected, rtol=1e-2, atol=1e-2)


def gradient(model, inputs):
  variables = model.init(jax.random.key(0), inputs, jnp.ones(3), train=False)

  def loss(params):
    logits, _ = model.apply(
      {**variables, "params": params},
      inputs,
      jnp.ones(3),
      train=True,
      rngs={"dropout": jax.random.key(1)},
      mutable=["batch_stats"],
    )
    assert logits.shape == (3, 3)
    return jnp.sum(jnp.square(logits))

  return jax.jit(jax.grad(loss))(variables["params"])


SMALL = {"channels": (3,), "lstm_features": 4}


@pytest.mark.parametrize(
  ("name", "options", "arrays"),
  [
    ("micro_attention", {"channels": (3,), "first_pool": False}, ["image"]),
    ("atnet", {**SMALL, "stream": "spatial"}, ["image"]),
    ("atnet", {**SMALL, "stream": "temporal"}, ["motion"]),
    ("atnet", SMALL, ["image", "motion"]),
  ],
)
def test_every_parameter_of_what_a_stream_reads_has_a_gradient(name, options, arrays):
  rng = np.random.default_rng(0)
  everything = {
    "image": rng.uniform(0, 255, (3, 12, 12, 1)).astype(np.float32),
    "motion": rng.normal(size=(3, 5, 6)).astype(np.float32),
  }
  model = models.build(name, 3, options)
  assert list((model.takes,) if isinstance(model.takes, str) else model.takes) == arrays
  gradients = gradient(model, {name: everything[name] for name in arrays})
  for path, leaf in jax.tree.leaves_with_path(gradients):
    assert np.all(np.isfinite(leaf)), path
    assert np.any(leaf), path


def test_a_clip_in_which_nothing_moves_keeps_the_slope_finite():
  model = models.build("atnet", 3, {**SMALL, "stream": "temporal"})
  gradients = gradient(model, {"motion": np.zeros((3, 5, 6), np.float32)})
  assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(gradients))


def test_wrong_options_say_what_is_right():
  with pytest.raises(ConfigError, match="Did you mean 'temporal'"):
    models.build("atnet", 3, {"stream": "temporel"}).takes  # noqa: B018
  with pytest.raises(ConfigError, match="channels must be a tuple of at least one"):
    models.build("micro_attention", 3, {"channels": ()})
  image = {"image": jnp.zeros((1, 3, 3, 1))}
  model = models.build("micro_attention", 3, {})
  with pytest.raises(ConfigError, match=r"at least 4 x 4 pixels; these are 3 x 3"):
    model.init(jax.random.key(0), image, jnp.ones(1), train=False)
