"""The window around the apex, its cells, and what is moved to its end."""

import dataclasses

import cv2
import numpy as np
import pytest
from drawn_frames import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from mer_jax import inputs
from mer_jax.errors import ConfigError
from mer_jax.inputs import make, optical_flow


def annotated(length, onset, apex, offset, size=16):
  clips = drawn([length], size=size)
  return dataclasses.replace(
    clips,
    onset=np.array([onset], np.int32),
    apex=np.array([apex], np.int32),
    offset=np.array([offset], np.int32),
  )


def flow_of_numbers(before, after):
  """Flow to the right by t + 1 pixels from frame t, whose pixels are all t, to frame t + 1."""
  assert np.all(after == before + 1)
  uv = np.zeros((*before.shape, 2), np.float32)
  uv[..., 0] = before + 1.0
  return uv


def places(clips, num_frames):
  """The frame whose flow stands at each place of the only clip; -1 where there is none."""
  clips.frames[:] = np.arange(len(clips.frames))[:, None, None, None]
  with pytest.MonkeyPatch.context() as patch:
    patch.setitem(optical_flow.METHODS, "farneback", flow_of_numbers)
    made = make("pooled_flow", clips, num_frames=num_frames, grid=2, allow_small=True)["motion"]
  magnitudes = made[0, :, 1::2]
  assert np.all(magnitudes == magnitudes[:, :1])
  return np.rint(magnitudes[:, 0] * clips.frames.shape[2] / 128).astype(int) - 1


def test_the_published_example():
  """Onset 46, apex 59, offset 86 of a film: forty flows, the window's places 19 to 58."""
  got = places(annotated(101, 46, 59, 86), 64)
  before_compaction = np.arange(59 - 32, 59 + 32)
  assert np.array_equal(
    np.flatnonzero((before_compaction >= 46) & (before_compaction < 86)), np.arange(19, 59)
  )
  assert np.all(got[:24] == -1)
  assert np.array_equal(got[24:], np.arange(46, 86))


