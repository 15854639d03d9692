"""Optical flow against motion that is known."""

import dataclasses

import cv2
import numpy as np
import pytest
from drawn_frames import drawn
from hypothesis import given
from hypothesis import strategies as st

from mer_jax.errors import ConfigError
from mer_jax.inputs import cache_in, make
from mer_jax.inputs.flow import MOTION_UNIT, SCALINGS, STRAIN_UNIT, strain
from mer_jax.inputs.optical_flow import METHODS
from mer_jax.inputs.threads import one_thread_in_opencv

SIZE = 128


@pytest.fixture(scope="module")
def texture() -> np.ndarray:
  """float32 [H, W] in 20..220, smooth over a few pixels as skin is."""
  noise = np.random.default_rng(5).normal(size=(SIZE, SIZE)).astype(np.float32)
  smooth = cv2.GaussianBlur(noise, (0, 0), 2.5)
  return 20 + 200 * (smooth - smooth.min()) / np.ptp(smooth)


def filmed(texture: np.ndarray, u: np.ndarray, v: np.ndarray):
  """A clip of two frames in which the point (x, y) of the second came from (x - u, y - v)."""
  y, x = np.indices(texture.shape, np.float32)
  after = cv2.remap(
    texture, (x - u).astype(np.float32), (y - v).astype(np.float32), cv2.INTER_CUBIC,
    borderMode=cv2.BORDER_REFLECT,
  )  # fmt: skip
  clips = drawn([2], size=len(texture), apex=[1])
  clips.frames[..., 0] = np.clip(np.rint(np.stack([texture, after])), 0, 255)
  return clips


def smile(peak: float) -> tuple[np.ndarray, np.ndarray]:
  """A local pull up and to the right, `peak` pixels at its centre."""
  y, x = np.indices((SIZE, SIZE), np.float32)
  bump = np.exp(-((x - 84) ** 2 + (y - 84) ** 2) / (2 * 12**2))
  return peak * 0.8 * bump, -peak * 0.6 * bump


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("u", "v"), [(0.3, 0.0), (-1.0, 0.5), (2.5, -1.5)])
def test_a_translation_is_recovered(texture, method, u, v):
  clips = filmed(texture, np.full_like(texture, u), np.full_like(texture, v))
  image = make("flow", clips, method=method, scaling="fixed")["image"][0, 4:-4, 4:-4]
  error = image[..., :2] * MOTION_UNIT - (u, v)
  assert np.sqrt((error**2).sum(axis=-1)).mean() < 0.12
  assert image[..., 2].mean() * STRAIN_UNIT < 0.03


def test_dis_resolves_a_third_of_a_pixel_of_fine_texture():
  noise = np.random.default_rng(7).normal(size=(SIZE, SIZE)).astype(np.float32)
  fine = cv2.GaussianBlur(noise, (0, 0), 1.5)
  fine = 20 + 200 * (fine - fine.min()) / np.ptp(fine)
  clips = filmed(fine, np.full_like(fine, 0.3125), np.zeros_like(fine))
  uv = METHODS["dis"](*clips.frames[:, None, ..., 0])[0, 8:-8, 8:-8]
  assert np.hypot(uv[..., 0] - 0.3125, uv[..., 1]).mean() < 0.075  # 0.11 at the preset's own scale


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("peak", [1.0, 3.0])
def test_a_local_motion_is_recovered_in_place_size_and_direction(texture, method, peak):
  u, v = smile(peak)
  image = make("flow", filmed(texture, u, v), method=method, scaling="fixed")["image"][0]
  wanted = cv2.resize(np.dstack([u, v]), (28, 28), interpolation=cv2.INTER_AREA)
  error = np.sqrt(((image[..., :2] * MOTION_UNIT - wanted) ** 2).sum(axis=-1))
  assert error.mean() < 0.1 * peak
  row, column = np.unravel_index(np.argmax(np.hypot(image[..., 0], image[..., 1])), (28, 28))
  assert max(abs(row - 18), abs(column - 18)) <= 2
  assert image[18, 18, 0] > 0 > image[18, 18, 1]


def test_head_motion_is_taken_out_and_the_expression_stays(texture):
  u, v = smile(3.0)
  y, x = np.indices(texture.shape, np.float32)
  turn = 0.01 * (x - 64), 0.01 * (y - 64)
  for kind, drift in (("translation", (1.5, -1.0)), ("affine", turn)):
    image = make(
      "flow", filmed(texture, u + drift[0], v + drift[1]), scaling="fixed", head_motion=kind
    )["image"][0, 2:-2, 2:-2, :2]
    alone = make("flow", filmed(texture, u, v), scaling="fixed", head_motion=kind)["image"][
      0, 2:-2, 2:-2, :2
    ]
    assert np.abs(image - alone).mean() * MOTION_UNIT < 0.15


