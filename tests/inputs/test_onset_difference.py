"""Differences to the onset frame, and what can be taken out of them."""

import dataclasses

import cv2
import numpy as np
import pytest
from drawn_frames import drawn

from mer_jax.inputs import make


def difference(clips, **options):
  options = {"num_frames": 6, "size": clips.frames.shape[1]} | options
  return make("onset_difference", clips, **options)["frames"]


@pytest.fixture
def face() -> np.ndarray:
  """A smooth texture, float32 [64, 64] in 0..255, of which small motion is nearly linear."""
  noise = np.random.default_rng(3).normal(size=(64, 64)).astype(np.float32)
  smooth = cv2.GaussianBlur(noise, (0, 0), 6)
  return 40 + 160 * (smooth - smooth.min()) / np.ptp(smooth)


def filmed(*frames: np.ndarray):
  clips = drawn([len(frames)], size=frames[0].shape[0])
  clips.frames[..., 0] = np.rint(np.stack(frames))
  return clips


def moved(face: np.ndarray, matrix) -> np.ndarray:
  return cv2.warpAffine(
    face, np.array(matrix, np.float32), face.shape[::-1], None, cv2.INTER_CUBIC, cv2.BORDER_REFLECT
  )


def test_each_frame_minus_the_onset_frame_of_its_clip():
  clips = drawn([4, 6])
  clips = dataclasses.replace(
    clips, onset=np.array([1, 2], np.int32), apex=np.array([2, 3], np.int32)
  )
  frames = difference(clips, gain=2.0)
  for n, onset in enumerate((1, 2)):
    pixels = clips.frames_of(n).astype(np.float64) / 255
    wanted = 2 * (pixels - pixels[onset])
    np.testing.assert_allclose(frames[n, : len(wanted)], wanted, atol=1e-6)
    assert not np.any(frames[n, len(wanted) :])


def test_the_onset_is_subtracted_even_where_truncation_cuts_it_off():
  clips = drawn([9])
  pixels = clips.frames.astype(np.float64) / 255
  frames = difference(clips, num_frames=3, truncate="last")
  np.testing.assert_allclose(frames[0], pixels[-3:] - pixels[0], atol=1e-6)


def test_a_clip_that_rests_is_zero_whatever_is_removed():
  clips = drawn([5])
  clips.frames[:] = clips.frames[:1]
  for options in ({}, {"standardise": "clip"}, {"flicker": "remove", "head_motion": "affine"}):
    assert not np.any(difference(clips, **options))


def test_standardising_gives_mean_zero_and_deviation_gain():
  frames = difference(drawn([4, 6]), standardise="clip", gain=3.0)
  for clip, length in zip(frames, (4, 6), strict=True):
    assert abs(clip[:length].mean()) < 1e-5
    assert clip[:length].std() == pytest.approx(3, rel=1e-4)


def test_flicker_goes_and_an_expression_stays(face):
  lit = 0.9 * face + 8
  frowning = lit.copy()
  frowning[10:20, 10:20] += 20
  frames = difference(filmed(face, lit, frowning), num_frames=3, flicker="remove")[0, ..., 0]
  assert np.abs(frames[1]).max() < 1 / 255  # what is left is rounding to whole gray values
  assert frames[2, 10:20, 10:20].mean() > 10 / 255
  assert np.abs(difference(filmed(face, lit), num_frames=2)[0, 1]).mean() > 5 / 255


@pytest.mark.parametrize(
  ("head_motion", "matrix"),
  [
    ("translation", [[1, 0, 0.4], [0, 1, -0.3]]),
    ("affine", [[1, 0, 0.4], [0, 1, -0.3]]),
    ("affine", [[1.008, -0.012, 0.6], [0.012, 1.008, -0.2]]),
  ],
)
def test_head_motion_goes(face, head_motion, matrix):
  clips = filmed(face, moved(face, matrix))
  kept = np.abs(difference(clips, num_frames=2)[0, 1]).mean()
  left = np.abs(difference(clips, num_frames=2, head_motion=head_motion)[0, 1]).mean()
  assert kept > 1 / 255
  assert left < 0.35 * kept
