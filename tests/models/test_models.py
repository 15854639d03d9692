"""Models: sizes as specified, every switch runs, and wrong names say what is right."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mer_jax import models
from mer_jax.errors import ConfigError
from mer_jax.models import parallel_cnn_lstm as parallel


def inputs_of(frames):
  return {"frames": frames, "mask": jnp.ones(frames.shape[:2], bool)}


def parameters(name, inputs, **options):
  model = models.build(name, 3, options)
  weights = jnp.ones(len(jax.tree.leaves(inputs)[0]))
  shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), inputs, weights, train=False))
  return models.count_parameters(shapes["params"])


@pytest.mark.parametrize(
  ("options", "millions"),
  [
    ({}, 1.96),
    ({"cnn_branch": "td_mean"}, 1.94),
    ({"cnn_branch": "td_gap"}, 1.37),
    ({"cnn_branch": "conv3d"}, 3.10),
    ({"branch": "sequential"}, 0.82),
  ],
)
def test_sizes_at_the_papers_input(options, millions):
  inputs = inputs_of(jnp.zeros((2, 48, 48, 48, 1)))
  count = parameters("parallel_cnn_lstm", inputs, **options)
  assert round(count / 1e6, 2) == pytest.approx(millions, abs=0.006)


def test_size_of_ststnet():
  # 3 * 3 * 3 * 16 + 16, twice 16 for the normalisation, 5 * 5 * 16 * 3 + 3
  assert parameters("ststnet", {"image": jnp.zeros((2, 28, 28, 3))}) == 448 + 32 + 1203


SMALL = {"channels": (2, 3), "cnn_features": 4, "lstm_features": 4, "head_features": 4}
SWITCHES = [
  *({"cnn_branch": value} for value in parallel.CNN_BRANCHES),
  *({"branch": value} for value in parallel.BRANCHES),
  *({"fusion": value} for value in parallel.FUSIONS),
  *({"lstm_input": value} for value in parallel.LSTM_INPUTS),
  *({"norm": value} for value in parallel.NORMS),
  *({"layer_fusion": value} for value in ("sum", "concat")),
  {"layer_fusion": "sum", "cnn_branch": "td_gap"},
  {"layer_fusion": "concat", "branch": "sequential"},
  {"mask_padding": True},
  {"mask_padding": True, "cnn_branch": "td_mean"},
]


@pytest.mark.parametrize("options", SWITCHES, ids=str)
def test_every_switch_gives_logits_and_gradients(options):
  model = models.build("parallel_cnn_lstm", 3, {**SMALL, **options})
  frames = np.random.default_rng(0).random((2, 5, 8, 8, 1), np.float32)
  inputs = {"frames": frames, "mask": np.arange(5)[None] < np.array([[5], [3]])}
  weights = jnp.ones(2)
  init = jax.jit(lambda key: model.init(key, inputs, weights, train=False))
  variables = init(jax.random.key(0))

  @jax.jit
  @jax.grad
  def grad(params):
    logits, _ = model.apply(
      {**variables, "params": params},
      inputs,
      weights,
      train=True,
      rngs={"dropout": jax.random.key(1)},
      mutable=["batch_stats"],
    )
    assert logits.shape == (2, 3)
    return jnp.sum(jnp.square(logits))

  grads = jax.tree.leaves(grad(variables["params"]))
  assert all(np.all(np.isfinite(leaf)) for leaf in grads)


def logits_of(frames, mask, **options):
  model = models.build("parallel_cnn_lstm", 3, {**SMALL, **options})
  variables = model.init(
    jax.random.key(0), {"frames": frames, "mask": mask}, jnp.ones(2), train=False
  )
  return model.apply(variables, {"frames": frames, "mask": mask}, jnp.ones(2), train=False)


@pytest.mark.parametrize("branch", ["lstm", "sequential"])
def test_a_mask_hides_padding_and_without_it_padding_counts(branch):
  frames = np.random.default_rng(0).random((2, 5, 8, 8, 1), np.float32)
  mask = np.broadcast_to(np.arange(5) < 3, (2, 5))
  other = np.where(mask[..., None, None, None], frames, 0)
  for masked in (True, False):
    a, b = (logits_of(x, mask, branch=branch, mask_padding=masked) for x in (frames, other))
    assert np.array_equal(a, b) == masked


def test_the_stack_reads_frames_as_channels_and_the_wrong_axis_reads_columns():
  """A shift of the image moves feature maps of the stack; for the wrong axis it mixes channels."""
  frames = np.random.default_rng(0).random((2, 4, 6, 8, 1), np.float32)
  mask = np.ones((2, 4), bool)
  shapes = {}
  for branch in ("stack", "stack_wrong_axis"):
    model = models.build("parallel_cnn_lstm", 3, {**SMALL, "cnn_branch": branch})
    inputs = {"frames": frames, "mask": mask}
    init = partial(model.init, train=False)
    variables = jax.eval_shape(init, jax.random.key(0), inputs, jnp.ones(2))
    shapes[branch] = variables["params"]["conv1"]["kernel"].shape
  assert shapes == {"stack": (3, 3, 4, 2), "stack_wrong_axis": (3, 3, 8, 2)}


@pytest.mark.parametrize(
  ("name", "options", "message"),
  [
    ("paralel_cnn_lstm", {}, "parallel_cnn_lstm"),
    ("ststnet", {"stream": (3,)}, "streams"),
    ("parallel_cnn_lstm", {"num_classes": 4}, "num_classes"),
  ],
)
def test_wrong_names_name_the_nearest(name, options, message):
  with pytest.raises(ConfigError, match=message):
    models.build(name, 3, options)


def test_a_switch_with_an_unknown_value_lists_the_known():
  with pytest.raises(ConfigError, match="td_mean"):
    logits_of(np.zeros((2, 4, 8, 8, 1), np.float32), np.ones((2, 4), bool), cnn_branch="td_men")


def test_a_model_and_an_input_that_do_not_fit_say_so():
  with pytest.raises(ConfigError, match="flow"):
    models.check_input("ststnet", models.build("ststnet", 3, {}), "padded_frames", {"frames"})


@pytest.mark.parametrize(
  ("name", "options", "given", "message"),
  [
    ("ststnet", {}, {"motion"}, r"reads 'image' .* gives 'motion'. Inputs that fit: flow, flow_m"),
    ("atnet", {}, {"image"}, r"'image', 'motion' .* gives 'image'. .*: apex_and_pooled_flow\.$"),
    ("atnet", {"stream": "temporal"}, {"image"}, r"Inputs that fit: pooled_flow, apex_and_p"),
  ],
)
def test_inputs_that_fit_are_named(name, options, given, message):
  with pytest.raises(ConfigError, match=message):
    models.check_input(name, models.build(name, 3, options), "another", given)


def test_a_model_may_leave_an_array_aside():
  for stream in ("spatial", "temporal", "fusion"):
    model = models.build("atnet", 3, {"stream": stream})
    models.check_input("atnet", model, "apex_and_pooled_flow", {"image", "motion"})


def test_grid_means_are_means_of_cells_that_share_no_pixel():
  frames = np.random.default_rng(0).random((1, 2, 20, 9, 3), np.float32)
  got = np.asarray(parallel._grid_means(frames, 8))
  assert got.shape == (1, 2, 8, 8, 3)
  # rows 0-2 are cell 0 of 20 rows; columns 0 and 1 are cell 0 of 9 columns
  np.testing.assert_allclose(got[0, 0, 0, 0], frames[0, 0, :3, :2].mean((0, 1)), rtol=1e-5)
  constant = np.asarray(parallel._grid_means(np.ones((1, 1, 13, 48, 1), np.float32), 8))
  np.testing.assert_allclose(constant, 1, rtol=1e-6)


def test_grid_means_of_too_few_pixels_say_so():
  with pytest.raises(ConfigError, match=r"input\.size"):
    parallel._grid_means(np.zeros((1, 1, 7, 9, 1), np.float32), 8)
