"""Published flow maps as images."""

import numpy as np
import pytest
from drawn_frames import drawn

from mer_jax.clips import FLOW_MAPS
from mer_jax.errors import ConfigError
from mer_jax.inputs import make


@pytest.mark.parametrize("index", [0, 1])
def test_the_map_of_that_number_over_255(index):
  clips = drawn([4, 2, 3], channels=FLOW_MAPS)
  image = make("flow_maps", clips, index=index)["image"]
  for n in range(3):
    assert np.array_equal(np.rint(image[n] * 255), clips.frames_of(n)[index])
  assert image.max() <= 1


def test_a_map_that_some_clip_lacks_is_refused():
  clips = drawn([4, 2, 3], channels=FLOW_MAPS)
  with pytest.raises(ConfigError, match=r"no map 2 for 1 of 3 clips, .*casme2/sub01/EP01 with 2"):
    make("flow_maps", clips, index=2)


def test_a_size_enlarges_maps_and_keeps_what_they_show():
  clips = drawn([4, 2, 3], channels=FLOW_MAPS)
  small, large = (make("flow_maps", clips, size=size)["image"] for size in (0, 64))
  assert large.shape == (3, 64, 64, 3)
  np.testing.assert_allclose(large.mean((1, 2)), small.mean((1, 2)), atol=0.02)
  same = make("flow_maps", clips, size=small.shape[1])["image"]
  np.testing.assert_array_equal(same, small)
