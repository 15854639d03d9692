"""The paper's preprocessing, frame by frame."""

import cv2
import numpy as np
import pytest
from drawn_frames import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from mer_jax.clips import FLOW_MAPS
from mer_jax.errors import ConfigError
from mer_jax.inputs import make
from mer_jax.inputs.relative import relative


def padded(clips, **options):
  made = make("padded_frames", clips, size=8, **options)
  return made["frames"], made["mask"]


@given(
  lengths=st.lists(st.integers(1, 12), min_size=1, max_size=4),
  num_frames=st.integers(1, 9),
  pad=st.sampled_from(("post", "pre")),
  truncate=st.sampled_from(("first", "last", "apex")),
  seed=st.integers(0, 9),
)
@settings(deadline=None)
def test_a_clip_stands_whole_or_cut_and_zeros_fill_the_rest(
  lengths, num_frames, pad, truncate, seed
):
  clips = drawn(lengths, seed=seed)
  frames, mask = padded(clips, num_frames=num_frames, pad=pad, truncate=truncate)
  for n, length in enumerate(lengths):
    kept = min(length, num_frames)
    stands = np.arange(num_frames) < kept
    assert mask[n].tolist() == (stands if pad == "post" else stands[::-1]).tolist()
    assert not np.any(frames[n][~mask[n]])
    pixels = np.rint(frames[n][mask[n]] * 255).astype(np.uint8)
    windows = {
      "first": 0,
      "last": length - kept,
      "apex": int(np.clip(clips.apex[n] - num_frames // 2, 0, length - kept)),
    }
    start = windows[truncate]
    assert np.array_equal(pixels, clips.frames_of(n)[start : start + kept])


def test_the_default_is_48_frames_of_48_pixels_padded_behind():
  clips = drawn([3, 60], size=48)
  made = make("padded_frames", clips)
  assert made["frames"].shape == (2, 48, 48, 48, 1)
  assert made["mask"].sum(axis=1).tolist() == [3, 48]
  assert np.array_equal(made["frames"][0, :3] * 255, clips.frames_of(0))
  assert np.array_equal(made["frames"][1] * 255, clips.frames_of(1)[:48])


@given(length=st.integers(1, 30), apex=st.integers(0, 29), num_frames=st.integers(1, 20))
@settings(deadline=None, max_examples=50)
def test_truncation_around_the_apex_keeps_the_apex(length, apex, num_frames):
  apex = min(apex, length - 1)
  clips = drawn([length], apex=[apex], size=2)
  made = make("padded_frames", clips, num_frames=num_frames, size=2, truncate="apex")
  shown = np.rint(made["frames"][0] * 255).astype(np.uint8)[made["mask"][0]]
  assert any(np.array_equal(frame, clips.frames[apex]) for frame in shown)


def test_255_becomes_one_and_0_zero():
  clips = drawn([2])
  clips.frames[0], clips.frames[1] = 255, 0
  frames, _ = padded(clips, num_frames=2)
  assert np.all(frames[0, 0] == 1)
  assert np.all(frames[0, 1] == 0)


@pytest.mark.parametrize(("stored", "method"), [(12, cv2.INTER_AREA), (5, cv2.INTER_LINEAR)])
def test_resizing_averages_down_and_interpolates_up(stored, method):
  clips = drawn([2], size=stored)
  frames, _ = padded(clips, num_frames=2)
  for t in range(2):
    wanted = cv2.resize(clips.frames[t, ..., 0], (8, 8), interpolation=method)
    assert np.array_equal(np.rint(frames[0, t, ..., 0] * 255), wanted)


@given(length=st.integers(1, 20), num_frames=st.integers(1, 20))
@settings(deadline=None, max_examples=40)
def test_resampling_maps_a_linear_course_onto_itself(length, num_frames):
  clips = drawn([length])
  clips.frames[:] = (10 * np.arange(length))[:, None, None, None]
  frames, mask = padded(clips, num_frames=num_frames, resample="linear")
  wanted = np.linspace(0, 10 * (length - 1), num_frames) / 255
  assert np.all(mask)
  np.testing.assert_allclose(frames[0, :, 3, 3, 0], wanted, atol=1e-6)


def test_resampling_to_the_same_number_changes_nothing():
  clips = drawn([7])
  resampled, _ = padded(clips, num_frames=7, resample="linear")
  plain, _ = padded(clips, num_frames=7)
  assert np.array_equal(resampled, plain)


def test_flow_maps_stand_as_frames_of_three_channels():
  clips = drawn([4, 2], channels=FLOW_MAPS)
  frames, mask = padded(clips, num_frames=4)
  assert frames.shape == (2, 4, 8, 8, 3)
  assert mask.sum(axis=1).tolist() == [4, 2]
  assert np.array_equal(np.rint(frames[0] * 255), clips.frames_of(0))


def test_flow_maps_are_normalised_with_one_unit_for_all_maps_of_a_clip():
  clips = drawn([4, 2], channels=FLOW_MAPS)
  made = make("padded_frames", clips, size=16, num_frames=3, normalise="relative")
  plain = make("padded_frames", clips, size=16, num_frames=3)
  assert np.array_equal(made["frames"], relative(plain["frames"], plain["mask"]))
  assert not made["frames"][1, 2].any()


def test_gray_frames_hold_no_motion_to_normalise():
  with pytest.raises(ConfigError, match=r"is for flow maps.*hold gray"):
    padded(drawn([4]), normalise="relative")
