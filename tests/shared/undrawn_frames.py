"""Frames for tests of trees, names and sheets, which do not depend on what the frames show."""

from collections.abc import Iterator

import numpy as np
import pytest

from data_builders.synthetic.render import Studio
from data_builders.synthetic.scene import Scene


def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
  """Puts noise of its own for each clip, of the same shape, in place of drawn frames."""
  monkeypatch.setattr(Studio, "frames", _noise)


def _noise(studio: Studio, scene: Scene) -> Iterator[np.ndarray]:
  clip, view = scene.clip, scene.view
  gray = not studio.setting.corpus.colour or clip.camera == "NIR"
  shape = (view.height, view.width) if gray else (view.height, view.width, 3)
  rng = np.random.default_rng([clip.subject, clip.index, clip.camera_number])
  for _ in range(clip.num_frames):
    yield rng.integers(0, 256, shape, np.uint8)
