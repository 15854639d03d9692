"""The apex frame, as it is or standardised."""

import dataclasses

import numpy as np
from drawn_frames import drawn

from mer_jax.inputs import make


def test_it_is_the_apex_frame_of_each_clip_in_gray_values():
  clips = drawn([4, 6, 1], size=8, apex=[1, 5, 0])
  image = make("apex_frame", clips, size=8)["image"]
  for n, apex in enumerate((1, 5, 0)):
    assert np.array_equal(image[n], clips.frames_of(n)[apex])
  assert image.max() > 200


def test_no_other_frame_counts():
  clips = drawn([5, 7], apex=[2, 3])
  other = clips.frames.copy()
  keep = clips.starts[:-1] + clips.apex
  other[np.setdiff1d(np.arange(len(other)), keep)] = 0
  changed = dataclasses.replace(clips, frames=other)
  for size in (3, 8, 20):
    a, b = (make("apex_frame", c, size=size)["image"] for c in (clips, changed))
    assert np.array_equal(a, b)


def test_shrinking_averages():
  clips = drawn([3], size=8, apex=[1])
  image = make("apex_frame", clips, size=4)["image"][0, ..., 0]
  means = clips.frames[1, ..., 0].reshape(4, 2, 4, 2).mean(axis=(1, 3))
  np.testing.assert_allclose(image, means, atol=0.51)  # the resized frame is rounded


def test_standardising_takes_out_brightness_and_contrast():
  clips = drawn([3], size=8, apex=[1])
  frames = clips.frames // 2
  darker = dataclasses.replace(clips, frames=(frames // 2 * 2).astype(np.uint8))
  brighter = dataclasses.replace(clips, frames=(darker.frames // 2 + 90).astype(np.uint8))
  a, b = (make("apex_frame", c, size=8, standardise="clip")["image"] for c in (darker, brighter))
  np.testing.assert_allclose(a, b, atol=1e-4)
  assert abs(a.mean()) < 1e-5
  assert abs(a.std() - 1) < 1e-4


def test_a_constant_frame_is_zero_where_standardised():
  clips = drawn([3], size=8)
  clips.frames[:] = 77
  assert not np.any(make("apex_frame", clips, size=5, standardise="clip")["image"])
