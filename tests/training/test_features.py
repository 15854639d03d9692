"""Features of a layer, by the network of every fold."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import CASES, problem, program

from mer_jax import training
from mer_jax.errors import ConfigError
from mer_jax.training import features


@pytest.fixture(scope="module")
def trained():
  loso = program("parallel", problem(CASES["parallel"][2]))
  return loso, loso.train(loso.init(), 0, 3)[0]


def of_fold(loso, state, seed, fold):
  params = jax.tree.map(lambda x: jnp.asarray(jax.device_get(x)[seed, fold]), state.params)
  return loso.recipe.model, {"params": params}, jax.device_get(loso.data.inputs)


def test_every_fold_reads_its_own_network(trained):
  loso, state = trained
  rows = training.features_by_fold(loso, state, "features")
  model, variables, inputs = of_fold(loso, state, 1, 3)
  clips = len(loso.data.labels)
  assert rows.shape == (2, 5, clips, 8)
  # What enters the last layer, times that layer, is what the model computes.
  logits = model.apply(variables, inputs, jnp.ones(clips), train=False)
  last = variables["params"]["logits"]
  np.testing.assert_allclose(
    rows[1, 3] @ last["kernel"] + last["bias"], logits, rtol=1e-4, atol=1e-5
  )
  assert np.any(rows[1, 3] != rows[1, 2])


def test_any_layer_has_a_name(trained):
  loso, state = trained
  rows = training.features_by_fold(loso, state, "logits")
  model, variables, inputs = of_fold(loso, state, 0, 2)
  logits = model.apply(variables, inputs, jnp.ones(len(rows[0, 2])), train=False)
  np.testing.assert_allclose(rows[0, 2], logits, rtol=1e-4, atol=1e-5)
  # Maps are flattened: 2 x 2 places of six filters.
  assert training.features_by_fold(loso, state, "conv2").shape[-1] == 2 * 2 * 6


def test_features_of_a_stopped_fold_are_absent(trained):
  loso, state = trained
  stopped = state._replace(stopped=state.stopped.at[0, 1].set(2))
  rows = training.features_by_fold(loso, stopped, "logits")
  assert np.all(np.isnan(rows[0, 1]))
  assert np.all(np.isfinite(rows[1]))


def test_a_layer_that_is_absent_is_named_with_those_there_are(trained):
  loso, _ = trained
  with pytest.raises(ConfigError, match=r"no layer .conv9.\..* conv1, conv2, head, .*features"):
    features.check(loso.recipe, loso.data.inputs, "conv9")
