"""Published ways to spot, as rows to compare: main directional maximal difference, and strain.

Both give each frame a score for micro- and one for macro-expressions, and take a share of the way
from a video's mean score to its largest as threshold.
"""

import collections
import dataclasses
import functools
from collections.abc import Callable

import numpy as np
from scipy import ndimage, signal

from mer_jax.inputs.flow import strain
from mer_jax.video import regions
from mer_jax.video.curves import flow, stride_of
from mer_jax.video.intervals import Interval

KINDS = ("micro", "macro")
# Seconds between frames. MEGC2020's baseline: 12 and 39 frames of CAS(ME)^2, 80 and 260 of SAMM
# Long Videos. For strain half the mean length of an expression, as in MEAN.
MDMD_SECONDS, STRAIN_SECONDS = (0.4, 1.3), (0.2, 0.6)
_BLOCKS, _DIRECTIONS = 6, 4
_SHORTEST_MICRO, _LONGEST_MICRO = 0.23, 0.53  # seconds: 7 to 16 frames of CAS(ME)^2


@dataclasses.dataclass(frozen=True)
class Scores:
  """Scores of T measured frames.

  Attributes:
    frame: int64 [T], index of the frame in the video.
    score: float32 [T, 2], of micro- and of macro-expressions.
    fps: measured frames per second.
  """

  frame: np.ndarray
  score: np.ndarray
  fps: float


