"""TV-L1 against scikit-image's, and against motion that is known."""

import numpy as np
import pytest
from moved_textures import affine, moved, texture
from skimage.registration import optical_flow_tvl1

from mer_jax.errors import ConfigError, DataError
from mer_jax.inputs import tv_l1 as module
from mer_jax.inputs.tv_l1 import tv_l1

DRIFT = {"shift": (1.3, -0.6), "growth": 0.02, "turn": 0.03}


def peer(before: np.ndarray, after: np.ndarray, **parameters) -> np.ndarray:
  """scikit-image's flow of uint8 [H, W] twice as float32 [H, W, 2], u before v."""
  names = {"warps": "num_warp", "iterations": "num_iter", "tolerance": "tol"}
  computed = optical_flow_tvl1(before, after, **{names.get(k, k): v for k, v in parameters.items()})
  return np.stack([computed[1], computed[0]], axis=-1)


def noisy_pair(height: int, width: int, seed: int = 0) -> np.ndarray:
  rng = np.random.default_rng(seed)
  pair = moved(texture(height, width, seed), *affine(height, width, **DRIFT))
  return np.clip(pair + rng.normal(0, 1.5, pair.shape), 0, 255).astype(np.uint8)


def lengths(uv: np.ndarray) -> np.ndarray:
  return np.hypot(uv[..., 0], uv[..., 1])


# Sides that are halved twice, once and never; odd ones, where halving and nearest places tie.
@pytest.mark.parametrize("shape", [(80, 112), (57, 41), (33, 90), (32, 20), (16, 16)])
def test_it_gives_what_scikit_image_gives(shape):
  before, after = noisy_pair(*shape)
  wanted = peer(before, after)
  error = lengths(tv_l1(before[None], after[None])[0] - wanted)
  assert lengths(wanted).mean() > 0.5
  assert np.median(error) < 1e-4
  assert error.max() < 0.05  # where the sign of an error decides, rounding can


@pytest.mark.parametrize(
  "parameters",
  [
    {"attachment": 4.0},
    {"tightness": 0.1},
    {"warps": 2, "iterations": 17},
    {"tolerance": 0.5},
    {"tolerance": 1e-2, "warps": 20},
    {"tolerance": 0.0},
  ],
  ids=str,
)
def test_parameters_are_those_of_scikit_image(parameters):
  before, after = noisy_pair(48, 70, seed=3)
  wanted = peer(before, after, **parameters)
  computed = tv_l1(before[None], after[None], **parameters)[0]
  assert np.median(lengths(computed - wanted)) < 1e-4
  default = tv_l1(before[None], after[None])[0]
  if parameters != {"tolerance": 0.0}:  # which this pair does not reach anyway
    assert np.median(lengths(computed - default)) > 2e-3


@pytest.mark.parametrize(
  "motion",
  [
    {"shift": (0.25, 0.0), "growth": 0.0, "turn": 0.0},
    {"shift": (-0.4, 0.7), "growth": 0.0, "turn": 0.0},
    {"shift": (3.0, -2.0), "growth": 0.0, "turn": 0.0},
    {"shift": (0.0, 0.0), "growth": 0.015, "turn": 0.0},
    {"shift": (0.5, 0.3), "growth": -0.01, "turn": 0.02},
  ],
  ids=str,
)
def test_known_motion_is_recovered_to_a_tenth_of_a_pixel(motion):
  u, v = affine(72, 96, **motion)
  before, after = moved(texture(72, 96), u, v)
  # moved() says where a point came from: at its new place the motion is that of its old one.
  error = lengths(tv_l1(before[None], after[None])[0] - np.stack([u, v], axis=-1))
  assert error[6:-6, 6:-6].mean() < 0.1


@pytest.mark.parametrize("together", [1, 4])
def test_a_pair_alone_is_that_pair_among_others(monkeypatch, together):
  """Also of pairs that end at different times, and in a batch that is not full."""
  monkeypatch.setattr(module, "PAIRS_ON_CPU", together)
  still = texture(40, 48)
  pairs = [moved(still, 0.0, 0.0), moved(still, 2.5, -1.0), moved(still, 0.3, 0.0)]
  pairs += [noisy_pair(40, 48), moved(still, -1.2, 1.2)]
  before, after = np.stack(pairs, axis=1)
  many = tv_l1(before, after, tolerance=0.02)
  for b in range(len(before)):
    alone = tv_l1(before[b : b + 1], after[b : b + 1], tolerance=0.02)[0]
    assert np.array_equal(many[b], alone)
    assert np.median(lengths(alone - peer(before[b], after[b], tolerance=0.02))) < 1e-4


