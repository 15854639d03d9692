"""Resizing of images to a square; the one place that chooses the interpolation."""

import cv2
import numpy as np


def resized(frames: np.ndarray, size: int) -> np.ndarray:
  """[T, size, size, C] of [T, H, W, C], in the dtype of `frames`."""
  _, height, width, channels = frames.shape
  if (height, width) == (size, size):
    return frames
  # Area averages do not alias; above the stored size they would only repeat pixels.
  shrinks = min(height, width) >= size
  method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
  out = np.empty((len(frames), size, size, channels), frames.dtype)
  for t, frame in enumerate(frames):
    out[t] = cv2.resize(frame, (size, size), interpolation=method).reshape(out.shape[1:])
  return out
