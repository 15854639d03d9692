"""Turns scenes into frames.

For each pixel q of a frame the face is read at the place p that moved there, so the backward
field is the inverse of the forward field. Fields are smooth: they live on a coarse grid and are
enlarged, which leaves one remap of the texture per frame.
"""

import functools
import threading
from collections.abc import Iterator

import cv2
import numpy as np

from data_builders.synthetic import plan, warp
from data_builders.synthetic.face import LID_LEVELS, Box, draw_face
from data_builders.synthetic.plan import PlannedClip
from data_builders.synthetic.scene import Scene, Setting, View, backward_fields, pixel_grid
from data_builders.synthetic.texture import ClipTextures, Look
from mer_jax.face.anatomy import draw_identity

SENSOR_NOISE = 1.8  # grey levels, at every size: the camera's, not the scene's
_NEAR_INFRARED_NOISE = 2.6


class Studio:
  """Makes the frames of one corpus; safe to share between threads.

  Args:
    setting: what its clips have in common.
  """

  def __init__(self, setting: Setting) -> None:
    self.setting = setting
    self._lock = threading.Lock()
    self._faces = functools.lru_cache(maxsize=4)(self._draw)

  def frames(self, scene: Scene) -> Iterator[np.ndarray]:
    """Yields the frames, uint8 [H, W, 3] in BGR or [H, W] for a gray camera."""
    clip, view = scene.clip, scene.view
    gray = not self.setting.corpus.colour or clip.camera == "NIR"
    box, density = self._box(), self._density()
    textures = ClipTextures(self._face(clip.subject), box, density, gray, self._look(clip))
    grid = pixel_grid(view.width, view.height)
    start = (view.to_face(grid) - np.array(box[:2], np.float32)) * np.float32(density) - 0.5
    to_texture = view.turn(-1) / view.scale * density
    noise = noise_bank(view.width, view.height, 1 if gray else 3)
    sigma = _NEAR_INFRARED_NOISE if clip.camera == "NIR" else SENSOR_NOISE
    rng = self.setting.stream(plan.NOISE, clip.subject, clip.index, clip.camera_number)
    for t, backward in enumerate(backward_fields(scene)):
      shift = cv2.resize(
        backward @ to_texture.T, (view.width, view.height), None, 0, 0, cv2.INTER_CUBIC
      )
      stage = round(float(scene.motion.lids[t]) * (LID_LEVELS - 1))
      clean = warp.read_at(textures.stage(stage), start + shift)
      grain = pick_noise(noise, view, rng)
      gain = float(scene.motion.gain[t])
      yield cv2.addWeighted(clean, gain, grain, sigma / 32, -128 * sigma / 32)

  def _box(self) -> Box:
    width, height = self.setting.corpus.frame[self.setting.tree]
    above = self.setting.corpus.eye_line[self.setting.tree] * height
    return (-width / 2 - 0.15, -above - 0.15, width / 2 + 0.15, height - above + 0.15)

  def _density(self) -> float:
    """Texture pixels per face width: finer than the frame as long as that is cheap."""
    return self.setting.size * (
      2.0 if self.setting.size <= 130 else 1.5 if self.setting.size <= 260 else 1.0
    )

  def _face(self, subject: int) -> list[np.ndarray]:
    with self._lock:  # one thread draws, the others find it drawn
      return self._faces(subject)

  def _draw(self, subject: int) -> list[np.ndarray]:
    person = draw_identity(self.setting.stream(plan.IDENTITY, subject))
    density = self._density()
    return draw_face(person, self._box(), density, 0.5 * density / self.setting.size)

  def _look(self, clip: PlannedClip) -> Look:
    rng = self.setting.stream(plan.NUISANCE, clip.subject, clip.index, 9)
    person = draw_identity(self.setting.stream(plan.IDENTITY, clip.subject))
    units = rng.choice(["1", "2", "4", "7", "12", "14", "15", "20"], size=4, replace=False)
    names = [f"{side}{unit}" for unit in units for side in "LR"]
    weights = 0.0035 * rng.normal(size=len(names)).astype(np.float32)
    return Look(person, names, weights, 0.05 * rng.normal(size=3))


@functools.lru_cache(maxsize=4)
def noise_bank(width: int, height: int, channels: int) -> np.ndarray:
  """uint8 [6, H + 64, W + 64(, 3)] around 128 with deviation 32, faintly correlated like a sensor.

  Drawing fresh noise for every frame would cost more than the frame; crops of a bank do not.
  """
  rng = np.random.default_rng([width, height, channels])
  bank = []
  for _ in range(6):
    grain = rng.normal(size=(height + 64, width + 64, channels)).astype(np.float32)
    grain = cv2.GaussianBlur(grain, (0, 0), 0.5)
    bank.append(np.clip(128 + 32 * grain / grain.std(), 0, 255).astype(np.uint8))
  return np.stack([b.reshape(height + 64, width + 64, *([3] * (channels == 3))) for b in bank])


def pick_noise(noise: np.ndarray, view: View, rng: np.random.Generator) -> np.ndarray:
  which, top, left = int(rng.integers(len(noise))), *map(int, rng.integers(0, 65, size=2))
  return np.ascontiguousarray(noise[which, top : top + view.height, left : left + view.width])
