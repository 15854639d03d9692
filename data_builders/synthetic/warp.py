"""Displacement fields as images are warped by them: read backwards, from where a pixel came."""

import cv2
import numpy as np


def invert(forward: np.ndarray, steps: int = 8) -> np.ndarray:
  """The backward field of a forward one: b(q) with q + b(q) = p where p + forward(p) = q.

  Args:
    forward: float32 [H, W, 2] in pixels of its own grid, with a slope below 1.
    steps: of the fixed-point iteration b <- -forward(q + b); the error shrinks by the slope each.

  Returns:
    float32 [H, W, 2], on the same grid.
  """
  height, width = forward.shape[:2]
  grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
  backward = -forward
  for _ in range(steps):
    backward = -read_at(forward, grid + backward)
  return backward


def read_at(image: np.ndarray, at: np.ndarray) -> np.ndarray:
  """`image` [h, w, C] read at the positions `at`, float32 [H, W, 2] as (x, y), bilinearly."""
  no_map = np.empty(0, np.float32)  # OpenCV's convention where `at` holds both coordinates
  return cv2.remap(image, at, no_map, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
