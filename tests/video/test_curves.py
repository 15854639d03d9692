"""How far regions have moved: known motion of a drawn texture is measured, the head's is not."""

import cv2
import numpy as np
import pytest

from mer_jax.video import curves, regions
from mer_jax.video.curves import RegionMotion, region_motion

CORNER, CHIN = regions.REGIONS.index("left mouth corner"), regions.REGIONS.index("chin")


@pytest.fixture(scope="module")
def face() -> np.ndarray:
  """uint8 [128, 128], a texture as fine as a face's."""
  grain = np.random.default_rng(0).normal(128, 90, (128, 128)).astype(np.float32)
  return cv2.GaussianBlur(grain, (0, 0), 2).clip(0, 255).astype(np.uint8)


def moved(face: np.ndarray, uv: np.ndarray) -> np.ndarray:
  """`face` with every pixel moved by `uv` [H, W, 2], which must be smooth."""
  grid = np.stack(np.meshgrid(*[np.arange(128, dtype=np.float32)] * 2), -1)
  at = (grid - uv).astype(np.float32)
  return cv2.remap(face, at, np.empty(0, np.float32), cv2.INTER_CUBIC, borderMode=1)


def corner_pulled(pixels: float) -> np.ndarray:
  """float32 [H, W, 2]: the left mouth corner goes up."""
  x, y = np.moveaxis(regions.places(), -1, 0)
  bump = np.exp(-0.5 * (((x - 0.19) / 0.08) ** 2 + ((y - 0.5) / 0.08) ** 2))
  return np.stack([0 * bump, -pixels * bump], -1).astype(np.float32)


@pytest.mark.parametrize("pixels", [0.5, 2.0])
def test_a_region_that_moves_is_measured_and_others_are_not(face, pixels):
  uv = corner_pulled(pixels)
  expected = regions.weights() @ uv.reshape(-1, 2)
  measured, _ = region_motion(face, moved(face, uv))
  assert measured[CORNER, 1] == pytest.approx(expected[CORNER, 1], rel=0.2)
  upper = [i for i, name in enumerate(regions.REGIONS) if "brow" in name]
  assert np.abs(measured[upper]).max() < 0.12 * pixels


def test_motion_of_the_head_is_removed_and_reported(face):
  head = np.array([1.5, -1.0, 2.0, 1.0, 3.0, 2.0], np.float32)
  uv = curves._head_basis() @ head  # shift, turn, growth, turns to the side and up
  assert np.abs(uv).max() > 3
  assert np.abs(curves.without_head(uv)).max() < 1e-3
  measured, found = region_motion(face, moved(face, uv))
  assert np.linalg.norm(measured, axis=-1).max() < 0.25
  assert found[:2] == pytest.approx(head[:2], abs=0.5)


def test_every_frame_has_a_row_and_high_rates_are_thinned(face):
  assert [curves.stride_of(fps) for fps in (25, 29.97, 30, 60, 100, 200)] == [1, 1, 1, 2, 3, 6]
  measure = RegionMotion(200)
  for t in range(25):
    measure.add(face, t / 200)
  made = measure.curves()
  assert made.frame.tolist() == [0, 6, 12, 18, 24]
  assert made.fps == pytest.approx(200 / 6)
  assert made.position.shape == (5, len(regions.REGIONS), 2)


def test_positions_go_on_over_keyframes_and_alignments_but_not_over_gaps(face):
  measure = RegionMotion(30)
  for t in range(75):  # two keyframes
    if t == 40:
      measure.new_window()
    pixels = 1.5 * min(t / 60, 1.0)
    shift = np.float32([3.0, 0.0]) if t >= 40 else np.float32([0.0, 0.0])
    measure.add(moved(face, corner_pulled(pixels) + shift), t / 30)
  measure.add(None, 75 / 30)
  measure.add(face, 76 / 30)
  made = measure.curves()
  expected = 1.5 * (regions.weights() @ corner_pulled(1.0).reshape(-1, 2))[CORNER, 1]
  assert made.position[74, CORNER, 1] == pytest.approx(expected, rel=0.25)
  assert made.usable.tolist() == [True] * 75 + [False, True]
  assert made.stretch[76] > made.stretch[74]
  assert np.all(made.position[76] == 0)
  assert np.all(made.motion[75:] == 0)


def test_no_frame_gives_empty_curves():
  made = RegionMotion(30).curves()
  assert made.position.shape == (0, len(regions.REGIONS), 2)
  assert made.motion.shape == (0, len(regions.REGIONS))


def test_motion_is_the_distance_from_a_third_of_a_second_earlier():
  position = np.zeros((30, 1, 2), np.float32)
  position[:, 0, 0] = np.arange(30)
  usable, stretch = np.ones(30, bool), np.zeros(30, np.int64)
  motion = curves.windowed(position, usable, stretch, 10)[:, 0]
  assert motion[:10].tolist() == list(range(10))
  assert np.all(motion[10:] == 10)
