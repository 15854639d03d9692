"""Systems of the paper's Table 1: sizes as specified, forms, fused layers, what does not fit."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mer_jax import models
from mer_jax.errors import ConfigError
from mer_jax.models import larnet
from mer_jax.models.layers import MultiLayerFusion
from mer_jax.models.multiply_adds import multiply_adds

FLOW_AS_FRAMES = {"frames": (1, 48, 48, 3), "mask": (1,)}
SUM, CONCAT = ({"branch": "cnn", "layer_fusion": fusion} for fusion in ("sum", "concat"))
STREAMS = {"apex": (48, 48, 1), "image": (48, 48, 3), "frames": (16, 48, 48, 1), "ratios": (2,)}


def of_clip(name, shapes, **options):
  """A model with the shapes of its variables and of its inputs, for one clip."""
  model = models.build(name, 3, options)
  inputs = {key: jax.ShapeDtypeStruct((1, *shape), jnp.float32) for key, shape in shapes.items()}
  init = partial(model.init, train=False)
  return model, jax.eval_shape(init, jax.random.key(0), inputs, jnp.ones(1)), inputs


@pytest.mark.parametrize(
  ("name", "shapes", "options", "parameters", "millions"),
  [
    # Estimates of the specification: 1 M and 65; .3 M and 125 (with what it lists, .13 M).
    ("larnet", {"image": (64, 64, 1)}, {}, 801_907, 66.9),
    ("tsnn", STREAMS, {"form": "IF"}, 129_219, 123.4),
    ("tsnn", STREAMS, {"form": "LF"}, 117_135, 123.4),
    # Fusion adds less than 5 M multiply-adds; parameters fall, for a mean over places follows it.
    ("parallel_cnn_lstm", FLOW_AS_FRAMES, {"branch": "cnn"}, 691_651, 23.8),
    ("parallel_cnn_lstm", FLOW_AS_FRAMES, SUM, 124_547, 24.0),
    ("parallel_cnn_lstm", FLOW_AS_FRAMES, CONCAT, 140_931, 24.0),
    ("sssnet", {"image": (64, 64, 3)}, {"layer_fusion": "sum"}, 44_803, 15.0),
    ("sssnet", {"image": (64, 64, 3)}, {"layer_fusion": "concat"}, 61_187, 15.0),
  ],
)
def test_sizes_are_those_specified(name, shapes, options, parameters, millions):
  model, variables, inputs = of_clip(name, shapes, **options)
  assert models.count_parameters(variables["params"]) == parameters
  cost = multiply_adds(partial(model.apply, train=False), variables, inputs, jnp.ones(1))
  assert round(cost / 1e6, 1) == millions


def small_tsnn(**options):
  """A tsnn with parameters, on two clips of noise."""
  model = models.build("tsnn", 3, {"channels": (2,), "features": 4, **options})
  rng = np.random.default_rng(0)
  shapes = {"apex": (8, 8, 1), "image": (8, 8, 3), "frames": (4, 8, 8, 1), "ratios": (2,)}
  inputs = {name: rng.random((2, *shape), np.float32) for name, shape in shapes.items()}
  variables = model.init(jax.random.key(0), inputs, jnp.ones(2), train=False)
  return model, variables, inputs


def test_late_fusion_averages_the_probabilities_of_the_streams():
  model, variables, inputs = small_tsnn(form="LF")
  apply = partial(model.apply, variables, weights=jnp.ones(2), train=False)
  got = np.exp(apply(inputs))
  np.testing.assert_allclose(got.sum(axis=-1), 1, rtol=1e-5)
  each = [
    jax.nn.softmax(
      models.build("tsnn", 3, {"channels": (2,), "form": "LF", "streams": (stream,)}).apply(
        variables, inputs, jnp.ones(2), train=False
      )
    )
    for stream in ("apex", "flow", "frames")
  ]
  np.testing.assert_allclose(got, np.mean(each, axis=0), rtol=1e-4)


@pytest.mark.parametrize("form", ["IF", "LF"])
def test_every_array_counts(form):
  model, variables, inputs = small_tsnn(form=form)
  apply = partial(model.apply, variables, weights=jnp.ones(2), train=False)
  before = apply(inputs)
  for name in model.takes:
    assert not np.array_equal(before, apply(inputs | {name: inputs[name] + 1})), name


def test_shrinking_loses_nothing():
  x = np.random.default_rng(0).random((2, 4, 6, 3), np.float32)
  got = np.asarray(larnet._space_to_depth(jnp.asarray(x)))
  assert got.shape == (2, 2, 3, 12)
  np.testing.assert_array_equal(got[:, 1, 2].reshape(2, 2, 2, 3), x[:, 2:4, 4:6])


def test_layers_are_brought_to_one_size_and_added_or_put_side_by_side():
  rng = np.random.default_rng(0)
  maps = [rng.random((2, n, n, c), np.float32) for n, c in ((8, 3), (4, 5), (2, 2))]
  fused = MultiLayerFusion("sum", grid=4, features=6)
  variables = fused.init(jax.random.key(0), maps)
  kernels = [variables["params"][f"layer{i}"]["kernel"][0, 0] for i in (1, 2, 3)]
  halves = maps[0].reshape(2, 4, 2, 4, 2, 3).mean(axis=(2, 4))
  alike = [
    x @ k
    for x, k in zip([halves, maps[1], maps[2].repeat(2, 1).repeat(2, 2)], kernels, strict=True)
  ]
  expected = np.maximum(sum(alike), 0).mean(axis=(1, 2))
  np.testing.assert_allclose(fused.apply(variables, maps), expected, rtol=1e-5, atol=1e-6)
  beside = MultiLayerFusion("concat", grid=4, features=6).apply(variables, maps)
  expected = np.maximum(np.concatenate(alike, axis=-1), 0).mean(axis=(1, 2))
  np.testing.assert_allclose(beside, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
  ("name", "shapes", "options", "message"),
  [
    ("larnet", {"image": (40, 48, 1)}, {}, "multiples of 16; these are 48 x 40"),
    (
      "larnet",
      {"image": (48, 48, 1)},
      {"channels": ()},
      "channels must be a tuple of at least one",
    ),
    ("tsnn", STREAMS, {"form": "EF"}, "'EF'.*Known: IF, LF"),
    ("tsnn", STREAMS, {"streams": ("apexes",)}, "'apexes'.*apex"),
    ("tsnn", STREAMS, {"streams": ()}, "streams must be a tuple of at least one"),
    ("sssnet", {"image": (64, 64, 3)}, {"layer_fusion": "mean"}, "'mean'.*concat"),
    ("parallel_cnn_lstm", FLOW_AS_FRAMES, {"layer_fusion": "add"}, "'add'.*concat"),
    (
      "parallel_cnn_lstm",
      FLOW_AS_FRAMES,
      {"layer_fusion": "sum", "cnn_branch": "conv3d"},
      "conv3d",
    ),
  ],
)
def test_what_does_not_fit_says_so(name, shapes, options, message):
  with pytest.raises(ConfigError, match=message):
    of_clip(name, shapes, **options)
