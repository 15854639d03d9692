"""The CNN on states with its LSTM, and the streams of two temporal scales: sizes and inputs."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mer_jax import models
from mer_jax.models.multiply_adds import multiply_adds


def shapes(name, frames, **options):
  model = models.build(name, 3, options)
  inputs = {"frames": np.zeros((1, *frames), np.float32)}
  return (
    model,
    inputs,
    jax.eval_shape(partial(model.init, train=False), jax.random.key(0), inputs, jnp.ones(1)),
  )


def count_and_cost(name, frames, **options):
  model, inputs, variables = shapes(name, frames, **options)
  cost = multiply_adds(
    partial(model.apply, train=False), {"params": variables["params"]}, inputs, jnp.ones(1)
  )
  return models.count_parameters(variables["params"]), cost


def test_size_of_the_cnn_on_states_and_its_lstm():
  count, cost = count_and_cost("state_cnn_lstm", (5, 64, 64, 1), lstm_features=512)
  cnn = 25 * 32 + 32 + 9 * 32 * 64 + 64 + 9 * 64 * 128 + 128 + 8 * 8 * 128 * 512 + 512
  heads = 512 * 3 + 3 + 512 * 5 + 5
  lstm = 2 * 512 * 2048 + 2048
  assert count == cnn + heads + lstm + 512 * 3 + 3  # 6.4 M, as specified
  frame = 64**2 * 800 + 32**2 * 9 * 32 * 64 + 16**2 * 9 * 64 * 128 + 8192 * 512
  assert cost == pytest.approx(5 * frame, rel=0.05)
  assert round(frame / 1e6) == 45


@pytest.mark.parametrize(("frames", "places", "millions"), [(32, (2, 4), 195), (128, (8, 16), 764)])
def test_size_of_the_two_streams(frames, places, millions):
  count, cost = count_and_cost("dtscnn", (frames, 48, 48, 3))
  convolutions = 8 * 9 * 2 * 16 + 16 + 4 * 9 * 16 * 32 + 32 + 27 * 32 * 64 + 64
  dense = [place * 25 * 64 * 256 + 256 + 256 * 3 + 3 for place in places]
  assert count == 2 * convolutions + sum(dense)
  assert cost / 1e6 == pytest.approx(millions, rel=0.02)


def test_the_short_stream_reads_every_second_frame_and_neither_reads_strain():
  model, _, _ = shapes("dtscnn", (8, 12, 12, 3), channels=(4, 4, 4), features=16)
  frames = np.random.default_rng(0).random((2, 8, 12, 12, 3), np.float32)
  variables = model.init(jax.random.key(0), {"frames": frames}, jnp.ones(2), train=False)

  def streams(frames):
    variables_only = {"params": variables["params"]}
    _, kept = model.apply(
      variables_only, {"frames": frames}, jnp.ones(2), train=False, mutable=["auxiliary"]
    )
    return np.moveaxis(np.asarray(kept["auxiliary"]["part_logits"][0]), 1, 0)

  short, long = streams(frames)
  others = frames.copy()
  others[:, 1::2] = 0
  others[..., 2] = 7
  changed_short, changed_long = streams(others)
  np.testing.assert_array_equal(short, changed_short)
  assert np.any(long != changed_long)
