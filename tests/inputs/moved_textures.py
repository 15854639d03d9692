"""Pairs of frames between which every point's motion is known."""

import cv2
import numpy as np


def texture(height: int, width: int, seed: int = 5) -> np.ndarray:
  """float32 [H, W] in 20..220, smooth over a few pixels as skin is."""
  noise = np.random.default_rng(seed).normal(size=(height, width)).astype(np.float32)
  smooth = cv2.GaussianBlur(noise, (0, 0), 2.5)
  return 20 + 200 * (smooth - smooth.min()) / np.ptp(smooth)


def moved(still: np.ndarray, u: np.ndarray | float, v: np.ndarray | float) -> np.ndarray:
  """uint8 [2, H, W]: `still` and a frame whose point (x, y) came from (x - u, y - v)."""
  y, x = np.indices(still.shape, np.float32)
  from_x, from_y = (x - u).astype(np.float32), (y - v).astype(np.float32)
  after = cv2.remap(still, from_x, from_y, cv2.INTER_CUBIC, None, cv2.BORDER_REFLECT)
  return np.clip(np.rint(np.stack([still, after])), 0, 255).astype(np.uint8)


def affine(height: int, width: int, *, shift: tuple[float, float], growth: float, turn: float):
  """u and v, float64 [H, W] each: a shift, a zoom and a turn around the middle."""
  y, x = np.indices((height, width), np.float64)
  x, y = x - width / 2, y - height / 2
  return shift[0] + growth * x - turn * y, shift[1] + turn * x + growth * y
