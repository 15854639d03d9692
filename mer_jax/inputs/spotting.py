"""Spotting the apex of clips whose corpus gives none: divide and conquer on regions (D&C-RoIs).

Liong, See, Wong, Le Ngo, Oh, Phan, "Automatic Apex Frame Spotting in Micro-expression Database",
ACPR 2015. The regions are boxes of a cropped face instead of landmarks, which no clip has here.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from mer_jax import checks, errors
from mer_jax.clips import GRAY, Clips
from mer_jax.inputs import lbp
from mer_jax.inputs.cache import NO_CACHE, Cache
from mer_jax.inputs.threads import map_in_order

# Left, top, right, bottom as fractions of the frame. Wide enough for a crop that ends at the brows'
# or at the hair's line: eyes lie a third of the way down in either, the mouth at three quarters.
REGIONS = {
  "left eye and brow": (0.05, 0.12, 0.47, 0.48),
  "right eye and brow": (0.53, 0.12, 0.95, 0.48),
  "mouth": (0.20, 0.60, 0.80, 0.92),
}
SMALLEST_WIDTH = 24  # pixels; below it a region has fewer pixels than its histogram has bins


def spot_apexes(method: str, clips: Clips, cache: Cache = NO_CACHE) -> Clips:
  """Clips with the apexes of `method`, a key of `APEXES`, where the corpus gives none.

  Raises:
    ConfigError: no such method, or as `spotted`.
  """
  checks.check_choice("config.data.apex", method, APEXES)
  return APEXES[method](clips, cache)


def spotted(clips: Clips, cache: Cache = NO_CACHE) -> Clips:
  """Clips with a spotted apex where the corpus gives none.

  Args:
    clips: Clips [N] of gray frames of cropped faces, at least 24 x 24 pixels; 128 are better.
    cache: where spotted apexes stay for further computations.

  Returns:
    The same clips but for `apex`, which is spotted between onset and offset wherever
    `apex_missing`; that stays True, for the corpus still gives none.

  Raises:
    ConfigError: the clips hold flow maps, or frames too small to tell regions apart.
  """
  missing = np.flatnonzero(clips.apex_missing)
  if not len(missing):
    return clips
  if clips.channels != GRAY:
    raise errors.ConfigError(
      f"An apex is spotted on gray frames; these clips hold {clips.channels!r}. Take the midpoint."
    )
  _check_size(clips.frames)

  def apex_of(n: int) -> int:
    return spot(clips.frames_of(n), int(clips.onset[n]), int(clips.offset[n]))

  def compute() -> dict[str, np.ndarray]:
    apex = clips.apex.copy()
    for n, spotted_apex in zip(missing, map_in_order(apex_of, missing, "apex"), strict=True):
      apex[n] = spotted_apex
    return {"apex": apex}

  apex = cache.load_or_compute(clips, "spotted_apex", {}, compute)["apex"]
  return dataclasses.replace(clips, apex=apex)


def spot(frames: np.ndarray, onset: int, offset: int) -> int:
  """The apex of one clip.

  Args:
    frames: uint8 [T, H, W, 1], a cropped face.
    onset, offset: indices of the first and the last frame that may be the apex.

  Returns:
    An index between them. The midpoint if nothing changes.

  Raises:
    ConfigError: frames below 24 x 24 pixels.
  """
  _check_size(frames)
  change = changes(frames[onset : offset + 1])
  if not np.any(change):
    return (onset + offset) // 2
  return onset + divided(change)


def changes(frames: np.ndarray) -> np.ndarray:
  """How far the texture of each frame is from that of the first.

  Args:
    frames: uint8 [T, H, W, 1].

  Returns:
    float64 [T] in 0..1: 1 - cosine between histograms of uniform local binary patterns (8
    neighbours at 1 pixel), the mean over `REGIONS`.
  """
  patterns = lbp.codes(frames[..., 0], (0, 1, 1), (2, 1), lbp.ring(8, (1, 1), "bilinear"))
  bin_of, bins = lbp.labels(8, "circular")
  labels = bin_of[np.asarray(patterns)]
  length, height, width = labels.shape
  row = bins * np.arange(length)[:, None, None]
  total = np.zeros(length)
  for left, top, right, bottom in REGIONS.values():
    region = labels[
      :, round(top * height) : round(bottom * height), round(left * width) : round(right * width)
    ]
    counts = np.bincount((region + row).ravel(), minlength=bins * length).reshape(length, bins)
    squares = np.sum(counts**2, axis=1)
    # One root of whole numbers: equal histograms are exactly 0 apart, and none less by rounding.
    total += np.maximum(1 - counts @ counts[0] / np.sqrt(squares * squares[0]), 0)
  return total / len(REGIONS)


def divided(change: np.ndarray) -> int:
  """The peak that is left when always the half with the larger sum of peaks is kept.

  Args:
    change: float [T], at least 0; T at least 1.

  Returns:
    Index of a local maximum that is not at an end; of the largest value if there is no such one.
  """
  inner = change[1:-1]
  peaks = 1 + np.flatnonzero((inner > change[:-2]) & (inner >= change[2:]))
  if not len(peaks):
    return int(np.argmax(change))
  first, behind = 0, len(change)
  while len(peaks) > 1:
    middle = (first + behind) // 2
    early, late = peaks[peaks < middle], peaks[peaks >= middle]
    if change[early].sum() >= change[late].sum():
      peaks, behind = early, middle
    else:
      peaks, first = late, middle
  return int(peaks[0])


def _check_size(frames: np.ndarray) -> None:
  height, width = frames.shape[1:3]
  if min(height, width) < SMALLEST_WIDTH:
    raise errors.ConfigError(
      f"Spotting an apex needs frames of at least {SMALLEST_WIDTH} x {SMALLEST_WIDTH} pixels; these"
      f" are {width} x {height}. Build the dataset with --config frames128, or take the midpoint."
    )


# What stands for the apex of clips whose corpus gives none; the others keep theirs.
APEXES: dict[str, Callable[[Clips, Cache], Clips]] = {
  "midpoint": lambda clips, cache: clips,  # as the builders left it
  "divide_and_conquer": spotted,
}
