"""The face of a person as it looks in one clip, before it moves."""

import dataclasses
import functools

import cv2
import numpy as np

from data_builders.synthetic import warp
from data_builders.synthetic.face import Box
from data_builders.synthetic.scene import expressed, pixel_grid
from mer_jax.face.anatomy import Identity


@dataclasses.dataclass(frozen=True)
class Look:
  """How a neutral face differs from clip to clip: muscle tone at rest, and the light on it."""

  person: Identity
  names: list[str]
  weights: np.ndarray
  light: np.ndarray


class ClipTextures:
  """The stages of a face in the look of one clip, made on first use."""

  def __init__(
    self, stages: list[np.ndarray], box: Box, density: float, gray: bool, look: Look
  ) -> None:
    self._stages, self._box, self._density, self._gray = stages, box, density, gray
    self._look = look
    self._made: dict[int, np.ndarray] = {}

  def stage(self, index: int) -> np.ndarray:
    if index not in self._made:
      image = self._stages[index]
      if self._gray:
        image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
      at, light = self._warp_and_light
      moved = warp.read_at(image, at)
      lit = moved * (light if self._gray else light[..., None])
      self._made[index] = np.clip(lit + 0.5, 0, 255).astype(np.uint8)
    return self._made[index]

  @functools.cached_property
  def _warp_and_light(self) -> tuple[np.ndarray, np.ndarray]:
    height, width = self._stages[0].shape[:2]
    columns, rows = max(2, width // 8), max(2, height // 8)
    nodes = pixel_grid(columns, rows, width, height)
    place = nodes / np.float32(self._density) + np.array(self._box[:2], np.float32)
    tone = expressed(self._look.person, self._look.names, self._look.weights, place)
    shift = cv2.resize(tone * np.float32(self._density), (width, height))
    dark, across, down = self._look.light
    light = 1 + 0.5 * dark + np.clip(across * place[..., 0] + down * place[..., 1], -0.1, 0.1)
    return pixel_grid(width, height) + shift, cv2.resize(light.astype(np.float32), (width, height))
