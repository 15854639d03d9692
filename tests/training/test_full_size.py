"""Peers too large for the folds of a CPU take a step at the size of their authors."""

import jax
import numpy as np
import pytest
from problems import recipe_of

from configs import composite
from mer_jax import models, training
from mer_jax.experiment import settings

SIZES = {"htnet": 139_582_982, "causalnet": 276_590_089}


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize("name", SIZES)
def test_one_fold_takes_a_step(name):
  config = composite.get_config("casme2_maps_full").systems[name]
  rng = np.random.default_rng(0)
  if name == "htnet":
    inputs = {"image": rng.random((3, 28, 28, 3), np.float32)}
  else:
    frames = rng.random((3, 4, 28, 28, 3), np.float32)
    inputs = {"frames": frames, "mask": np.ones((3, 4), bool)}
  loso = training.build(
    recipe_of(name, settings.options(config.model), batch_size=2),
    training.arrange(1, 1, 1),
    (0,),
    training.Folds(("casme2/sub01",), np.array([[True, False, False]])),
    inputs,
    np.array([0, 1, 2]),
    {"learning_rate": [0.01], "momentum": [0.9]},
  )
  before = loso.init()
  assert models.count_parameters(before.params) == SIZES[name]
  # The state is donated to the step.
  bias = np.array(jax.tree.leaves(before.params)[0])
  after, sums = loso.train(before, 0, 1)
  assert np.isfinite(sums.loss).all()
  assert sums.steps.item() == 1
  assert np.any(bias != jax.tree.leaves(after.params)[0])
  probabilities = np.asarray(loso.predict(after))
  np.testing.assert_allclose(probabilities.sum(axis=-1), 1, rtol=1e-5)
