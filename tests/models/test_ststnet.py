"""STSTNet as its authors' programs have it, beside a plain reading of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from mer_jax import models
from mer_jax.errors import ConfigError

IMAGE = np.random.default_rng(0).random((4, 28, 28, 3), np.float32)
WEIGHTS = jnp.ones(4)
PUBLISHED = {
  "padding": 2,
  "norm_epsilon": 1e-5,
  "norm_momentum": 0.9,
  "initialisation": "pytorch",
  "factor": 255.0,
  "dropout": 0.0,
}


def built(**options):
  model = models.build("ststnet", 3, options)
  return model, model.init(jax.random.key(0), {"image": IMAGE}, WEIGHTS, train=False)


def test_the_program_in_pytorch_line_by_line():
  model, variables = built(**PUBLISHED)
  got, _ = model.apply(variables, {"image": IMAGE}, WEIGHTS, train=True, mutable=["batch_stats"])
  params = variables["params"]
  numbers = ("NHWC", "HWIO", "NHWC")
  x = lax.conv_general_dilated(
    255 * IMAGE, params["streams"]["kernel"], (1, 1), ((2, 2),) * 2, dimension_numbers=numbers
  )
  x = jnp.maximum(x + params["streams"]["bias"], 0)
  assert x.shape == (4, 30, 30, 16)
  x = (x - x.mean((0, 1, 2))) / jnp.sqrt(x.var((0, 1, 2)) + 1e-5)
  around = ((0, 0), (1, 1), (1, 1), (0, 0))
  x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 3, 3, 1), (1, 3, 3, 1), around)
  assert x.shape == (4, 10, 10, 16)
  x = x.reshape(4, 5, 2, 5, 2, 16).mean((2, 4)).reshape(4, -1)
  expected = x @ params["logits"]["kernel"] + params["logits"]["bias"]
  np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-4)


def test_what_pytorch_draws_is_uniform_up_to_the_root_of_the_inputs():
  _, variables = built(**PUBLISHED)
  for name, fan_in in (("streams", 27), ("logits", 400)):
    for key in ("kernel", "bias"):
      drawn = np.asarray(variables["params"][name][key])
      assert np.abs(drawn).max() <= fan_in**-0.5
      assert np.all(drawn != 0)
    assert np.abs(variables["params"][name]["kernel"]).max() > 0.95 * fan_in**-0.5


@pytest.mark.parametrize(
  ("options", "message"),
  [({"initialisation": "torch"}, "pytorch"), ({"padding": 0}, "padding must be .* at least 1")],
)
def test_what_does_not_exist_says_so(options, message):
  with pytest.raises(ConfigError, match=message):
    built(**options)