def test_the_number_of_pairs_in_a_program_does_not_matter(monkeypatch):
  before, after = np.stack([noisy_pair(36, 40, seed) for seed in range(3)], axis=1)
  one_by_one = tv_l1(before, after)
  monkeypatch.setattr(module, "PAIRS_ON_CPU", 2)
  np.testing.assert_allclose(tv_l1(before, after), one_by_one, atol=1e-3)


def test_one_compilation_serves_any_number_of_pairs():
  before, after = np.stack([noisy_pair(20, 24, seed) for seed in range(3)], axis=1)
  tv_l1(before[:1], after[:1])
  compiled = module._coarse_to_fine._cache_size()
  tv_l1(before, after, attachment=7.0, tolerance=0.1)
  assert module._coarse_to_fine._cache_size() == compiled


def test_what_is_turned_moves_turned():
  before, after = noisy_pair(40, 56)
  upright = tv_l1(before[None], after[None])[0]
  turned = tv_l1(before.T[None], after.T[None])[0]
  assert np.median(lengths(turned.transpose(1, 0, 2)[..., ::-1] - upright)) < 1e-4


def test_frames_that_are_equal_have_no_flow():
  frames = np.stack([texture(40, 40), np.full((40, 40), 90), np.zeros((40, 40))])
  assert not np.any(tv_l1(frames.astype(np.uint8), frames.astype(np.uint8)))
  black, white = np.zeros((1, 40, 40), np.uint8), np.full((1, 40, 40), 255, np.uint8)
  assert np.abs(tv_l1(black, white)).max() < 1e-5  # another brightness, and nothing to follow


def test_the_hardest_edges_give_finite_flow():
  rng = np.random.default_rng(0)
  stripes = np.tile(np.array([0, 255], np.uint8), (40, 20))
  frames = np.stack([stripes, rng.choice([0, 255], (40, 40)).astype(np.uint8)])
  for after in (frames[::-1], 255 - frames):
    uv = tv_l1(frames, after)
    assert np.all(np.isfinite(uv))
    assert lengths(uv).max() < 60


def test_gray_values_may_have_any_type():
  before, after = noisy_pair(24, 24)
  wanted = tv_l1(before[None], after[None])
  for dtype in (np.float32, np.float64, np.int16):
    np.testing.assert_allclose(
      tv_l1(before[None].astype(dtype), after[None].astype(dtype)), wanted, atol=1e-4
    )
  assert wanted.dtype == np.float32


def test_no_pairs_give_no_flow():
  none = np.zeros((0, 20, 30), np.uint8)
  assert tv_l1(none, none).shape == (0, 20, 30, 2)


@pytest.mark.parametrize(
  ("before", "after", "message"),
  [
    (np.zeros((2, 9, 9)), np.zeros((3, 9, 9)), r"same shape .* got \[2, 9, 9\] and \[3, 9, 9\]"),
    (np.zeros((9, 9)), np.zeros((9, 9)), r"two arrays \[B, H, W\].* got \[9, 9\]"),
    (np.zeros((1, 1, 9)), np.zeros((1, 1, 9)), r"at least 2 x 2 pixels; got \[1, 1, 9\]"),
    (np.zeros((1, 9, 9)), np.full((1, 9, 9), np.nan), r"must be finite numbers in 0\.\.255"),
  ],
)
def test_what_is_no_pair_of_frames_is_refused(before, after, message):
  with pytest.raises(DataError, match=message):
    tv_l1(before, after)


@pytest.mark.parametrize(
  ("parameters", "message"),
  [
    ({"attachment": 0.0}, r"attachment must be a finite number above 0; got 0\.0"),
    ({"tightness": float("nan")}, r"tightness must be a finite number above 0; got nan"),
    ({"warps": 0}, r"warps must be a whole number of at least 1; got 0"),
    ({"iterations": 2.5}, r"iterations must be a whole number of at least 1; got 2\.5"),
  ],
)
def test_parameters_out_of_range_are_refused(parameters, message):
  with pytest.raises(ConfigError, match=message):
    tv_l1(np.zeros((1, 9, 9)), np.zeros((1, 9, 9)), **parameters)
