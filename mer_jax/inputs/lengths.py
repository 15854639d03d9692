"""Which frames of a clip become the T frames of a sequence input, and where they stand in it."""

import numpy as np

from mer_jax import checks


def check_length(num_frames: int, pad: str, truncate: str) -> None:
  """Raises ConfigError for a value that `kept_window` or `place` does not list."""
  checks.check_at_least("num_frames", num_frames, 1)
  checks.check_choice("pad", pad, ("post", "pre"))
  checks.check_choice("truncate", truncate, ("first", "last", "apex"))


def kept_window(length: int, apex: int, num_frames: int, truncate: str) -> slice:
  """The frames, at most `num_frames`, that truncation keeps of a clip of `length` frames.

  Args:
    length: frames of the clip.
    apex: index of its apex frame.
    num_frames: T.
    truncate: "first", "last" or "apex", a window around the apex.
  """
  spare = max(length - num_frames, 0)
  start = {"first": 0, "last": spare, "apex": min(max(apex - num_frames // 2, 0), spare)}[truncate]
  return slice(start, min(start + num_frames, length))


def place(kept: int, num_frames: int, pad: str) -> slice:
  """Where `kept` frames stand among `num_frames`: "post" pads behind them, "pre" before them."""
  return slice(0, kept) if pad == "post" else slice(num_frames - kept, num_frames)


def even_times(length: int, num_frames: int) -> np.ndarray:
  """float64 [num_frames]: times from the first to the last frame, 0 to length - 1, evenly spaced.

  A single time is that of the first frame.
  """
  return np.linspace(0, length - 1, num_frames)


def interpolated(frames: np.ndarray, times: np.ndarray) -> np.ndarray:
  """float32 [T, H, W, C]: `frames` [T', H, W, C] at `times` (float [T] in 0..T' - 1), linearly."""
  before = np.floor(times).astype(np.int64)
  after = np.minimum(before + 1, len(frames) - 1)
  share = (times - before).astype(np.float32)[:, None, None, None]
  return (1 - share) * frames[before] + share * frames[after]