def test_minmax_spans_zero_to_one_in_every_channel(texture):
  image = make("flow", filmed(texture, *smile(2.0)))["image"][0]
  assert image.shape == (28, 28, 3)
  assert image.min(axis=(0, 1)).tolist() == [0, 0, 0]
  assert image.max(axis=(0, 1)).tolist() == [1, 1, 1]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scaling", ["minmax", "fixed"])
def test_a_clip_whose_apex_is_its_onset_has_no_flow(texture, scaling, method):
  clips = filmed(texture, *smile(2.0))
  clips = dataclasses.replace(clips, apex=np.zeros(1, np.int32))
  assert np.abs(make("flow", clips, scaling=scaling, method=method)["image"]).max() < 1e-6


def test_flow_is_in_pixels_of_a_face_128_wide_whatever_is_stored(texture):
  u, v = smile(3.0)
  stored = make("flow", filmed(texture, u, v), scaling="fixed")["image"]
  double = [cv2.resize(2 * x, (256, 256), interpolation=cv2.INTER_CUBIC) for x in (u, v)]
  large = filmed(cv2.resize(texture, (256, 256), interpolation=cv2.INTER_CUBIC), *double)
  image = make("flow", large, scaling="fixed")["image"]
  assert np.abs(image - stored)[..., :2].mean() * MOTION_UNIT < 0.1
  assert image[..., 2].max() == pytest.approx(stored[..., 2].max(), rel=0.35)


@given(st.lists(st.floats(-2, 2), min_size=6, max_size=6))
def test_strain_of_a_linear_field_is_exact(coefficients):
  a, b, c, d, e, f = coefficients
  y, x = np.indices((9, 11), np.float64)
  uv = np.dstack([a + b * x + c * y, d + e * x + f * y])
  wanted = np.sqrt(b**2 + f**2 + (c + e) ** 2 / 2)
  np.testing.assert_allclose(strain(uv), wanted, atol=1e-9)


def test_a_rotation_has_no_strain():
  y, x = np.indices((9, 9), np.float64)
  assert np.abs(strain(np.dstack([-0.1 * y, 0.1 * x]))).max() < 1e-12


def test_small_frames_are_refused_unless_allowed():
  with pytest.raises(ConfigError, match=r"at least 128 x 128 pixels; these are 48 x 48.*frames128"):
    make("flow", drawn([3], size=48))
  assert make("flow", drawn([3], size=48), allow_small=True)["image"].shape == (1, 28, 28, 3)
  with pytest.raises(ConfigError, match=r"at least 16 x 16 pixels; these are 8 x 8"):
    make("flow", drawn([3], size=8), allow_small=True)


def test_the_maps_are_shared_by_all_scalings_and_no_other_option(texture, tmp_path, monkeypatch):
  computed, method = [], METHODS["dis"]

  def counted(before, after):
    computed.append(before)
    return method(before, after)

  monkeypatch.setitem(METHODS, "dis", counted)
  clips = filmed(texture, *smile(2.0))
  alone = {scaling: make("flow", clips, scaling=scaling)["image"] for scaling in SCALINGS}
  computed.clear()
  cache = cache_in(tmp_path)
  for scaling in (*SCALINGS, *SCALINGS):
    assert np.array_equal(make("flow", clips, cache, scaling=scaling)["image"], alone[scaling])
  assert len(computed) == 1
  small = make("flow", clips, cache, size=7)["image"]
  moved = make("flow", clips, cache, head_motion="affine")["image"]
  assert len(computed) == 3
  assert small.shape == (1, 7, 7, 3)
  assert not np.array_equal(moved, alone["minmax"])


def test_opencvs_threads_change_nothing_and_are_given_back(texture):
  clips = filmed(texture, *smile(2.0))
  threads = cv2.getNumThreads()
  made = []
  for count in (1, 3):
    cv2.setNumThreads(count)
    made.append(make("flow", clips)["image"])
    assert cv2.getNumThreads() == count
  cv2.setNumThreads(threads)
  assert np.array_equal(*made)
  with pytest.raises(RuntimeError, match="inside"), one_thread_in_opencv():
    raise RuntimeError("inside")
  assert cv2.getNumThreads() == threads
