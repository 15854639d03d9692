"""When a face moved: onset, apex and offset of what stands out from the rest of a video."""

import dataclasses

import numpy as np
from scipy import ndimage

from mer_jax import checks
from mer_jax.video import regions
from mer_jax.video.curves import MotionCurves

LONGEST_MICRO = 0.5  # seconds
LONGEST = 4.0  # seconds; what lasts longer is posture, not an expression
METHODS = ("regions",)


@dataclasses.dataclass(frozen=True)
class SpotOptions:
  """How intervals are spotted.

  Attributes:
    method: one of `METHODS`.
    threshold: pixels of an aligned face that a region must move away from rest.
  """

  method: str = "regions"
  threshold: float = 0.4

  def __post_init__(self) -> None:
    """Refuses what is not allowed.

    Raises:
      ConfigError: an unknown method, or a threshold that is not above 0.
    """
    checks.check_choice("method", self.method, METHODS)
    checks.check_positive("threshold", self.threshold)


@dataclasses.dataclass(frozen=True)
class Interval:
  """One spotted expression.

  Attributes:
    onset, apex, offset: indices of frames of the video, all inclusive.
    kind: "micro" (at most half a second) or "macro".
    strength: how far the region that moved most was from rest at the apex, pixels.
    regions: those that moved, strongest first.
  """

  onset: int
  apex: int
  offset: int
  kind: str
  strength: float
  regions: tuple[str, ...]


def spot(curves: MotionCurves, options: SpotOptions | None = None) -> list[Interval]:
  """Expressions in a video, in order of their onsets; none overlaps another."""
  options = options or SpotOptions()
  spotted = []
  for number in np.unique(curves.stretch[curves.usable]):
    rows = np.flatnonzero(curves.usable & (curves.stretch == number))
    away = _away_from_rest(curves.position[rows], curves.head[rows], curves.fps)
    spotted += [
      _interval(curves, rows, away, *span, options)
      for span in _spans(away.max(axis=1), curves.fps, options.threshold)
    ]
  return spotted


def _away_from_rest(position: np.ndarray, head: np.ndarray, fps: float) -> np.ndarray:
  """float [T, R]: distance from rest, the running median over twice the longest expression."""
  position = without_model_error(position, head, fps)
  window = min(len(position), round(2 * LONGEST * fps) | 1)
  rest = ndimage.median_filter(position, size=(window, 1, 1), mode="nearest")
  smooth = ndimage.gaussian_filter1d(position - rest, 0.03 * fps, axis=0)
  return np.linalg.norm(smooth, axis=-1)


def without_model_error(position: np.ndarray, head: np.ndarray, fps: float) -> np.ndarray:
  """Positions [T, R, 2] without what still follows the head's motion [T, 6] linearly.

  No face has the depth of the average one, so a part of every turn of the head remains. The part is
  fitted to changes over half a second, with a little ridge, and once more without the fifth of the
  changes that fit worst, for there the face moves.
  """
  lag = max(1, round(0.5 * fps))
  if len(position) < 20 * lag:
    return position
  turned = (head[lag:] - head[:-lag]).astype(np.float64)
  turned = np.concatenate([turned], 1)
  scale = turned.std(axis=0) + 1e-6
  moved = (position[lag:] - position[:-lag]).reshape(len(turned), -1).astype(np.float64)
  fitted = np.empty((6, moved.shape[1]))
  ridge = 1e-3 * len(turned) * np.eye(6)
  for column in range(moved.shape[1]):
    kept = np.ones(len(turned), bool)
    for _ in range(3):
      x, y = turned[kept] / scale, moved[kept, column]
      fitted[:, column] = np.linalg.solve(x.T @ x + ridge, x.T @ y) / scale
      wrong = np.abs(moved[:, column] - turned @ fitted[:, column])
      kept = wrong <= np.quantile(wrong, 0.8)
  return position - (head @ fitted).reshape(position.shape).astype(np.float32)


def _spans(away: np.ndarray, fps: float, threshold: float) -> list[tuple[int, int, int]]:
  """(onset, apex, offset) of every run above a quarter of its peak, strongest peaks first."""
  free = np.ones(len(away), bool)
  spans = []
  for apex in np.argsort(-away, kind="stable"):
    if away[apex] < threshold:
      break
    if not free[apex]:
      continue
    low = (away < 0.25 * away[apex]) | ~free
    before, after = np.flatnonzero(low[:apex]), np.flatnonzero(low[apex:])
    onset = int(before[-1]) + 1 if len(before) else 0
    offset = int(apex + after[0]) - 1 if len(after) else len(away) - 1
    free[onset : offset + 1] = False
    if (offset - onset + 1) / fps <= LONGEST:
      spans.append((onset, int(apex), offset))
  return sorted(spans)


def _interval(
  curves: MotionCurves,
  rows: np.ndarray,
  away: np.ndarray,
  onset: int,
  apex: int,
  offset: int,
  options: SpotOptions,
) -> Interval:
  seconds = (offset - onset + 1) / curves.fps
  order = np.argsort(-away[apex], kind="stable")
  moved = tuple(regions.REGIONS[r] for r in order if away[apex, r] >= options.threshold)
  return Interval(
    onset=int(curves.frame[rows[onset]]),
    apex=int(curves.frame[rows[apex]]),
    offset=int(curves.frame[rows[offset]]),
    kind="micro" if seconds <= LONGEST_MICRO else "macro",
    strength=float(away[apex].max()),
    regions=moved,
  )
