"""Drawn flow maps and courses."""

import functools

import jax
import numpy as np
import pytest

from mer_jax.face import draws
from mer_jax.face.action_units import NUMBERS
from mer_jax.face.drawn import CLASSES, Drawing, draw_course, draw_map
from mer_jax.face.measurement import Measurement

SIZE = 14
# Nothing but the expression on a mean crop.
PLAIN = Drawing(
  eye_line=(0.335, 0.0),
  mouth_line=(0.39, 0.0),
  pupils=(0.475, 0.0),
  sideways=0.0,
  stray_weight=0.0,
  speech=(0.0, 0.0),
  blink=(0.0, 0.0),
  gaze=(0.0, 0.0),
  head_shift=0.0,
  head_turn=0.0,
  measurement=Measurement(
    flat=0.0,
    shrink=(0.0, 0.0),
    flatten=(0.0, 0.0),
    noise=(0.0, 0.0, 0.0),
    outliers=0.0,
    outside=0.0,
    speckle=(0.0, 0.0),
    decimated=0.0,
    white=(0.0, 0.0),
    gain=0.0,
  ),
)


@functools.partial(jax.jit, static_argnums=(0, 3))
def compiled(shapes, keys, index, size, numbers):
  """Drawn maps; how widely they are drawn is data to the program, but for what decides shapes."""
  measured = {name: numbers[name] for name in Measurement._fields}
  others = {name: value for name, value in numbers.items() if name not in measured}
  drawing = Drawing(**dict(shapes), **others, measurement=Measurement(**measured))
  return jax.vmap(lambda key: draw_map(key, index, drawing, size))(keys)


def maps_of(emotion, drawing, count=64, seed=0, size=SIZE):
  fields = {**drawing._asdict(), **drawing.measurement._asdict()}
  del fields["measurement"]
  shapes = tuple((name, fields.pop(name)) for name in ("stray_units", "without_units"))
  keys = jax.random.split(jax.random.key(seed), count)
  return compiled(shapes, keys, draws.EMOTIONS.index(emotion), size, fields)


@pytest.fixture(scope="module")
def widely_drawn():
  return maps_of("happiness", Drawing())


def test_maps_are_finite_float32_and_strain_is_not_negative(widely_drawn):
  maps = np.asarray(widely_drawn.maps)
  assert maps.shape == (64, SIZE, SIZE, 3)
  assert maps.dtype == np.float32
  assert np.isfinite(maps).all()
  assert maps[..., 2].min() >= 0
  assert widely_drawn.weights.shape == (64, 2, len(NUMBERS))


def test_no_two_maps_are_alike_and_a_key_decides_everything(widely_drawn):
  maps = np.asarray(widely_drawn.maps).reshape(64, -1)
  assert len(np.unique(maps, axis=0)) == 64
  assert np.array_equal(maps_of("happiness", Drawing()).maps, widely_drawn.maps)
  assert not np.array_equal(maps_of("happiness", Drawing(), seed=1).maps, widely_drawn.maps)


def test_happiness_raises_the_corners_of_the_mouth_and_surprise_the_brows():
  happy = np.asarray(maps_of("happiness", PLAIN).maps).mean(0)
  surprised = np.asarray(maps_of("surprise", PLAIN).maps).mean(0)
  mouth, brows = slice(9, 12), slice(1, 4)
  assert happy[mouth, :, 1].min() < -0.3
  assert abs(happy[brows, :, 1].min()) < 0.1
  assert surprised[brows, :, 1].min() < -0.3
  # The corner on the right of the picture goes to the right, the other to the left.
  assert happy[mouth, 8:, 0].max() > 0.1
  assert happy[mouth, :6, 0].min() < -0.1


def test_the_largest_motion_of_a_plain_expression_is_its_unit():
  maps = np.asarray(maps_of("anger", PLAIN).maps)
  longest = np.hypot(maps[..., 0], maps[..., 1]).max((1, 2))
  # The average over 2 x 2 pixels lowers sharp peaks.
  assert longest.max() <= 1 + 1e-5
  assert longest.min() > 0.5


def test_a_unit_that_is_left_out_does_not_move():
  drawing = Drawing(without_units=(12, 6))
  weights = np.asarray(maps_of("happiness", drawing).weights)
  left_out = [NUMBERS.index(number) for number in (12, 6)]
  assert weights[:, :, left_out].max() == 0


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("head_shift", 0.5),
    ("head_turn", 0.5),
    ("blink", (1.0, 1.0)),
    ("gaze", (1.0, 1.0)),
    ("speech", (1.0, 1.0)),
    ("stray_weight", 1.0),
    ("sideways", 0.1),
    ("eye_line", (0.335, 0.1)),
    ("flat", 1.0),
    ("shrink", (1.0, 0.3)),
    ("flatten", (1.0, 3.0)),
    ("noise", (0.1, 0.1, 0.1)),
    ("outliers", 4.0),
    ("outside", 1.0),
    ("speckle", (1.0, 1.0)),
    ("decimated", 1.0),
    ("white", (1.0, 0.2)),
    ("gain", 0.5),
  ],
)
def test_every_nuisance_changes_the_maps_it_is_switched_on_for(field, value):
  measured = field in Measurement._fields
  options = PLAIN.measurement._replace(**{field: value}) if measured else PLAIN.measurement
  drawing = PLAIN._replace(**({} if measured else {field: value}), measurement=options)
  plain = np.asarray(maps_of("disgust", PLAIN).maps)
  changed = np.asarray(maps_of("disgust", drawing).maps)
  assert np.isfinite(changed).all()
  assert np.abs(changed - plain).max() > 0.02


def test_a_course_begins_at_rest_is_padded_with_zeros_and_moves_most_in_between():
  index = draws.EMOTIONS.index("surprise")
  keys = jax.random.split(jax.random.key(0), 16)
  drawn = jax.jit(jax.vmap(lambda key: draw_course(key, index, PLAIN, SIZE, 12)))(keys)
  maps, mask = np.asarray(drawn.maps), np.asarray(drawn.mask)
  assert maps.shape == (16, 12, SIZE, SIZE, 3)
  assert maps[~mask].any() == np.False_
  assert maps[:, 0].any() == np.False_
  size = np.abs(maps[..., :2]).max((2, 3, 4))
  apex = size.argmax(1)
  last = mask.sum(1) - 1
  assert (apex > 0).all()
  assert (apex < last).all()
  assert (size[np.arange(16), last] < 0.7 * size.max(1)).all()


def test_every_class_is_a_mixture_of_emotions_that_can_be_drawn():
  for name, mixture in CLASSES.items():
    assert set(mixture) <= set(draws.EMOTIONS), name
    assert sum(mixture.values()) == pytest.approx(1), name
