"""Videos of drawn people, written as files."""

import dataclasses
import pathlib

import cv2
import numpy as np

from data_builders.synthetic import long_formats, long_plan, long_render
from data_builders.synthetic.scene import View
from mer_jax.face.anatomy import draw_identity

FPS = 30


def drawn(
  seed: int, seconds: float, size: int = 200, *, blink: range = range(0)
) -> tuple[list[np.ndarray], View]:
  """Frames uint8 [H, W, 3] of one person, and how the camera sees the face.

  The lids are closed in the frames of `blink`.
  """
  kind = long_formats.of("casme_squared")
  rng = np.random.default_rng(seed)
  person = draw_identity(rng)
  sitting = long_render.Sitting(kind, person, size, rng)
  motion = long_plan.draw(kind, person, round(seconds * FPS), rng)
  if blink:
    lids = np.zeros_like(motion.lids)
    lids[blink] = 1
    motion = dataclasses.replace(motion, lids=lids)
  frames = [
    frame if frame.ndim == 3 else cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR)
    for frame in sitting.frames(motion, rng)
  ]
  return [frame[: len(frame) // 2 * 2, : frame.shape[1] // 2 * 2] for frame in frames], sitting.view


def write(path: pathlib.Path, frames: list[np.ndarray], fps: float = FPS) -> pathlib.Path:
  """An mp4 file of `frames`."""
  size = frames[0].shape[1], frames[0].shape[0]
  writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, size)
  assert writer.isOpened()
  for frame in frames:
    writer.write(frame)
  writer.release()
  return path
