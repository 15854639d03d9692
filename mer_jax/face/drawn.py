"""Motion of faces that nobody recorded: an emotion as the flow between two frames, or as a course.

What `flow`, `flow_maps` and `flow_sequence` measure between the frames of a clip is drawn directly:
a person's proportions, the action units of an emotion, what else moves in a face, how it was
cropped, and what optical flow gets wrong (measurement.py). No picture is rendered, so thousands of
maps are drawn in a second, and no two are alike. Everything is a pure function of a key, float32,
and may be jitted and vmapped.

MiE-X (Liu et al., "Synthesizing Micro-Expressions ...", ECCV 2022) draws pictures of faces from
action units; the tables here are those of the synthetic corpora.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mer_jax.face import draws, measurement
from mer_jax.face.action_units import NUMBERS, displacement
from mer_jax.face.anatomy import Proportions
from mer_jax.face.measurement import Measurement, strength

# Emotions of a class and their shares. Negative as the composite of MEGC2019 has it: disgust and
# repression of CASME II, mostly anger of SAMM, little of the others.
CLASSES = {
  "negative": {
    "disgust": 0.35,
    "anger": 0.25,
    "repression": 0.2,
    "contempt": 0.07,
    "sadness": 0.07,
    "fear": 0.06,
  },
  "positive": {"happiness": 1.0},
  **{emotion: {emotion: 1.0} for emotion in draws.EMOTIONS},
}
# AUs that speech moves: cheeks drawn in, chin, lips tight, lips apart, jaw.
_SPEECH = np.array([NUMBERS.index(number) for number in (14, 17, 23, 25, 26)])


class Drawing(NamedTuple):
  """How widely everything is drawn; each range can be closed by a 0.

  Lengths are shares of the map's height or width; strengths are shares of the largest motion of the
  expression itself. A pair (mean, spread) is of a normal distribution, a pair (chance, strength) of
  what happens in that share of the maps only.

  Attributes:
    eye_line: where the pupils are, from the top; published crops reach from .3 to .4.
    mouth_line: how far below them the lips are.
    pupils: how far apart the pupils are.
    sideways: standard deviation of the face's middle from the map's.
    stray_units: at most so many single-sided twitches beside the expression.
    stray_weight: standard deviation of their weights.
    speech: chance and strength of a moving mouth.
    blink: chance and strength of lids that open or close.
    gaze: chance and strength of eyes that move.
    head_shift: standard deviation of the head's shift, which most maps contain.
    head_turn: standard deviation of its turn, growth and tilt, at the map's border.
    shortest: length of the shortest course as a share of its frames, the rest of which is padding;
      1 where clips are resampled, so that they fill the frames.
    without_units: FACS numbers of action units that no expression has; for ablations.
    measurement: what optical flow gets wrong.
  """

  eye_line: tuple[float, float] = (0.335, 0.05)
  mouth_line: tuple[float, float] = (0.39, 0.035)
  pupils: tuple[float, float] = (0.475, 0.042)
  sideways: float = 0.025
  stray_units: int = 3
  stray_weight: float = 0.3
  speech: tuple[float, float] = (0.2, 0.3)
  blink: tuple[float, float] = (0.3, 0.6)
  gaze: tuple[float, float] = (0.2, 0.4)
  head_shift: float = 0.35
  head_turn: float = 0.12
  shortest: float = 0.25
  without_units: tuple[int, ...] = ()
  measurement: Measurement = Measurement()


class Drawn(NamedTuple):
  """One example.

  Attributes:
    maps: float32 [H, W, 3] or [T, H, W, 3]: u, v (down) in units of the largest motion of the
      expression, and optical strain of the same field in maps' widths.
    mask: bool [T], True where a frame of the course stands; of a single map, True.
    weights: float32 [2, A], of the action units of the expression, left and right.
  """

  maps: jax.Array
  mask: jax.Array
  weights: jax.Array


class _Scene(NamedTuple):
  """Fields [H, W, 2] of one face that add up to its motion."""

  parts: jax.Array  # [2, H, W, 2]: the expression's action units in two groups
  stray: jax.Array
  eyes: jax.Array
  shift: jax.Array
  turn: jax.Array
  place: jax.Array  # of every pixel, in face widths
  weights: jax.Array


def draw_map(key: jax.Array, emotion: jax.Array, drawing: Drawing, size: int) -> Drawn:
  """The flow from onset to apex.

  Args:
    key: of this example.
    emotion: int32 scalar, index into draws.EMOTIONS.
    drawing: how widely everything is drawn.
    size: H = W of the map.
  """
  of_scene, of_measurement = jax.random.split(key)
  scene = _scene(of_scene, emotion, drawing, 2 * size)  # strain needs the finer field
  motion = scene.parts.sum(0) + scene.stray + scene.eyes + scene.shift + scene.turn
  measure = measurement.draw(of_measurement, drawing.measurement, scene.place, size)
  return Drawn(measure(motion, jnp.ones(())), jnp.ones((), bool), scene.weights)


def draw_course(
  key: jax.Array, emotion: jax.Array, drawing: Drawing, size: int, num_frames: int
) -> Drawn:
  """The flows from the onset to each frame of a clip, from rest over the apex towards rest.

  Args:
    key, emotion, drawing, size: as in `draw_map`.
    num_frames: T; the clip is that long or shorter, and padded with zeros at its end.
  """
  of_scene, of_measurement, of_course = jax.random.split(key, 3)
  scene = _scene(of_scene, emotion, drawing, size)
  course = draws.draw_course(of_course, num_frames, drawing.shortest)
  measure = measurement.draw(of_measurement, drawing.measurement, scene.place, size)

  def frame(acts, stray, lids, head, begun):
    motion = jnp.tensordot(acts, scene.parts, 1) + stray * scene.stray + lids * scene.eyes
    return measure(motion + head[0] * scene.shift + head[1] * scene.turn, begun)

  begun = course.mask & (jnp.arange(num_frames) > 0)
  maps = jax.vmap(frame)(course.acts, course.stray, course.lids, course.head, begun)
  return Drawn(jnp.where(begun[:, None, None, None], maps, 0.0), course.mask, scene.weights)


def _scene(key: jax.Array, emotion: jax.Array, drawing: Drawing, size: int) -> _Scene:
  of_person, of_units, of_stray, of_normal, of_uniform = jax.random.split(key, 5)
  person = draws.draw_proportions(of_person)
  eye_line, mouth_line, pupils, sideways, blink, *normal = jax.random.normal(of_normal, (18,))
  happens = jax.random.uniform(of_uniform, (3 + len(NUMBERS),))
  grid = (jnp.arange(size) + 0.5) / size
  scale = jnp.stack(
    [
      _around(drawing.pupils, pupils) / (2 * person.eye_x),
      _around(drawing.mouth_line, mouth_line) / person.mouth_y,
    ]
  )  # maps' widths in a face width, across and along
  x = (grid - 0.5 - drawing.sideways * sideways) / scale[0]
  y = (grid - _around(drawing.eye_line, eye_line)) / scale[1]

  left_out = np.isin(NUMBERS, drawing.without_units)
  weights = jnp.where(left_out, 0.0, draws.draw_weights(of_units, emotion))
  first = happens[3:] < 0.5
  groups = [displacement(person, weights * part, x, y) * scale for part in (first, ~first)]
  parts = jnp.stack(groups)
  largest = jnp.sqrt((parts.sum(0) ** 2).sum(-1).max())
  speech = strength(drawing.speech, happens[0]) * jnp.stack(normal[:5])
  stray = draws.draw_stray(of_stray, drawing.stray_units, drawing.stray_weight)
  stray = displacement(person, stray.at[:, _SPEECH].add(speech), x, y)
  lids = jnp.stack([jnp.zeros(()), strength(drawing.blink, happens[1]) * blink])
  gaze = strength(drawing.gaze, happens[2]) * jnp.stack(normal[5:7])
  turn = drawing.head_turn * jnp.stack(normal[9:13]).reshape(2, 2)
  across = 2 * grid - 1
  return _Scene(
    parts=parts / jnp.maximum(largest, 1e-6),
    # A pull of weight 1 moves its place by about .7 face widths, before scaling.
    stray=stray * scale / (0.7 * scale[0]),
    eyes=_eyes(person, x, y) * (lids + gaze),
    shift=jnp.broadcast_to(drawing.head_shift * jnp.stack(normal[7:9]), (size, size, 2)),
    turn=across[None, :, None] * turn[0] + across[:, None, None] * turn[1],
    place=jnp.stack(jnp.broadcast_arrays(x[None, :], y[:, None]), -1),
    weights=weights,
  )


def _eyes(person: Proportions, x: jax.Array, y: jax.Array) -> jax.Array:
  """float32 [H, W, 1]: 1 at the openings of the eyes, falling off around them."""
  across = jnp.stack([x - person.eye_x, x + person.eye_x]) / (0.8 * person.eye_w)
  columns = jnp.exp(-0.5 * across**2).sum(0)
  rows = jnp.exp(-0.5 * (y / (1.3 * person.eye_h)) ** 2)
  return (rows[:, None] * columns)[..., None]


def _around(spread: tuple[float, float], normal: jax.Array) -> jax.Array:
  return spread[0] + spread[1] * normal
