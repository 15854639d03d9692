"""When a face moves: the timing of an expression, stray activity, the head, the lids, the light."""

import dataclasses
from typing import Any

import numpy as np

from mer_jax.face.prototypes import ActionUnit


@dataclasses.dataclass(frozen=True)
class Motion:
  """Everything that moves in one clip of T frames.

  Attributes:
    names: str [A], one entry per AU and side: "L12"; a name may recur as stray activity.
    weights: float32 [T, A], 0 at the onset; the factor on each field. Those of the expression are
      largest at the apex.
    coded: bool [A], False for stray activity that belongs to no expression.
    profile: float32 [T] in 0..1, the expression as a whole.
    head: float32 [T, 4] of the head against the onset frame: shift x, y in face widths, turn in
      radians, growth (0 = none).
    lids: float32 [T] in 0..1, 1 for closed eyes.
    gain: float32 [T], brightness against the onset frame, around 1.
  """

  names: list[str]
  weights: np.ndarray
  coded: np.ndarray
  profile: np.ndarray
  head: np.ndarray
  lids: np.ndarray
  gain: np.ndarray


def draw_timing(
  units: tuple[ActionUnit, ...], frames: int, apex: int, rng: np.random.Generator
) -> tuple[list[str], np.ndarray, np.ndarray]:
  """Names [A], weights [T, A] and profile [T] of an onset-apex-offset act.

  Every AU rises smoothly to its peak at `apex`, stays nearly there for a while, and decays more
  slowly. Starts, holds, ends and what remains at the offset differ from AU to AU.
  """
  names, columns = [], []
  phase = np.arange(frames) / max(frames - 1, 1)
  peak = apex / max(frames - 1, 1)
  for number, unit in enumerate(units):
    start = 0.0 if number == 0 else float(rng.uniform(0, 0.35)) * peak
    hold = float(rng.uniform(0.02, 0.25)) * (1 - peak)
    end = peak + hold + float(rng.uniform(0.75, 1.0)) * (1 - peak - hold)
    rest = float(rng.uniform(0.0, 0.25))
    curve = act(phase, start, peak, hold, end, rest)
    for side, weight in (("L", unit.left), ("R", unit.right)):
      if weight:
        names.append(f"{side}{unit.number}")
        columns.append(weight * curve)
  weights = np.stack(columns, 1).astype(np.float32)
  total = weights.sum(1)
  return names, weights, (total / total.max()).astype(np.float32)


def act(phase: Any, start: Any, peak: Any, hold: Any, end: Any, rest: Any) -> Any:
  """float [T], 0 before `start`, 1 at `peak`, `rest` from `end` on; of numpy or of jax.

  Args:
    phase: float [T], 0 at the onset and 1 at the offset.
    start, peak, end: phases, in that order.
    hold: how long nearly everything stays after the peak; peak + hold is below end.
    rest: what remains, 0..1.
  """
  xp = phase.__array_namespace__()
  rise = _smooth((phase - start) / (peak - start))
  sag = 0.03 * xp.clip((phase - peak) / hold, 0, 1)
  fall = (1 - sag) - (0.97 - rest) * _smooth((phase - peak - hold) / (end - peak - hold))
  return xp.where(phase <= peak, rise, fall)


def draw_stray(frames: int, rng: np.random.Generator) -> tuple[list[str], np.ndarray]:
  """Names [A] and weights [T, A] of what a face does besides: swallowing, a twitch, relaxing.

  Single sides of any AU, weaker than the expression, at any time; coders do not write them down.
  """
  names = [f"{rng.choice(['L', 'R'])}{rng.choice(STRAY_UNITS)}" for _ in range(rng.integers(0, 4))]
  phase = np.arange(frames) / max(frames - 1, 1)
  weights = np.zeros((frames, len(names)), np.float32)
  for column in weights.T:
    middle, width = rng.uniform(-0.2, 1.2), rng.uniform(0.15, 0.6)
    bump = np.exp(-0.5 * ((phase - middle) / width) ** 2)
    column[...] = rng.normal(0.0, 0.55) * (bump - bump[0])
  return names, weights


STRAY_UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 24, 25)


def _smooth(x: Any) -> Any:
  """Minimum-jerk step from 0 to 1 (Flash and Hogan, J. Neuroscience 5, 1985)."""
  x = x.__array_namespace__().clip(x, 0.0, 1.0)
  return x * x * x * (10 - 15 * x + 6 * x * x)


def draw_head(frames: int, fps: int, rng: np.random.Generator) -> np.ndarray:
  """float32 [T, 4]: smooth drift of a sitting person, zero at the first frame.

  Two slow waves per degree of freedom; over a clip the shift reaches about the size of an
  expression (half a pixel at 128 px), which is what makes small motion hard to see.
  """
  seconds = np.arange(frames) / fps
  drift = np.zeros((frames, 4))
  size = np.exp(rng.normal(0.0, 0.4))
  for axis, spread in enumerate((0.0032, 0.0032, 0.0035, 0.0025)):
    for _ in range(2):
      hertz, phase = rng.uniform(0.3, 2.5), rng.uniform(0, 2 * np.pi)
      wave = np.sin(2 * np.pi * hertz * seconds + phase)
      drift[:, axis] += size * spread * rng.normal() * (wave - wave[0])
  return drift.astype(np.float32)


def draw_lids(frames: int, fps: int, rng: np.random.Generator) -> np.ndarray:
  """float32 [T]: closure of the lids; a fifth of the clips holds a blink, anywhere."""
  lids = np.zeros(frames, np.float32)
  if rng.random() < 0.2:
    middle = rng.uniform(0, frames)
    closing, opening = 0.07 * fps, 0.14 * fps
    distance = np.arange(frames) - middle
    width = np.where(distance < 0, closing, opening)
    lids = (1 - _smooth(np.abs(distance) / np.maximum(width, 1))).astype(np.float32)
  return lids


def draw_gain(frames: int, fps: int, rng: np.random.Generator) -> np.ndarray:
  """float32 [T]: a slow drift of the lamps and the flicker of the mains seen by the camera."""
  seconds = np.arange(frames) / fps
  drift = 0.012 * rng.normal() * np.sin(2 * np.pi * rng.uniform(0.2, 1.0) * seconds)
  flicker = rng.uniform(0, 0.006) * np.sin(2 * np.pi * 100.3 * seconds + rng.uniform(0, 6.28))
  return (1 + drift + flicker - flicker[0]).astype(np.float32)