@given(data=st.data(), num_frames=st.integers(1, 12))
@settings(deadline=None, max_examples=40)
def test_the_window_is_cut_by_onset_and_offset(data, num_frames):
  length = data.draw(st.integers(1, 20))
  onset, apex, offset = sorted(data.draw(st.integers(0, length - 1)) for _ in range(3))
  got = places(annotated(length, onset, apex, offset), num_frames)
  frames = [
    t
    for t in range(apex - num_frames // 2, apex - num_frames // 2 + num_frames)
    if onset <= t < offset
  ]
  assert got.tolist() == [-1] * (num_frames - len(frames)) + frames


def shifted(*shifts, size=128):
  """A smooth texture; frame t is moved by the sum of the first t shifts, in pixels."""
  noise = np.random.default_rng(5).normal(size=(size, size)).astype(np.float32)
  smooth = cv2.GaussianBlur(noise, (0, 0), 2.5)
  still = 20 + 200 * (smooth - smooth.min()) / np.ptp(smooth)
  clips = annotated(len(shifts) + 1, 0, len(shifts) // 2, len(shifts), size=size)
  clips.frames[0, ..., 0] = np.rint(still)
  for t, (u, v) in enumerate(np.cumsum(shifts, axis=0), 1):
    matrix = np.array([[1, 0, u], [0, 1, v]], np.float32)
    moved = cv2.warpAffine(still, matrix, (size, size), None, cv2.INTER_CUBIC, cv2.BORDER_REFLECT)
    clips.frames[t, ..., 0] = np.clip(np.rint(moved), 0, 255)
  return clips


@pytest.mark.parametrize("method", optical_flow.METHODS)
def test_directions_and_magnitudes_of_shifts(method):
  shifts = [(1.0, 0.0), (0.0, 0.8), (-0.7, -0.7), (0.5, -0.9)]
  motion = make("pooled_flow", shifted(*shifts), num_frames=6, method=method)["motion"]
  assert not np.any(motion[0, :2])
  cells = motion[0, 2:].reshape(4, 8, 8, 2)[:, 1:-1, 1:-1]
  u, v = np.array(shifts).T
  turned = np.angle(np.exp(1j * (cells[..., 0] - np.arctan2(v, u)[:, None, None])))
  assert np.abs(turned).mean() < 0.12
  np.testing.assert_allclose(cells[..., 1].mean(axis=(1, 2)), np.hypot(u, v), atol=0.12)


def test_magnitudes_are_those_of_a_face_128_wide():
  big = shifted((2.0, 0.0), (2.0, 0.0), size=256)
  motion = make("pooled_flow", big, num_frames=2)["motion"]
  np.testing.assert_allclose(motion[..., 1::2].mean(), 1.0, atol=0.1)


def test_a_cell_is_the_sum_of_its_flow(monkeypatch):
  """Where flow turns within a cell, the direction is that of the sum, not the mean of angles."""
  rng = np.random.default_rng(0)
  uv = rng.normal(size=(1, 19, 22, 2)).astype(np.float32)
  monkeypatch.setitem(optical_flow.METHODS, "farneback", lambda before, after: uv)
  clips = drawn([2], size=19)
  clips = dataclasses.replace(clips, frames=np.zeros((2, 19, 22, 1), np.uint8))
  motion = make("pooled_flow", clips, num_frames=1, grid=3, allow_small=True)["motion"]
  rows, columns = ([i * n // 3 for i in range(4)] for n in (19, 22))
  expected = []
  for i in range(3):
    for j in range(3):
      cell = uv[0, rows[i] : rows[i + 1], columns[j] : columns[j + 1]].reshape(-1, 2)
      u, v = cell.sum(axis=0)
      expected += [np.arctan2(v, u), np.hypot(*cell.T).mean() * 128 / 22]
  np.testing.assert_allclose(motion[0, 0], expected, rtol=1e-4, atol=1e-5)


def test_left_is_plus_pi(monkeypatch):
  uv = np.zeros((1, 16, 16, 2), np.float32)
  uv[..., 0], uv[..., 1] = -1, -0.0
  monkeypatch.setitem(optical_flow.METHODS, "farneback", lambda before, after: uv)
  motion = make("pooled_flow", drawn([2], size=16), num_frames=1, grid=2, allow_small=True)
  np.testing.assert_allclose(motion["motion"][0, 0, ::2], np.pi, rtol=1e-6)


def test_a_repeated_frame_leaves_no_gap():
  clips = shifted((1.0, 0.0), (0.0, 0.0), (0.0, 1.0))
  motion = make("pooled_flow", clips, num_frames=5)["motion"][0]
  moves = np.any(motion, axis=1)
  assert moves.tolist() == [False, False, False, True, True]


def test_a_clip_without_motion_is_all_zero():
  for clips in (annotated(1, 0, 0, 0), annotated(5, 2, 2, 2)):
    assert not np.any(make("pooled_flow", clips, num_frames=4, allow_small=True)["motion"])


def test_both_arrays_are_those_of_their_inputs_and_flow_is_shared_on_disk(tmp_path, monkeypatch):
  clips = drawn([5, 8], size=16)
  motion = {"num_frames": 6, "grid": 4, "allow_small": True}
  image = {"size": 7, "standardise": "clip"}
  cache = inputs.cache_in(tmp_path)
  alone = make("apex_frame", clips, cache, **image) | make("pooled_flow", clips, cache, **motion)
  # A second flow would fail.
  monkeypatch.setitem(optical_flow.METHODS, "farneback", None)
  both = make("apex_and_pooled_flow", clips, cache, **image, **motion)
  assert both.keys() == {"image", "motion"}
  for name, array in both.items():
    assert np.array_equal(array, alone[name])


def test_frames_too_small_are_refused():
  with pytest.raises(ConfigError, match=r"at least 128 x 128 pixels; these are 16 x 16"):
    make("pooled_flow", drawn([3], size=16))
  with pytest.raises(ConfigError, match=r"grid is 17 for frames of 16 x 16 pixels; lower it"):
    make("pooled_flow", drawn([3], size=16), grid=17, allow_small=True)
