"""Divide-and-conquer spotting finds planted motion, and touches nothing but what is missing."""

import dataclasses

import cv2
import numpy as np
import pytest
from drawn_frames import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from mer_jax.clips import FLOW_MAPS
from mer_jax.errors import ConfigError
from mer_jax.inputs import spotting

SIZE = 128
REST = cv2.GaussianBlur(np.random.default_rng(0).normal(size=(SIZE, SIZE)), (0, 0), 4)
REST = 128 + 35 * REST / REST.std()


def moving(length, apex, region):
  """uint8 [T, H, W, 1]: texture that is drawn together in the middle of a region and let go."""
  left, top, right, bottom = (SIZE * side for side in spotting.REGIONS[region])
  y, x = np.indices((SIZE, SIZE), np.float32)
  across, down = (x - (left + right) / 2) / 20, (y - (top + bottom) / 2) / 14
  bump = np.exp(-(across**2 + down**2) / 2)
  times = np.arange(length)
  rise = np.where(times <= apex, times / apex, (length - 1 - times) / (length - 1 - apex))
  frames = [
    cv2.remap(
      REST,
      (x - 6 * r * across * bump).astype(np.float32),
      (y - 6 * r * down * bump).astype(np.float32),
      cv2.INTER_CUBIC,
    )
    for r in rise
  ]
  return np.clip(np.rint(frames), 0, 255).astype(np.uint8)[..., None]


def clips_of(*parts, **fields):
  """Clips whose frames are `parts`."""
  clips = drawn([len(part) for part in parts], size=4)
  return dataclasses.replace(clips, frames=np.concatenate(parts), **fields)


@pytest.mark.parametrize("region", spotting.REGIONS)
@pytest.mark.parametrize(("length", "apex"), [(31, 9), (40, 27), (24, 12)])
def test_the_peak_of_a_planted_motion_is_found(region, length, apex):
  frames = moving(length, apex, region)
  assert abs(spotting.spot(frames, 0, length - 1) - apex) <= 3


def test_only_frames_from_onset_to_offset_count():
  still = np.repeat(moving(3, 1, "mouth")[:1], 6, axis=0)
  frames = np.concatenate([still, moving(31, 9, "mouth"), still])
  frames[:3] = 255 - frames[:3]  # far off, and before the onset
  assert abs(spotting.spot(frames, 6, 36) - 15) <= 3
  assert spotting.spot(frames, 10, 10) == 10
  assert spotting.spot(frames, 10, 11) in (10, 11)


def test_missing_apexes_are_replaced_and_nothing_else():
  parts = [moving(31, apex, "mouth") for apex in (8, 8, 22)]
  clips = clips_of(*parts, apex_missing=np.array([True, False, True]))
  result = spotting.spotted(clips)
  assert result.apex.dtype == clips.apex.dtype
  assert result.apex[1] == clips.apex[1] == 15
  assert abs(result.apex[0] - 8) <= 3
  assert abs(result.apex[2] - 22) <= 3
  assert result.apex[0] == spotting.spot(parts[0], 0, 30)
  for field in dataclasses.fields(clips):
    if field.name != "apex":
      assert np.array_equal(getattr(result, field.name), getattr(clips, field.name))
  alone = spotting.spotted(clips.select([2]))
  assert alone.apex.tolist() == [result.apex[2]]
  assert len(spotting.spotted(clips.select([]))) == 0
  assert spotting.spotted(drawn([3])).apex.tolist() == [1]  # none is missing: nothing to refuse


def test_a_clip_at_rest_has_its_apex_in_the_middle():
  frames = np.repeat(moving(3, 1, "mouth")[:1], 12, axis=0)
  assert spotting.spot(frames, 0, 11) == 5
  assert spotting.spot(frames, 4, 9) == 6
  assert not np.any(spotting.changes(frames))


def test_changes_see_the_regions_and_no_brightness():
  frames = moving(5, 2, "mouth")
  change = spotting.changes(frames)
  assert change[0] == 0
  assert np.argmax(change) == 2
  assert np.all((change >= 0) & (change <= 1))
  elsewhere = frames.copy()
  elsewhere[2, 64:74] = 7  # the nose, and nothing of a region
  elsewhere[2, :14] = 7
  assert np.array_equal(spotting.changes(elsewhere), change)
  # Twice as bright, as far as a byte can say so.
  half = frames // 4 * 2
  np.testing.assert_allclose(spotting.changes(half), spotting.changes(half * 2), atol=1e-12)


def kept_half(change, first, behind):
  """The rule as a recursion over halves."""
  peaks = [
    t
    for t in range(first, behind)
    if 0 < t < len(change) - 1 and change[t - 1] < change[t] >= change[t + 1]
  ]
  if len(peaks) == 1:
    return peaks[0]
  middle = (first + behind) // 2
  early, late = (sum(change[t] for t in peaks if (t < middle) == side) for side in (True, False))
  return kept_half(change, first, middle) if early >= late else kept_half(change, middle, behind)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=40))
@settings(deadline=None)
def test_the_half_with_the_larger_peaks_is_kept(values):
  change = np.array(values, float)
  result = spotting.divided(change)
  peaks = np.flatnonzero((change[1:-1] > change[:-2]) & (change[1:-1] >= change[2:])) + 1
  if len(peaks):
    assert result in peaks
    assert result == kept_half(change, 0, len(change))
  else:
    assert change[result] == change.max()


def test_two_small_peaks_outweigh_a_larger_one():
  change = np.array([0, 1, 5, 1, 0, 0, 0, 3, 0, 4, 0, 0.0])
  assert spotting.divided(change) == 9


def test_what_cannot_be_spotted_is_refused():
  def missing(clips):
    return dataclasses.replace(clips, apex_missing=np.ones(len(clips), bool))

  with pytest.raises(ConfigError, match=r"spotted on gray frames; these clips hold 'u v strain'"):
    spotting.spotted(missing(drawn([3], size=24, channels=FLOW_MAPS)))
  with pytest.raises(ConfigError, match=r"at least 24 x 24 pixels; these are 20 x 20.*frames128"):
    spotting.spotted(missing(drawn([3], size=20)))
  with pytest.raises(ConfigError, match=r"at least 24 x 24"):
    spotting.spot(drawn([3], size=20).frames, 0, 2)
