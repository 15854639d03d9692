"""Models compute the same however their convolutions are computed."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import CASES, LARGER_CASES, problem

from mer_jax import models
from mer_jax.models.layers import convolution
from mer_jax.targets import SingleClass

FOLDS, BATCH = 2, 4
# Layers that this loss teaches nothing: attention among the places of a map that has one, and what
# losses of an earlier stage are for.
UNTAUGHT = {
  "off_tanet": {"key", "query"},
  "state_cnn_lstm": {"state_logits", "state_class_logits"},
}


def draw(rng, shape):
  return rng.uniform(-0.3, 0.3, shape).astype(np.float32)


@pytest.mark.parametrize("case", [c for c in CASES | LARGER_CASES if c != "micro_attention"])
def test_every_implementation_gives_the_same_loss_and_gradients(case):
  name, options, takes = (CASES | LARGER_CASES)[case]
  given = problem(takes)
  by_implementation = {
    implementation: models.build(name, 3, options, convolution=implementation)
    for implementation in convolution.IMPLEMENTATIONS
  }
  model = by_implementation["auto"]
  inputs = jax.tree.map(lambda x: x[:BATCH], given.inputs)
  weights = np.float32([[1, 0, 2, 1], [1, 1, 0.5, 0]])
  shapes = jax.eval_shape(
    lambda: model.init(jax.random.key(0), inputs, jnp.ones(BATCH), train=False)
  )
  rng = np.random.default_rng(0)
  variables = jax.tree.map(lambda leaf: draw(rng, (FOLDS, *leaf.shape)), shapes)

  def loss(model, params, variables, weights):
    logits, changed = model.apply(
      {**variables, "params": params},
      inputs,
      weights,
      train=True,
      rngs={"dropout": jax.random.key(1)},
      mutable=["batch_stats"],
    )
    return SingleClass(3).loss(logits, given.labels[:BATCH], weights), changed

  def run(implementation):
    of_model = functools.partial(loss, by_implementation[implementation])
    step = jax.jit(
      lambda v, w: jax.vmap(jax.value_and_grad(of_model, has_aux=True))(v["params"], v, w)
    )
    return step(variables, weights)

  expected = run("grouped")
  untaught = {
    path[0].key for path, leaf in jax.tree_util.tree_leaves_with_path(expected[1]) if not leaf.any()
  }
  assert untaught == UNTAUGHT.get(case, set())
  for implementation in ("fused", "product"):
    jax.tree.map(
      lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5),
      run(implementation),
      expected,
    )
