"""Flow maps against the head's shift, in units of their own size."""

import jax.numpy as jnp
import numpy as np
import pytest
from drawn_frames import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from mer_jax.clips import FLOW_MAPS
from mer_jax.errors import ConfigError
from mer_jax.inputs import make
from mer_jax.inputs.relative import LARGEST, relative


def maps(seed=0, shape=(3, 2, 9, 8, 3)):
  values = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
  values[..., 2] = np.abs(values[..., 2])
  return values


def by_numpy(clip):
  """What the docstring says, of one clip [T, H, W, 3], with numpy's median."""
  moved = clip[..., :2] - np.median(clip[..., :2], axis=(1, 2), keepdims=True)
  strain = clip[..., 2:]
  parts = [part / np.sqrt((part**2).mean()) for part in (moved, strain)]
  return np.clip(np.concatenate(parts, -1), -LARGEST, LARGEST)


def test_what_the_formula_says():
  # Odd numbers of pixels, for which all medians are one.
  given = maps(shape=(3, 2, 9, 7, 3))
  for clip, result in zip(given, relative(given), strict=True):
    assert np.allclose(result, by_numpy(clip), atol=1e-5)


def test_jax_computes_the_same():
  assert np.allclose(relative(jnp.asarray(maps())), relative(maps()), atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(
  shift=st.tuples(st.floats(-5, 5), st.floats(-5, 5)),
  size=st.floats(0.05, 20),
  of_strain=st.floats(0.05, 20),
)
def test_neither_shift_nor_unit_matters(shift, size, of_strain):
  changed = maps() * np.array([size, size, of_strain], np.float32)
  changed[..., :2] += np.array(shift, np.float32)
  assert np.allclose(relative(changed), relative(maps()), atol=1e-2)


def test_maps_that_do_not_count_are_0_and_change_nothing():
  mask = np.array([[True, True], [True, False], [True, True]])
  given = maps()
  result = relative(given, mask)
  assert not result[1, 1].any()
  given[1, 1] = 99
  assert np.array_equal(relative(given, mask), result)
  assert np.allclose(result[1, 0], relative(given[1:2, :1])[0, 0], atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 1, 5, 5, 3), (0, 1, 5, 5, 3)])
def test_rest_stays_rest(shape):
  assert not relative(np.zeros(shape, np.float32)).any()


def test_maps_of_an_archive_and_unknown_normalisations():
  clips = drawn([4, 2, 3], channels=FLOW_MAPS)
  image = make("flow_maps", clips, index=1)["image"]
  normalised = make("flow_maps", clips, index=1, normalise="relative")["image"]
  assert np.array_equal(normalised, relative(image[:, None])[:, 0])
  with pytest.raises(ConfigError, match=r"normalise.*standard.*none, relative"):
    make("flow_maps", clips, normalise="standard")
