"""What chance decides of a moving face, as pure functions of a key: person, muscles, course.

The distributions are those of anatomy.py, prototypes.py and timing.py, which draw the same with
numpy for the synthetic corpora; everything here is float32, and may be jitted and vmapped.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mer_jax.face import anatomy, prototypes, timing
from mer_jax.face.action_units import NUMBERS
from mer_jax.face.anatomy import Proportions

EMOTIONS = tuple(prototypes.PROTOTYPES)


class _Table(NamedTuple):
  """The prototypes as arrays; E emotions of up to M members with up to L alternatives each.

  Attributes:
    probability: float [E, M], 0 where an emotion has fewer members.
    alternative: int [E, M, L], indices into `NUMBERS`, of which one is taken.
    alternatives: int [E, M], how many there are.
  """

  probability: Any
  alternative: Any
  alternatives: Any


def _table() -> _Table:
  rows = [
    [(unit if isinstance(unit, tuple) else (unit,), probability) for unit, probability in row]
    for row in prototypes.PROTOTYPES.values()
  ]
  members = max(map(len, rows))
  longest = max(len(units) for row in rows for units, _ in row)
  shape = (len(rows), members)
  table = _Table(np.zeros(shape, np.float32), np.zeros((*shape, longest), int), np.ones(shape, int))
  for e, row in enumerate(rows):
    for m, (units, probability) in enumerate(row):
      table.probability[e, m], table.alternatives[e, m] = probability, len(units)
      table.alternative[e, m, : len(units)] = [NUMBERS.index(number) for number in units]
  return table


_TABLE = _table()
_CENTRAL = np.isin(NUMBERS, prototypes.CENTRAL)
_STRAY = np.flatnonzero(np.isin(NUMBERS, timing.STRAY_UNITS))


def draw_proportions(key: jax.Array) -> Proportions:
  """One person's proportions and anatomy, float32."""
  lengths = np.array(list(anatomy.LENGTHS.values()), np.float32)
  normal = jax.random.normal(key, (2 * 32 * 4 + len(lengths),))
  clipped = jnp.clip(normal[: len(lengths)], -anatomy.FURTHEST, anatomy.FURTHEST)
  values = lengths[:, 0] + lengths[:, 1] * clipped
  muscles = normal[len(lengths) :].reshape(2, 32, 4) * np.array(anatomy.MUSCLES, np.float32)
  return Proportions(**dict(zip(anatomy.LENGTHS, values, strict=True)), anatomy=muscles)


def draw_weights(key: jax.Array, emotion: jax.Array) -> jax.Array:
  """The action units of one expression, float32 [2, A]: weights of the left side and the right.

  Args:
    key: of this expression.
    emotion: int32 scalar, index into `EMOTIONS`.
  """
  table = _Table(*(jnp.asarray(part)[emotion] for part in _TABLE))
  of_normal, of_uniform = jax.random.split(key)
  (members,), units = table.probability.shape, len(NUMBERS)
  strength, skew = jax.random.normal(of_normal, (2, units))
  uniform = jax.random.uniform(of_uniform, (2 * members + 2 * units,))
  member, choice, sided, side = jnp.split(uniform, [members, 2 * members, 2 * members + units])
  taken = member < table.probability
  # Some prototypes have no compulsory member: their first stands in.
  taken = taken.at[0].set(taken[0] | ~taken.any())
  which = (choice * table.alternatives).astype(jnp.int32)
  taken_units = jnp.take_along_axis(table.alternative, which[:, None], axis=1)[:, 0]
  active = (jax.nn.one_hot(taken_units, units) * taken[:, None]).max(axis=0)
  skew = jnp.where(_CENTRAL, 0.0, 0.25 * skew)
  weights = active * jnp.exp(0.3 * strength) * jnp.exp(jnp.stack([skew, -skew]))
  one_sided = (emotion == EMOTIONS.index("contempt")) | (sided < prototypes.ONE_SIDED)
  absent = jnp.stack([one_sided & (side < 0.5), one_sided & (side >= 0.5)]) & ~_CENTRAL
  return jnp.where(absent, 0.0, weights)


def draw_stray(key: jax.Array, most: int, spread: float) -> jax.Array:
  """Up to `most` single-sided twitches of weight N(0, spread), float32 [2, A]."""
  if not most:
    return jnp.zeros((2, len(NUMBERS)))
  of_uniform, of_normal = jax.random.split(key)
  number, *uniform = jax.random.uniform(of_uniform, (1 + 2 * most,))
  unit, side = jnp.split(jnp.stack(uniform), 2)
  units = jnp.asarray(_STRAY)[(unit * len(_STRAY)).astype(jnp.int32)]
  counted = jnp.arange(most) < jnp.floor(number * (most + 1))
  weights = spread * jax.random.normal(of_normal, (most,)) * counted
  return jnp.zeros((2, len(NUMBERS))).at[(side < 0.5).astype(jnp.int32), units].add(weights)


class Course(NamedTuple):
  """How the motion of one clip of T frames goes; at the onset everything is 0.

  Attributes:
    mask: bool [T], the frames of the clip; the rest is padding.
    acts: float32 [T, 2] in 0..1, two groups of action units that start and end on their own.
    stray, lids: float32 [T], of what else the face does.
    head: float32 [T, 2], of the head's shift and of its turn.
  """

  mask: jax.Array
  acts: jax.Array
  stray: jax.Array
  lids: jax.Array
  head: jax.Array


def draw_course(key: jax.Array, num_frames: int, shortest: float) -> Course:
  """The course of one clip of at most T = `num_frames` frames, at least the share `shortest`.

  Rise, hold and decay as in `timing.draw_timing`; the apex lies at 25 to 75 % of the clip.
  """
  uniform = iter(jax.random.uniform(key, (22,)))

  def between(low: float, high: float) -> jax.Array:
    return low + (high - low) * next(uniform)

  length = jnp.floor(between(shortest * num_frames, num_frames + 0.999))
  phase = jnp.arange(num_frames) / jnp.maximum(length - 1, 1)
  apex = between(0.25, 0.75)
  acts = []
  for latest in (0.0, 0.35):
    start = between(0.0, latest) * apex
    hold = between(0.02, 0.25) * (1 - apex)
    end = apex + hold + between(0.75, 1.0) * (1 - apex - hold)
    acts.append(timing.act(phase, start, apex, hold, end, between(0.0, 0.25)))

  def bump(low: float, high: float) -> jax.Array:
    middle, width = between(-0.2, 1.2), between(low, high)
    course = jnp.exp(-0.5 * ((phase - middle) / width) ** 2)
    return course - course[0]

  def wave() -> jax.Array:
    course = jnp.sin(2 * jnp.pi * (between(0.1, 0.8) * phase + between(0.0, 1.0)))
    return course - course[0]

  return Course(
    mask=jnp.arange(num_frames) < length,
    acts=jnp.stack(acts, -1),
    stray=bump(0.15, 0.6),
    lids=bump(0.05, 0.3),
    head=jnp.stack([wave(), wave()], -1),
  )
