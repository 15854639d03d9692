"""MotionNet beyond the contract that all models keep: its options, and what it sows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mer_jax import models
from mer_jax.errors import ConfigError

SMALL = {"channels": (4, 6), "groups": 2, "features": 5}
IMAGE = np.random.default_rng(0).random((3, 8, 8, 3), np.float32)
WEIGHTS = jnp.ones(3)


def initialised(**options):
  model = models.build("motion_net", 3, {**SMALL, **options})
  init = jax.jit(lambda key: model.init(key, {"image": IMAGE}, WEIGHTS, train=False))
  return model, init(jax.random.key(0))["params"]


def applied(model, params, mutable, image=IMAGE):
  def apply(params):
    return model.apply({"params": params}, {"image": image}, WEIGHTS, train=False, mutable=mutable)

  return jax.jit(apply)(params)


def test_size_at_28_pixels():
  model = models.build("motion_net", 3, {})
  image = {"image": jnp.zeros((2, 28, 28, 3))}
  shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), image, jnp.ones(2), train=False))
  # Three convolutions, two numbers for every channel, 3 x 3 x 96 features to 112, 112 to 3.
  convolutions = 27 * 32 + 32 + 288 * 32 * 2 + 64 + 576 * 96 + 96
  rest = 2 * (32 + 64 + 96) + 864 * 112 + 112 + 112 * 3 + 3
  assert models.count_parameters(shapes["params"]) == convolutions + rest


def test_what_enters_the_last_layer_is_sown():
  model, params = initialised()
  logits, sown = applied(model, params, ["features", "auxiliary"])
  (features,) = sown["features"]["features"]
  assert features.shape == (3, 5)
  assert "auxiliary" not in sown
  last = params["logits"]
  expected = features @ last["kernel"] + last["bias"]
  np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-6)


def test_action_units_have_logits_of_their_own_and_leave_those_of_classes():
  model, params = initialised(action_units=7)
  logits, sown = applied(model, params, ["features", "auxiliary"])
  (units,) = sown["auxiliary"]["action_units"]
  assert units.shape == (3, 7)
  assert "unit_logits" not in initialised()[1]
  without = {name: part for name, part in params.items() if name != "unit_logits"}
  plain, _ = applied(initialised()[0], without, ["features"])
  np.testing.assert_allclose(plain, logits, rtol=1e-6)


def test_squeeze_weighs_channels_of_the_map_as_a_whole():
  model, params = initialised(squeeze=2)
  assert params["squeeze0"]["kernel"].shape == (4, 2)
  assert params["excite1"]["kernel"].shape == (2, 6)
  closed = {**params, "excite1": {**params["excite1"], "bias": jnp.full(6, -100.0)}}
  first, other = (applied(model, closed, [], image)[0] for image in (IMAGE, 1 - IMAGE))
  np.testing.assert_allclose(first, other, atol=1e-6)  # nothing of the map comes through
  opened, changed = (applied(model, params, [], image)[0] for image in (IMAGE, 1 - IMAGE))
  assert np.abs(opened - changed).max() > 1e-3


def test_without_norm_there_are_no_groups():
  _, params = initialised(norm="none", groups=5)
  assert not [name for name in params if name.startswith("norm")]


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"groups": 4}, "6 channels do not divide into 4 groups. Choose channels that are multiples"),
    ({"norm": "batch"}, "norm.*'batch'.*group"),
  ],
)
def test_what_cannot_be_built_is_named(options, message):
  with pytest.raises(ConfigError, match=message):
    initialised(**options)
