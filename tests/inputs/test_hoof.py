"""Histograms of oriented flow against their definition, and planted motion."""

import importlib

import cv2
import numpy as np
import pytest
from drawn_frames import drawn
from moved_textures import texture

from mer_jax.errors import ConfigError
from mer_jax.inputs import cache_in, make, tim
from mer_jax.inputs.optical_flow import METHODS
from mer_jax.inputs.oriented_histograms import binned, fine_histograms, shares


def written(uv: np.ndarray, bins: int, symmetric: bool) -> np.ndarray:
  """float64 [bins]: the definition, pixel by pixel, not yet divided by its sum."""
  histogram = np.zeros(bins)
  low, width = (-np.pi / 2, np.pi / bins) if symmetric else (-np.pi, 2 * np.pi / bins)
  for u, v in uv.reshape(-1, 2).astype(float):
    theta = np.arctan2(v, abs(u)) if symmetric else np.arctan2(v, u)
    (b,) = (b for b in range(bins) if low + width * b <= theta < low + width * (b + 1))
    histogram[b] += np.sqrt(u**2 + v**2)
  return histogram


def filmed(motions, size: int = 128, still: np.ndarray | None = None):
  """One clip of a texture; frame t + 1 is frame t moved on by motions[t] pixels (u, v)."""
  still = texture(size, size) if still is None else still
  clips = drawn([len(motions) + 1], size=size)
  for t, (u, v) in enumerate(np.cumsum([(0, 0), *motions], axis=0)):
    shift = np.array([[1, 0, u], [0, 1, v]], np.float32)
    frame = cv2.warpAffine(
      still, shift, still.shape[::-1], None, cv2.INTER_CUBIC, cv2.BORDER_REFLECT
    )
    clips.frames[t, ..., 0] = np.clip(np.rint(frame), 0, 255)
  return clips


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("bins", [1, 3, 4, 8, 24])
def test_histograms_are_those_of_the_definition(bins, symmetric):
  uv = np.random.default_rng(bins).normal(size=(20, 30, 2)).astype(np.float32)
  result = binned(fine_histograms(uv, 1), bins, symmetric)
  np.testing.assert_allclose(result[0], written(uv, bins, symmetric), rtol=1e-5)


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("bins", [4, 8, 12])
def test_every_direction_has_its_bin(bins, symmetric):
  low, circle = (-np.pi / 2, np.pi) if symmetric else (-np.pi, 2 * np.pi)
  for b in range(bins):
    theta = low + circle * (b + 0.5) / bins
    vector = np.array([np.cos(theta), np.sin(theta)], np.float32)
    for u_sign in (1, -1) if symmetric else (1,):
      uv = np.tile(vector * (u_sign, 1), (4, 4, 1)).astype(np.float32)
      result = binned(fine_histograms(uv, 1), bins, symmetric)[0]
      np.testing.assert_allclose(result, 16 * np.eye(bins)[b], rtol=1e-5)


def test_vectors_on_an_edge_belong_to_the_bin_that_begins_there():
  edges = {(0, -1): 0, (1, -1): 2, (-1, -1): 2, (1, 0): 4, (-1, 0): 4, (1, 1): 6, (0, 1): 7}
  for vector, b in edges.items():
    uv = np.full((1, 1, 2), vector, np.float32)
    assert np.argmax(binned(fine_histograms(uv, 1), 8, True)) == b


def test_blocks_divide_the_image_row_by_row():
  uv = np.random.default_rng(0).normal(size=(7, 8, 2)).astype(np.float32)
  result = binned(fine_histograms(uv, 2), 8, False)
  rows, columns = (slice(0, 4), slice(4, 7)), (slice(0, 4), slice(4, 8))
  parts = [uv[row, column] for row in rows for column in columns]
  wanted = [binned(fine_histograms(part, 1), 8, False)[0] for part in parts]
  np.testing.assert_allclose(result, wanted, rtol=1e-12)


