"""Drawn people, action units and courses: the same face as that of the synthetic corpora."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mer_jax.face import action_units, anatomy, draws, prototypes
from mer_jax.face.action_units import NUMBERS, displacement

X = np.linspace(-0.45, 0.45, 23, dtype=np.float32)
Y = np.linspace(-0.3, 0.8, 19, dtype=np.float32)
MANY = 2000


@pytest.mark.parametrize("seed", [0, 1])
def test_displacement_of_jax_is_that_of_the_rendered_corpora(seed):
  rng = np.random.default_rng(seed)
  person = anatomy.draw_identity(rng)
  weights = rng.normal(size=(2, len(NUMBERS))).astype(np.float32)
  names = [f"{side}{number}" for side in "LR" for number in NUMBERS]
  rendered = np.tensordot(
    weights.reshape(-1), action_units.fields(names, person, *np.meshgrid(X, Y)), 1
  )
  proportions = anatomy.proportions(person)
  assert np.abs(displacement(proportions, weights, X, Y) - rendered).max() < 1e-5
  drawn = jax.jit(displacement)(proportions, weights, jnp.asarray(X), jnp.asarray(Y))
  assert drawn.dtype == jnp.float32
  assert np.abs(drawn - rendered).max() < 1e-5


def test_proportions_have_the_means_and_spreads_of_the_corpora():
  keys = jax.random.split(jax.random.key(0), MANY)
  people = jax.vmap(draws.draw_proportions)(keys)
  for name, (mean, spread) in anatomy.LENGTHS.items():
    values = np.asarray(getattr(people, name))
    assert values.mean() == pytest.approx(mean, abs=5 * spread / MANY**0.5), name
    assert np.abs(values - mean).max() <= anatomy.FURTHEST * spread + 1e-6, name
  assert np.asarray(people.anatomy).std((0, 1, 2)) == pytest.approx(anatomy.MUSCLES, rel=0.05)


@pytest.mark.parametrize("emotion", sorted(prototypes.PROTOTYPES))
def test_emotions_move_the_units_of_their_prototypes_as_often_as_in_the_corpora(emotion):
  rng = np.random.default_rng(0)
  expected = np.zeros((2, len(NUMBERS)))
  for _ in range(MANY):
    for unit in prototypes.choose(emotion, rng):
      expected[:, NUMBERS.index(unit.number)] += unit.left, unit.right
  index = draws.EMOTIONS.index(emotion)
  weights = np.asarray(WEIGHTS(jax.random.split(jax.random.key(1), MANY), index))
  assert np.abs(weights.mean(0) - expected / MANY).max() < 0.07
  assert (weights.max((1, 2)) > 0).all(), "an expression moves something"


WEIGHTS = jax.jit(jax.vmap(draws.draw_weights, (0, None)))


def test_contempt_is_on_one_side():
  index = draws.EMOTIONS.index("contempt")
  weights = np.asarray(WEIGHTS(jax.random.split(jax.random.key(2), 200), index))
  assert not np.any((weights[:, 0] > 0) & (weights[:, 1] > 0))


def test_a_course_rises_from_rest_to_its_apex_and_ends_with_the_clip():
  courses = jax.vmap(lambda key: draws.draw_course(key, 40, 0.25))(
    jax.random.split(jax.random.key(0), 300)
  )
  acts, mask = np.asarray(courses.acts), np.asarray(courses.mask)
  assert (acts[:, 0] == 0).all()
  assert acts.min() >= 0
  assert acts.max() <= 1 + 1e-5
  inside = np.where(mask[..., None], acts, -1)
  assert (inside.max((1, 2)) > 0.8).all()
  lengths = mask.sum(1)
  assert lengths.min() >= 10
  assert lengths.max() == 40
  assert (np.diff(mask.astype(int), axis=1) <= 0).all(), "padding only at the end"
  keys = jax.random.split(jax.random.key(1), 50)
  assert np.asarray(jax.vmap(lambda key: draws.draw_course(key, 40, 1.0).mask)(keys)).all()
  for part in (courses.stray, courses.lids, courses.head):
    assert np.abs(np.asarray(part)[:, 0]).max() == 0
