"""What happens in a long video: expressions, speech, blinks, twitches, turns of the head."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from data_builders.synthetic.long_formats import LongFormat
from data_builders.synthetic.scene import expressed, face_grid
from mer_jax.face import prototypes, timing
from mer_jax.face.anatomy import Identity

# Events a minute. People blink some 15 times a minute; the corpora hold 0.3 to 2 micro- and 1.4 to
# 4 macro-expressions a minute.
MICROS, MACROS, SPEECHES, BLINKS, TWITCHES, TURNS = 2.0, 2.0, 1.0, 15.0, 3.0, 2.5
MICRO_SECONDS = (0.25, 0.5)
MACRO_SECONDS = (0.7, 3.5)
SPEECH_SECONDS = (1.5, 5.0)
# Largest displacement in pixels of a face 128 wide: median, spread of the logarithm, least, most.
MICRO_PEAK, MACRO_PEAK = (1.2, 0.4, 0.5, 3.0), (3.0, 0.35, 1.5, 5.0)
# Pixels that each action unit of speech moves by, at most.
_SPEECH = {25: 1.5, 26: 2.5, 17: 0.6, 23: 0.6, 14: 0.4}
_LEAST_GAP = 0.6  # seconds between expressions, and from them to speech
# Standard deviation of a turn and its largest value: shift x, y in face widths; turn in the
# picture, growth; turns to the side and up, radians.
_TURN = np.array([0.02, 0.012, 0.03, 0.01, 0.08, 0.045])
_FURTHEST = np.array([0.06, 0.04, 0.09, 0.03, 0.17, 0.10])


@dataclasses.dataclass(frozen=True)
class Event:
  """Something a face does.

  Attributes:
    kind: "micro", "macro", "speech", "blink" or "twitch".
    start: frame of its onset, from 0. apex, end: frames of its apex and its offset, inclusive.
    names: action units with their sides, "L12".
    weights: float32 [L, A], from `start` on, in face widths; goes on after `end` until all rests.
    units, emotion: of an expression.
  """

  kind: str
  start: int
  apex: int
  end: int
  names: list[str]
  weights: np.ndarray
  units: tuple[prototypes.ActionUnit, ...] = ()
  emotion: str = ""

  @property
  def behind(self) -> int:
    """The frame after the last that it moves."""
    return self.start + len(self.weights)


@dataclasses.dataclass(frozen=True)
class LongMotion:
  """What happens in one video of T frames.

  Attributes:
    events: in order of their starts.
    head: float32 [T, 6] against the first frame: shift x, y in face widths, turn in radians,
      growth, turns to the side and up in radians.
    lids: float32 [T], 1 for closed eyes.
    gain: float32 [T], brightness.
  """

  events: list[Event]
  head: np.ndarray
  lids: np.ndarray
  gain: np.ndarray

  @property
  def expressions(self) -> list[Event]:
    """The events that coders write down."""
    return [event for event in self.events if event.kind in ("micro", "macro")]


def draw(kind: LongFormat, person: Identity, frames: int, rng: np.random.Generator) -> LongMotion:
  """Draws what a person does in a video of so many frames."""
  fps = kind.fps
  apart = [
    *_slots("micro", MICROS, MICRO_SECONDS, frames, fps, rng),
    *_slots("macro", MACROS, MACRO_SECONDS, frames, fps, rng),
    *_slots("speech", SPEECHES, SPEECH_SECONDS, frames, fps, rng),
  ]
  events = []
  for name, start, length in _placed(apart, frames, fps, rng):
    if name == "speech":
      events.append(_speech(start, length, fps, rng))
    else:
      events.append(_expression(kind, person, name, start, length, rng))
  lids = np.zeros(frames, np.float32)
  for start in _times(BLINKS, frames, fps, rng):
    blink, closure = _blink(start, fps, rng)
    events.append(blink)
    seen = closure[: frames - start]
    lids[start : start + len(seen)] = np.maximum(lids[start : start + len(seen)], seen)
  events += [_twitch(start, fps, rng) for start in _times(TWITCHES, frames, fps, rng)]
  events.sort(key=lambda event: event.start)
  return LongMotion(events, _head(frames, fps, rng), lids, timing.draw_gain(frames, fps, rng))


def _slots(
  name: str,
  rate: float,
  seconds: tuple[float, float],
  frames: int,
  fps: int,
  rng: np.random.Generator,
) -> list[tuple[str, int]]:
  """Name and length in frames of the events of one kind; short ones are as likely as long ones."""
  expected = rate * frames / fps / 60
  number = int(expected) + int(rng.random() < expected % 1)
  low, high = np.log(seconds)
  lengths = np.exp(rng.uniform(low, high, number)) if name == "macro" else None
  lengths = rng.uniform(*seconds, number) if lengths is None else lengths
  return [(name, max(7, int(length * fps))) for length in lengths]


def _placed(
  slots: list[tuple[str, int]], frames: int, fps: int, rng: np.random.Generator
) -> Iterator[tuple[str, int, int]]:
  """Name, start and length of events in random order with random gaps; what has no room is left."""
  slots = [slots[i] for i in rng.permutation(len(slots))]
  gap = round(_LEAST_GAP * fps)
  while slots and sum(length for _, length in slots) + gap * (len(slots) + 1) > frames:
    slots.pop()
  spare = frames - sum(length for _, length in slots) - gap * (len(slots) + 1)
  cuts = np.sort(rng.integers(0, spare + 1, len(slots)))
  at = gap
  for (name, length), before, cut in zip(slots, [0, *cuts], cuts, strict=False):
    at += int(cut - before)
    yield name, at, length
    at += length + gap


def _times(rate: float, frames: int, fps: int, rng: np.random.Generator) -> list[int]:
  number = rng.poisson(rate * frames / fps / 60)
  return sorted(rng.integers(0, frames, number).tolist())


def _expression(
  kind: LongFormat, person: Identity, name: str, start: int, length: int, rng: np.random.Generator
) -> Event:
  emotion = str(rng.choice(list(kind.emotions), p=list(kind.emotions.values())))
  units = prototypes.choose(emotion, rng)
  apex = int(np.clip(round(rng.uniform(0.25, 0.55) * (length - 1)), 2, length - 3))
  names, weights, _ = timing.draw_timing(units, length, apex, rng)
  median, spread, least, most = MICRO_PEAK if name == "micro" else MACRO_PEAK
  peak = np.clip(median * np.exp(rng.normal(0, spread)), least, most)
  at_apex = expressed(person, names, weights[apex], face_grid())
  weights = weights * np.float32(peak / 128 / np.linalg.norm(at_apex, axis=-1).max())
  rest = 1 - _step(np.arange(1, round(0.4 * kind.fps) + 1) / (0.4 * kind.fps))
  weights = np.concatenate([weights, rest[:, None] * weights[-1]]).astype(np.float32)
  return Event(name, start, start + apex, start + length - 1, names, weights, units, emotion)


def _speech(start: int, length: int, fps: int, rng: np.random.Generator) -> Event:
  """Jaw and lips open and close two to five times a second."""
  seconds = np.arange(length) / fps
  inside = _step(seconds / 0.3) * _step((seconds[-1] - seconds) / 0.3)
  names, columns = [], []
  for unit, pixels in _SPEECH.items():
    pace = 3.5 + np.cumsum(rng.normal(0, 4.0 / np.sqrt(fps), length)).clip(-1.5, 1.5)
    phase = 2 * np.pi * (np.cumsum(pace) / fps + rng.random())
    loudness = 0.6 + 0.4 * np.sin(2 * np.pi * (0.7 * seconds + rng.random()))
    curve = pixels / 128 * rng.uniform(0.5, 1.2) * inside * loudness * 0.5 * (1 - np.cos(phase))
    names += [f"L{unit}", f"R{unit}"]
    columns += [curve, curve]
  weights = np.stack(columns, 1).astype(np.float32)
  return Event("speech", start, start + length // 2, start + length - 1, names, weights)


def _blink(start: int, fps: int, rng: np.random.Generator) -> tuple[Event, np.ndarray]:
  """Lids close and open again, and pull the skin around them a little."""
  closing, opening = rng.uniform(0.06, 0.1) * fps, rng.uniform(0.12, 0.2) * fps
  at = np.arange(int(closing + opening) + 2) - closing
  closure = 1 - _step(np.where(at < 0, -at / closing, at / opening))
  weights = rng.uniform(0.1, 0.4) / 128 * closure[:, None] * np.ones(2)
  end = start + len(closure) - 1
  event = Event("blink", start, start + round(closing), end, ["L7", "R7"], weights)
  return event, closure.astype(np.float32)


def _twitch(start: int, fps: int, rng: np.random.Generator) -> Event:
  """One weak stray action unit that no coder writes down."""
  length = int(rng.uniform(0.3, 1.5) * fps)
  curve = np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2
  name = f"{rng.choice(['L', 'R'])}{rng.choice(timing.STRAY_UNITS)}"
  weights = (rng.uniform(0.1, 0.4) / 128 * curve[:, None]).astype(np.float32)
  return Event("twitch", start, start + length // 2, start + length - 1, [name], weights)


def _head(frames: int, fps: int, rng: np.random.Generator) -> np.ndarray:
  """float32 [T, 6]: always a little sway, and now and then a turn to another posture."""
  seconds = np.arange(frames) / fps
  head = np.zeros((frames, 6))
  for axis, size in enumerate((0.004, 0.004, 0.004, 0.002, 0.008, 0.008)):
    for _ in range(4):
      hertz, phase = np.exp(rng.uniform(np.log(0.05), np.log(0.8))), rng.uniform(0, 2 * np.pi)
      head[:, axis] += size * rng.normal() * np.sin(2 * np.pi * hertz * seconds + phase)
  posture = np.zeros(6)
  for start in _times(TURNS, frames, fps, rng):
    target = np.clip(_TURN * rng.normal(size=6), -_FURTHEST, _FURTHEST)
    course = _step((seconds - seconds[start]) / rng.uniform(0.4, 1.2))
    head += course[:, None] * (target - posture)
    posture = target
  return (head - head[0]).astype(np.float32)


def _step(x: np.ndarray) -> np.ndarray:
  """Minimum-jerk step from 0 to 1."""
  x = np.clip(x, 0, 1)
  return x**3 * (10 - 15 * x + 6 * x**2)