class FaceScores:
  """Scores frames of one face, one after another; memory holds a few seconds of crops.

  Args:
    fps: frames per second of the video.
    seconds: distance of frames for micro- and for macro-expressions.
    score: of the last frame, from a function that gives the frame so many frames earlier, and the
      distance in frames. It belongs to the frame in the middle of what it looks at.
    reach: how many distances it looks back.
  """

  def __init__(
    self,
    fps: float,
    seconds: tuple[float, float],
    score: Callable[[Callable[[int], np.ndarray], int], float],
    reach: int,
  ) -> None:
    self._stride = stride_of(fps)
    self._fps = fps / self._stride
    self._lags = [max(1, round(self._fps * s)) for s in seconds]
    self._score, self._reach, self._added = score, reach, 0
    self._crops: collections.deque[np.ndarray] = collections.deque(
      maxlen=reach * max(self._lags) + 1
    )
    self._rows: list[list[float]] = []

  def add(self, crop: np.ndarray | None, time: float) -> None:
    """Measures the next frame, uint8 [128, 128] or None; see `RegionMotion.add`."""
    index, self._added = self._added, self._added + 1
    if index % self._stride:
      return
    if crop is None:
      self._crops.clear()
    else:
      self._crops.append(crop)
    self._rows.append([self._of_lag(lag) for lag in self._lags])

  def new_window(self) -> None:
    """The alignment changes with the next frame: nothing is measured across."""
    self._crops.clear()

  def curves(self) -> Scores:
    """What was measured so far."""
    rows = np.array(self._rows, np.float32).reshape(-1, len(KINDS))
    score = np.zeros_like(rows)
    for column, lag in enumerate(self._lags):
      back = min(self._reach * lag // 2, len(rows))
      score[: len(rows) - back, column] = rows[back:, column]
    return Scores(np.arange(len(rows)) * self._stride, score, self._fps)

  def _of_lag(self, lag: int) -> float:
    if len(self._crops) <= self._reach * lag:
      return 0.0
    return self._score(lambda back: self._crops[-1 - back], lag)


def mdmd(fps: float) -> FaceScores:
  """Scores of the main directional maximal difference.

  Wang, Wu, Qian, Li and Fu, "A main directional maximal difference analysis for spotting facial
  movements from long-term videos", Neurocomputing 230, 2017.
  """
  return FaceScores(fps, MDMD_SECONDS, _maximal_difference, 2)


def spot_mdmd(scores: Scores, p: float) -> list[Interval]:
  """Runs of frames above the threshold, of a length that the kind can have.

  Args:
    scores: of `mdmd`.
    p: 0 to 1; the threshold is mean + p (max - mean) of the video.
  """
  spotted = []
  for column, kind in enumerate(KINDS):
    reach = max(1, round(MDMD_SECONDS[column] * scores.fps)) - 1
    score = scores.score[:, column]
    padded = np.pad(score, reach, mode="edge")
    around = (padded[: len(score)] + padded[2 * reach :]) / 2
    contrast = np.maximum(score - around, 0)
    for onset, offset in _runs(contrast > _level(contrast, p)):
      seconds = (offset - onset + 1) / scores.fps
      micro = _SHORTEST_MICRO <= seconds <= _LONGEST_MICRO
      if micro if kind == "micro" else seconds > _LONGEST_MICRO:
        apex = onset + int(np.argmax(contrast[onset : offset + 1]))
        spotted.append(_interval(scores, onset, apex, offset, kind, float(contrast[apex])))
  return sorted(spotted, key=lambda interval: interval.onset)


def strains(fps: float) -> FaceScores:
  """Mean optical strain of brows, mouth and chin between frames, eyes left out.

  Head motion is the mean flow of the nose, as in Liong, See and Wong, "Shallow optical flow
  three-stream CNN for macro- and micro-expression spotting from long videos" (SoftNet), ICIP 2021.
  """
  return FaceScores(fps, STRAIN_SECONDS, _mean_strain, 1)


def spot_strain(scores: Scores, p: float) -> list[Interval]:
  """Peaks of the smoothed score with half a mean length to either side.

  As SoftNet and MEAN (Liong, See and Chan, SPIC 110, 2023) make intervals of their networks'
  scores: smoothed over twice the half length k, peaks above mean + p (max - mean) that are k apart.

  Args:
    scores: of `strains`.
    p: 0 to 1; .55 in the papers.
  """
  spotted = []
  for column, kind in enumerate(KINDS):
    half = max(1, round(STRAIN_SECONDS[column] * scores.fps))
    smooth = ndimage.uniform_filter1d(scores.score[:, column], 2 * half)
    peaks, _ = signal.find_peaks(smooth, height=_level(smooth, p), distance=half)
    for peak in peaks:
      onset, offset = max(0, peak - half), min(len(smooth) - 1, peak + half)
      spotted.append(_interval(scores, onset, int(peak), offset, kind, float(smooth[peak])))
  return sorted(spotted, key=lambda interval: interval.onset)


def _maximal_difference(frame: Callable[[int], np.ndarray], lag: int) -> float:
  """How much further the main direction of each block has moved half-way than at the end."""
  first = frame(2 * lag)
  half, full = _blocks(flow(first, frame(lag))), _blocks(flow(first, frame(0)))
  angle = np.arctan2(half[..., 1], half[..., 0])
  direction = ((angle + np.pi) / (2 * np.pi) * _DIRECTIONS).astype(int) % _DIRECTIONS
  number = (direction[..., None] == np.arange(_DIRECTIONS)).sum(axis=1)
  main = direction == number.argmax(axis=1)[:, None]
  difference = np.linalg.norm(half, axis=-1) - np.linalg.norm(full, axis=-1)
  of_block = _mean_of_top_third(np.where(main, difference, -np.inf))
  return float(_mean_of_top_third(of_block[None])[0])


def _blocks(uv: np.ndarray) -> np.ndarray:
  """float32 [36, n, 2]: every second pixel of each block."""
  side = regions.SIZE // _BLOCKS
  cut = uv[: _BLOCKS * side, : _BLOCKS * side].reshape(_BLOCKS, side, _BLOCKS, side, 2)
  return cut[:, ::2, :, ::2].swapaxes(1, 2).reshape(_BLOCKS**2, -1, 2)


def _mean_of_top_third(values: np.ndarray) -> np.ndarray:
  """Over the last axis of [n, m]; -inf does not count."""
  ordered = -np.sort(-values, axis=-1)
  kept = np.maximum(1, np.isfinite(values).sum(axis=-1) // 3)
  counts = np.arange(values.shape[-1]) < kept[:, None]
  return np.where(counts, ordered, 0).sum(axis=-1) / kept


def _mean_strain(frame: Callable[[int], np.ndarray], lag: int) -> float:
  uv = flow(frame(lag), frame(0))
  uv = uv - regions.weights()[regions.REGIONS.index("nose")] @ uv.reshape(-1, 2)
  return float(_looked_at() @ strain(uv).ravel())


@functools.cache
def _looked_at() -> np.ndarray:
  """float32 [H W]: the mean over all regions but nose and eyelids."""
  left_out = ("nose", *regions.EYELIDS)
  rows = [i for i, name in enumerate(regions.REGIONS) if name not in left_out]
  return regions.weights()[rows].mean(axis=0)


def _level(score: np.ndarray, p: float) -> float:
  """Threshold of Moilanen, Zhao and Pietikainen (ICPR 2014)."""
  return float(score.mean() + p * (score.max() - score.mean())) if len(score) else 0.0


def _runs(above: np.ndarray) -> list[tuple[int, int]]:
  """First and last index of each run of True."""
  edges = np.diff(np.r_[0, above.astype(int), 0])
  ends = np.flatnonzero(edges < 0) - 1
  return list(zip(np.flatnonzero(edges > 0).tolist(), ends.tolist(), strict=True))


def _interval(
  scores: Scores, onset: int, apex: int, offset: int, kind: str, strength: float
) -> Interval:
  first, strongest, last = (int(scores.frame[t]) for t in (onset, apex, offset))
  return Interval(first, strongest, last, kind, strength, ())
