"""The frames of five expression states."""

import numpy as np
from drawn_frames import drawn

from mer_jax.inputs import make


def test_states_are_the_key_frames_and_those_halfway():
  clips = drawn([9, 4, 1], size=8, apex=[4, 1, 0])
  arrays = make("expression_states", clips, size=8)
  for n, states in enumerate(([0, 2, 4, 6, 8], [0, 0, 1, 2, 3], [0, 0, 0, 0, 0])):
    expected = clips.frames_of(n)[states] / np.float32(255)
    assert np.array_equal(arrays["frames"][n], expected)
  assert arrays["mask"].all()


def test_no_other_frame_counts():
  clips = drawn([9], size=8, apex=[4])
  before = make("expression_states", clips, size=5)["frames"]
  clips.frames[[1, 3, 5, 7]] = 0
  assert np.array_equal(before, make("expression_states", clips, size=5)["frames"])
