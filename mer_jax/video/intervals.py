"""When a face moved: onset, apex and offset of what stands out from the rest of a video."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from mer_jax import checks
from mer_jax.video import rest
from mer_jax.video.curves import MotionCurves
from mer_jax.video.regions import REGIONS

LONGEST_MICRO = 0.5  # seconds
SHORTEST = 0.15  # seconds; a face does not come and go faster
LONGEST = 4.0  # seconds; what lasts longer is posture, not an expression
# Seconds over which a region's median position counts as rest: three times the longest expression
# of the kind, or twice, so that the expression itself cannot become the rest.
_REST = {"micro": 1.5, "macro": 8.0}
_MACRO_FACTOR = 1.3  # on the threshold; slow motion is also what is left of turns of the head
_EDGE = 0.15  # share of the peak at which an expression begins and ends
_MOVING = 0.5  # share of the strongest region's motion from which another one moves too
_APART = 0.3  # seconds between two expressions


@dataclasses.dataclass(frozen=True)
class SpotOptions:
  """How intervals are spotted.

  Attributes:
    threshold: how many times further than it mostly does in this video a face must move. The
      number to turn: lower spots more, and more that is wrong.
  """

  threshold: float = 4.0

  def __post_init__(self) -> None:
    """Refuses what is not allowed.

    Raises:
      ConfigError: a threshold that is not above 0.
    """
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
  for rows in _stretches(curves):
    for span in _spans(curves.position[rows], curves.head[rows], curves.fps, options):
      spotted.append(_interval(curves, rows, *span))
  return sorted(spotted, key=lambda interval: interval.onset)


def speech(curves: MotionCurves) -> np.ndarray:
  """bool [T]: frames in which the mouth speaks, so that the lower face does not count."""
  speaks = np.zeros(len(curves.time), bool)
  for rows in _stretches(curves):
    position = rest.without_model_error(curves.position[rows], curves.head[rows], curves.fps)
    speaks[rows] = rest.speaking(position, curves.fps)
  return speaks


def _stretches(curves: MotionCurves) -> Iterator[np.ndarray]:
  """Indices of the frames of each stretch."""
  for number in np.unique(curves.stretch[curves.usable]):
    yield np.flatnonzero(curves.usable & (curves.stretch == number))


_Span = tuple[int, int, int, str, np.ndarray]  # onset, apex, offset, kind, moved [R] at the apex


def _spans(
  position: np.ndarray, head: np.ndarray, fps: float, options: SpotOptions
) -> Iterator[_Span]:
  """Macro-expressions first: the edges of a long one look like short ones."""
  position = rest.without_model_error(position, head, fps)
  silent = rest.evidence(position, fps)
  free = np.ones(len(position), bool)
  margin = round(_APART * fps)
  for kind in ("macro", "micro"):
    moved = rest.from_rest(position, _REST[kind], fps) * silent[..., None]
    away = np.linalg.norm(moved, axis=-1).max(axis=1)
    least = options.threshold * float(np.median(away)) * (_MACRO_FACTOR if kind == "macro" else 1)
    for apex in _peaks(away, least):
      if not free[apex]:
        continue
      onset, offset = _extent(moved, apex)
      seconds = (offset - onset + 1) / fps
      micro = seconds <= LONGEST_MICRO
      if micro != (kind == "micro") or not SHORTEST <= seconds <= LONGEST:
        continue
      if not free[onset : offset + 1].all():
        continue
      free[max(0, onset - margin) : offset + 1 + margin] = False
      yield onset, int(apex), offset, kind, np.linalg.norm(moved[apex], axis=-1)


def _peaks(away: np.ndarray, least: float) -> np.ndarray:
  """Indices of local maxima of at least `least` and above 0, highest first."""
  inner = np.r_[-np.inf, away, -np.inf]
  high = (away >= least) & (away > 0)  # a stretch of one frame does not move
  peaks = np.flatnonzero((away >= inner[:-2]) & (away > inner[2:]) & high)
  return peaks[np.argsort(-away[peaks], kind="stable")]


def _extent(moved: np.ndarray, apex: int) -> tuple[int, int]:
  """First and last index of the motion that is at its peak at `apex`.

  It is followed in the direction in which the regions that move have moved at the apex.
  """
  size = np.linalg.norm(moved[apex], axis=-1)
  direction = moved[apex] * (size >= _MOVING * size.max())[:, None]
  share = np.tensordot(moved, direction, 2) / (direction**2).sum()
  low = share < _EDGE
  before, after = np.flatnonzero(low[:apex]), np.flatnonzero(low[apex:])
  onset = int(before[-1]) + 1 if len(before) else 0
  return onset, int(apex + after[0]) - 1 if len(after) else len(low) - 1


def _interval(
  curves: MotionCurves,
  rows: np.ndarray,
  onset: int,
  apex: int,
  offset: int,
  kind: str,
  moved: np.ndarray,
) -> Interval:
  order = np.argsort(-moved, kind="stable")
  names = tuple(REGIONS[r] for r in order if moved[r] >= _MOVING * moved.max())
  first, strongest, last = (int(curves.frame[rows[t]]) for t in (onset, apex, offset))
  return Interval(first, strongest, last, kind, float(moved.max()), names)
