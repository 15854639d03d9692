"""The course of the optical flow from the onset frame on."""

import dataclasses

import cv2
import numpy as np
import pytest
from drawn_frames import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from mer_jax.errors import ConfigError
from mer_jax.inputs import make
from mer_jax.inputs.flow import HEAD_MOTION, MOTION_UNIT, STRAIN_UNIT
from mer_jax.inputs.optical_flow import METHODS

DRIFT = ((0.0, 0.0), (0.4, 0.0), (-1.0, 0.5), (2.5, -1.5), (1.0, 2.0))


@pytest.fixture(scope="module")
def drifting():
  """One clip of a smooth texture, 128 x 128; frame t is frame 0 moved by DRIFT[t] pixels."""
  noise = np.random.default_rng(5).normal(size=(128, 128)).astype(np.float32)
  smooth = cv2.GaussianBlur(noise, (0, 0), 2.5)
  still = 20 + 200 * (smooth - smooth.min()) / np.ptp(smooth)
  clips = drawn([len(DRIFT)], size=128)
  for t, (u, v) in enumerate(DRIFT):
    shift = np.array([[1, 0, u], [0, 1, v]], np.float32)
    moved = cv2.warpAffine(still, shift, (128, 128), None, cv2.INTER_CUBIC, cv2.BORDER_REFLECT)
    clips.frames[t, ..., 0] = np.clip(np.rint(moved), 0, 255)
  return clips


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("onset", [0, 2])
def test_each_frame_shows_its_translation_since_the_onset(drifting, method, onset):
  clips = dataclasses.replace(
    drifting, onset=np.array([onset], np.int32), apex=np.array([3], np.int32)
  )
  frames = make("flow_sequence", clips, num_frames=6, method=method)["frames"][0]
  inner = frames[: len(DRIFT), 4:-4, 4:-4]
  wanted = np.array(DRIFT) - DRIFT[onset]
  error = inner[..., :2] * MOTION_UNIT - wanted[:, None, None]
  assert np.hypot(error[..., 0], error[..., 1]).mean(axis=(1, 2)).max() < 0.15
  assert inner[..., 2].mean() * STRAIN_UNIT < 0.03
  assert not np.any(frames[len(DRIFT) :])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("head_motion", HEAD_MOTION)
def test_the_onset_frame_has_no_flow(drifting, method, head_motion):
  clips = dataclasses.replace(drifting, onset=np.array([1], np.int32))
  frames = make("flow_sequence", clips, num_frames=5, method=method, head_motion=head_motion)
  assert np.abs(frames["frames"][0, 1]).max() < 1e-6
  assert np.abs(frames["frames"][0, 3]).max() > 1e-3


@pytest.mark.parametrize("head_motion", HEAD_MOTION)
def test_the_apex_frame_is_the_image_of_flow(drifting, head_motion):
  options = {"size": 20, "head_motion": head_motion}
  clips = dataclasses.replace(drifting, apex=np.array([3], np.int32))
  frames = make("flow_sequence", clips, num_frames=5, **options)["frames"]
  image = make("flow", clips, scaling="fixed", **options)["image"]
  assert np.array_equal(frames[0, 3], image[0])


@given(
  lengths=st.lists(st.integers(1, 9), min_size=1, max_size=3),
  num_frames=st.integers(1, 7),
  pad=st.sampled_from(("post", "pre")),
  truncate=st.sampled_from(("first", "last", "apex")),
)
@settings(deadline=None, max_examples=40)
def test_frames_stand_where_padded_frames_has_them(lengths, num_frames, pad, truncate):
  clips = drawn(lengths, size=16)
  length = {"num_frames": num_frames, "pad": pad, "truncate": truncate}
  made = make("flow_sequence", clips, size=4, allow_small=True, **length)
  shown = make("padded_frames", clips, size=16, **length)
  assert np.array_equal(made["mask"], shown["mask"])
  for n in range(len(clips)):
    complete = make("flow_sequence", clips.select([n]), num_frames=9, size=4, allow_small=True)
    for t in range(num_frames):
      if made["mask"][n, t]:
        pixels = np.rint(shown["frames"][n, t] * 255)
        source = [i for i, frame in enumerate(clips.frames_of(n)) if np.array_equal(frame, pixels)]
        assert np.array_equal(made["frames"][n, t], complete["frames"][0, source[0]])
      else:
        assert not np.any(made["frames"][n, t])


@pytest.mark.parametrize(
  ("length", "num_frames", "wanted"),
  [
    (9, 5, [0, 2, 4, 6, 8]),
    (6, 3, [0, 2, 5]),
    (2, 4, [0, 0, 1, 1]),
    (5, 5, [0, 1, 2, 3, 4]),
    (1, 3, [0, 0, 0]),
    (4, 1, [0]),
  ],
)
def test_resampling_picks_the_nearest_of_evenly_spaced_frames(length, num_frames, wanted):
  clips = drawn([length], size=16)
  options = {"size": 6, "allow_small": True}
  complete = make("flow_sequence", clips, num_frames=length, **options)["frames"]
  made = make("flow_sequence", clips, num_frames=num_frames, resample="linear", **options)
  assert np.all(made["mask"])
  assert np.array_equal(made["frames"], complete[:, wanted])


@pytest.mark.parametrize("resample", ["none", "linear"])
def test_no_more_flows_are_computed_than_frames_are_shown(monkeypatch, resample):
  seen = []

  def counted(before, after):
    seen.extend(after)
    return METHODS["farneback"](before, after)

  monkeypatch.setitem(METHODS, "dis", counted)
  clips = drawn([30, 3], size=16)
  make("flow_sequence", clips, num_frames=6, size=4, resample=resample, allow_small=True)
  assert len(seen) == 6 + 3


def test_small_frames_are_refused_unless_allowed():
  with pytest.raises(ConfigError, match=r"at least 128 x 128 pixels; these are 48 x 48.*frames128"):
    make("flow_sequence", drawn([3], size=48))
  with pytest.raises(ConfigError, match=r"at least 16 x 16 pixels; these are 8 x 8"):
    make("flow_sequence", drawn([3], size=8), allow_small=True)
