"""Rise and decay on half of the frames each, and what TSNN reads beside them."""

import dataclasses

import numpy as np
import pytest
from drawn_frames import drawn

from mer_jax.inputs import make

NAME = "temporal_sampling_deformation"


def brightening(length: int, apex: int):
  """A clip whose frame t is of the gray value 10 t."""
  clips = drawn([length], apex=[apex])
  values = 10 * np.arange(length, dtype=np.uint8)
  frames = np.broadcast_to(values[:, None, None, None], clips.frames.shape)
  return dataclasses.replace(clips, frames=np.array(frames))


@pytest.mark.parametrize(
  ("length", "apex", "times", "ratios"),
  [
    (9, 4, (0, 2, 4, 8), (2, 2)),
    (11, 2, (0, 1, 2, 10), (1, 4)),
    (4, 3, (0, 1.5, 3, 3), (1.5, 0)),
    (2, 1, (0, 0.5, 1, 1), (0.5, 0)),
    (1, 0, (0, 0, 0, 0), (0, 0)),
  ],
)
def test_rise_and_decay_take_half_of_the_frames_each(length, apex, times, ratios):
  arrays = make(NAME, brightening(length, apex), num_frames=4, size=8)
  got = arrays["frames"] * 255 / 10
  assert arrays["frames"].shape == (1, 4, 8, 8, 1)
  np.testing.assert_allclose(got[0, :, 3, 3, 0], times, atol=1e-5)
  np.testing.assert_allclose(arrays["ratios"], [ratios])
  assert arrays["mask"].all()


def test_what_lies_outside_of_onset_and_offset_is_left_out():
  clips = brightening(20, 8)
  part = dataclasses.replace(clips, onset=np.int32([4]), offset=np.int32([14]))
  arrays = make(NAME, part, num_frames=6, size=4)
  np.testing.assert_allclose(
    arrays["frames"][0, :, 0, 0, 0] * 25.5, [4, 16 / 3, 20 / 3, 8, 11, 14], atol=1e-5
  )
  np.testing.assert_allclose(arrays["ratios"], [[4 / 3, 2]])


def test_the_three_together_are_each_of_them():
  clips = drawn([5, 7], size=16)
  together = make(
    "apex_flow_and_frames", clips, size=6, num_frames=4, standardise="clip", allow_small=True
  )
  parts = make("flow", clips, size=6, allow_small=True) | make(NAME, clips, size=6, num_frames=4)
  parts["apex"] = make("apex_frame", clips, size=6, standardise="clip")["image"]
  assert together.keys() == parts.keys()
  for name, array in parts.items():
    assert np.array_equal(together[name], array)
