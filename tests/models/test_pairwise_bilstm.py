"""The spatial and pairwise temporal network with its BiLSTM: sizes, and what it may look at."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mer_jax import models
from mer_jax.errors import ConfigError
from mer_jax.models.multiply_adds import multiply_adds

SMALL = {"channels": (2, 3), "lstm_features": 4}
FRAMES = np.random.default_rng(0).random((2, 5, 8, 8, 1), np.float32)


def built(frames, **options):
  model = models.build("pairwise_bilstm", 3, options)
  inputs = {"frames": frames, "mask": np.ones(frames.shape[:2], bool)}
  return model, inputs, partial(model.init, train=False)


def test_size_at_sixteen_frames():
  model, inputs, init = built(np.zeros((1, 16, 48, 48, 1), np.float32))
  variables = jax.eval_shape(init, jax.random.key(0), inputs, jnp.ones(1))
  one, pair = 9 * 16 + 16, 9 * 2 * 16 + 16
  rest = 9 * 16 * 32 + 32 + 9 * 32 * 64 + 64
  lstms = 2 * (128 * 256 + 64 * 256 + 256)
  expected = one + pair + 2 * rest + lstms + 128 * 3 + 3
  assert models.count_parameters(variables["params"]) == expected
  cost = multiply_adds(partial(model.apply, train=False), variables, inputs, jnp.ones(1))
  # 5.6 M for a frame, and 6.0 M for a pair, 15 times; the LSTMs have 1.5 M.
  assert round(cost / 1e6) == 176


def logits(model, variables, frames, mask):
  return model.apply(variables, {"frames": frames, "mask": mask}, jnp.ones(2), train=False)


@pytest.mark.parametrize("padded", ["post", "pre"])
def test_padding_is_passed_over_in_both_directions(padded):
  model, inputs, init = built(FRAMES, **SMALL)
  variables = init(jax.random.key(0), inputs, jnp.ones(2))
  alone = logits(model, variables, FRAMES, np.ones((2, 5), bool))
  noise = 9 * np.ones((2, 3, 8, 8, 1), np.float32)
  parts = [FRAMES, noise] if padded == "post" else [noise, FRAMES]
  mask = [np.ones((2, 5), bool), np.zeros((2, 3), bool)]
  mask = mask if padded == "post" else mask[::-1]
  longer = logits(model, variables, np.concatenate(parts, 1), np.concatenate(mask, 1))
  np.testing.assert_allclose(alone, longer, rtol=1e-4, atol=1e-6)


def test_order_of_frames_counts():
  model, inputs, init = built(FRAMES, **SMALL)
  variables = init(jax.random.key(0), inputs, jnp.ones(2))
  mask = np.ones((2, 5), bool)
  there, back = (logits(model, variables, x, mask) for x in (FRAMES, FRAMES[:, ::-1]))
  assert not np.allclose(there, back, atol=1e-5)


def test_a_single_frame_is_no_pair():
  _, inputs, init = built(FRAMES[:, :1])
  with pytest.raises(ConfigError, match="num_frames to 2"):
    jax.eval_shape(init, jax.random.key(0), inputs, jnp.ones(2))
