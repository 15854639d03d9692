"""Bi-weighted oriented optical flow: what each of its two weights does."""

import dataclasses

import cv2
import numpy as np
import pytest
from drawn_frames import drawn
from moved_textures import moved, texture

from mer_jax.errors import ConfigError
from mer_jax.inputs import make
from mer_jax.inputs.flow import strain
from mer_jax.inputs.optical_flow import between


def filmed(u: np.ndarray, v: np.ndarray):
  clips = drawn([2], size=128, apex=[1])
  clips.frames[..., 0] = moved(texture(128, 128), u, v)
  return clips


@pytest.fixture(scope="module")
def pull():
  """A clip whose upper left part is pulled up and to the right, by 3 pixels in its middle."""
  y, x = np.indices((128, 128))
  bump = np.exp(-((x - 38) ** 2 + (y - 38) ** 2) / (2 * 9**2))
  return filmed(2.7 * bump, -1.4 * bump)


def test_it_is_the_product_of_its_two_weights(pull):
  features = make("bi_woof", pull, method="farneback")["features"]
  assert features.shape == (1, 200)
  uv = between(*pull.frames[:, None, ..., 0], "farneback")[0]
  row, column = np.indices((128, 128)) * 5 // 128
  for block in range(25):
    inside = (row == block // 5) & (column == block % 5)
    u, v = uv[inside].T.astype(float)
    edges = -np.pi + 2 * np.pi * np.arange(9) / 8
    histogram, _ = np.histogram(np.arctan2(v, u), edges, weights=np.hypot(u, v))
    wanted = histogram / histogram.sum() * strain(uv)[inside].mean() * 400
    own = features[0, 8 * block : 8 * block + 8]
    np.testing.assert_allclose(own, wanted, rtol=1e-3, atol=1e-3 * wanted.sum())


def test_where_the_face_deforms_and_where_it_is_pulled_to(pull):
  features = make("bi_woof", pull)["features"].reshape(5, 5, 8)
  amounts = features.sum(axis=-1)
  assert np.unravel_index(np.argmax(amounts), (5, 5)) == (1, 1)
  assert np.argmax(features[1, 1]) == 3  # -45 to 0 degrees: right and up
  assert amounts[3:, 3:].max() < 0.1 * amounts.max()


def test_a_head_that_only_shifts_weighs_little(pull):
  shifted = filmed(np.full((128, 128), 1.5), np.full((128, 128), -1.0))
  still = dataclasses.replace(pull, apex=np.zeros(1, np.int32))
  amounts = [make("bi_woof", c)["features"].reshape(5, 5, 8)[1:4, 1:4] for c in (pull, shifted)]
  assert amounts[1].sum(axis=-1).max() < 0.5 * amounts[0].sum(axis=-1).max()
  assert not np.any(make("bi_woof", still)["features"])


def test_its_scale_does_not_depend_on_the_pixels_stored(pull):
  large = drawn([2], size=256, apex=[1])
  for t in range(2):
    large.frames[t, ..., 0] = cv2.resize(pull.frames[t, ..., 0], (256, 256))
  small, big = (make("bi_woof", c)["features"].reshape(25, 8).sum(axis=1) for c in (pull, large))
  assert big.max() == pytest.approx(small.max(), rel=0.25)


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"bins": 7}, r"a full circle .* got 7"),
    ({"blocks": 0}, r"blocks must be a whole number of at least 1; got 0"),
    ({"method": "lk"}, r"Known: dis, farneback, tv_l1"),
    ({"allow_small": False}, r"at least 128 x 128 pixels"),
  ],
)
def test_bad_options_are_refused(options, message):
  with pytest.raises(ConfigError, match=message):
    make("bi_woof", drawn([3], size=16), **{"allow_small": True, **options})