def test_shares_sum_to_one_and_are_equal_where_nothing_moves():
  histograms = np.array([[[1.0, 3.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
  assert shares(histograms, (1, 2)).tolist() == [[[0.25, 0.75], [0, 0]], [[0.25] * 2, [0.25] * 2]]
  assert shares(histograms, (2,))[0].tolist() == [[0.25, 0.75], [0.5, 0.5]]


# Directions well inside a bin of both kinds.
MOTIONS = ((1.0, 0.67), (-0.24, 1.2), (0.45, -0.67), (-1.2, -0.24))


@pytest.mark.parametrize("method", METHODS)
def test_planted_motion_lands_in_its_bin_frame_by_frame(method):
  clips = filmed(MOTIONS, size=64)
  for symmetric in (True, False):
    made = make(
      "hoof", clips, flows=4, bins=8, method=method, symmetric=symmetric, allow_small=True
    )["features"]
    frames = made.reshape(4, 8)
    wanted = [np.argmax(written(np.array([m]), 8, symmetric)) for m in MOTIONS]
    assert np.argmax(frames, axis=1).tolist() == wanted
    assert frames.max(axis=1).min() > 0.8
    np.testing.assert_allclose(frames.sum(axis=1), 1, rtol=1e-6)


def test_a_mirrored_clip_has_the_same_symmetric_histogram():
  clips = filmed(MOTIONS)
  mirrored = filmed(MOTIONS)
  mirrored.frames[:] = clips.frames[:, :, ::-1]
  symmetric = [make("hoof", c, flows=4, bins=8)["features"] for c in (clips, mirrored)]
  assert np.abs(symmetric[0] - symmetric[1]).max() < 0.02
  full = [make("hoof", c, flows=4, bins=8, symmetric=False)["features"] for c in (clips, mirrored)]
  assert np.abs(full[0] - full[1]).max() > 0.5


def test_larger_motion_weighs_more():
  """The left half moves down by 2 pixels, the right half up by 1."""
  still = texture(64, 128)
  v = np.where(np.arange(128) < 64, 2.0, -1.0)
  y, x = np.indices((64, 128), np.float32)
  after = cv2.remap(still, x, (y - v).astype(np.float32), cv2.INTER_CUBIC, None, cv2.BORDER_REFLECT)
  clips = drawn([2], size=128)
  for t, frame in enumerate((still, after)):
    clips.frames[t, ..., 0] = np.clip(np.rint(np.vstack([frame, frame[::-1]])), 0, 255)
  clips.frames[:, 64:] = clips.frames[:, :64]  # no part moves the other way
  up, *_, down = make("hoof", clips, flows=1, bins=4)["features"][0]
  assert down / up == pytest.approx(2, rel=0.2)


def test_four_bins_are_the_sums_of_two_of_eight():
  clips = drawn([5, 3], size=32)
  for symmetric in (True, False):
    four, eight = (
      make("hoof", clips, flows=3, bins=b, blocks=2, symmetric=symmetric, allow_small=True)
      for b in (4, 8)
    )
    pairs = eight["features"].reshape(2, 3 * 4 * 4, 2).sum(axis=-1)
    np.testing.assert_allclose(four["features"], pairs.reshape(2, -1), rtol=1e-5)


def test_flow_is_that_between_neighbours_of_tims_frames():
  clips = drawn([6, 1, 4], size=24)
  made = make("hoof", clips, flows=5, bins=8, method="farneback", allow_small=True)["features"]
  assert made.shape == (3, 5 * 8)
  for n in (0, 2):
    frames = tim.resampled(clips.frames_of(n)[..., 0], 6)
    for t in range(5):
      uv = METHODS["farneback"](frames[t : t + 1], frames[t + 1 : t + 2])[0]
      wanted = written(uv, 8, True)
      np.testing.assert_allclose(made[n, 8 * t : 8 * t + 8], wanted / wanted.sum(), rtol=1e-3)
  assert np.allclose(made[1], 1 / 8)  # a clip of one frame rests


def test_head_motion_can_be_taken_out():
  bump = 2 * np.exp(-(((np.indices((128, 128)) - 64) / 14.0) ** 2).sum(axis=0) / 2)
  still = texture(128, 128)
  y, x = np.indices((128, 128), np.float32)
  clips = drawn([2], size=128)
  frames = still, cv2.remap(still, x + 1.5, (y + bump).astype(np.float32), cv2.INTER_CUBIC)
  clips.frames[..., 0] = np.clip(np.rint(np.stack(frames)), 0, 255)
  inner = drawn([2], size=112)
  inner.frames[:] = clips.frames[:, 8:-8, 8:-8]
  options = {"flows": 1, "bins": 4, "symmetric": False, "allow_small": True}
  kept = make("hoof", inner, **options)["features"][0]
  taken = make("hoof", inner, head_motion="translation", **options)["features"][0]
  assert kept[0] + kept[3] > 0.9  # to the left, and above or below it
  assert taken[[0, 1]].sum() > 0.75  # up


def test_the_flow_is_shared_by_all_bins_and_no_other_option(tmp_path, monkeypatch):
  module = importlib.import_module("mer_jax.inputs.hoof")  # the package has the function there
  clips, computed, between = drawn([4, 3], size=16), [], module.between

  def counted(*arguments):
    computed.append(arguments)
    return between(*arguments)

  monkeypatch.setattr(module, "between", counted)
  cache = cache_in(tmp_path)
  for options in ({"bins": 8}, {"bins": 4}, {"bins": 8, "symmetric": False}, {"bins": 24}):
    make("hoof", clips, cache, flows=2, allow_small=True, **options)
  assert len(computed) == 1
  for options in ({"flows": 3}, {"blocks": 2}, {"method": "dis"}, {"head_motion": "affine"}):
    make("hoof", clips, cache, allow_small=True, **{"flows": 2, **options})
  assert len(computed) == 5
  again = make("hoof", clips, cache, flows=2, bins=4, allow_small=True)["features"]
  assert len(computed) == 5
  assert np.array_equal(again, make("hoof", clips, flows=2, bins=4, allow_small=True)["features"])


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"bins": 5}, r"a half circle .* one of 1, 2, 3, 4, 6, 8, 12, 24; got 5"),
    ({"bins": 32, "symmetric": False}, r"a full circle .* 24, 48; got 32"),
    ({"bins": 0}, r"bins must be a whole number of at least 1; got 0"),
    ({"flows": 0}, r"flows must be a whole number of at least 1; got 0"),
    ({"blocks": 17}, r"blocks must be at most the pixels of a side; got 17, 16x16"),
    ({"symmetric": "no"}, r"symmetric must be True or False; got 'no'"),
    ({"method": "lk"}, r"Known: dis, farneback, tv_l1"),
    ({"head_motion": "rigid"}, r"Known: affine, keep, translation"),
    ({"allow_small": False}, r"at least 128 x 128 pixels; these are 16 x 16"),
  ],
)
def test_bad_options_are_refused(options, message):
  with pytest.raises(ConfigError, match=message):
    make("hoof", drawn([3], size=16), **{"allow_small": True, **options})
