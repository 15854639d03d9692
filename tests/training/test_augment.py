"""What the changes of flow maps do: signs, geometry, and which examples are mixed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mer_jax.training import augment
from mer_jax.training.augment import Augment

KEY = jax.random.key(3)
SIZE, COUNT = 28, 16


def changed(fields, inputs):
  return jax.device_get(augment.changed(Augment(**fields), KEY, inputs))


def grid():
  """Rows and columns from the centre, [H, W] each."""
  axis = np.arange(SIZE) - (SIZE - 1) / 2
  return np.meshgrid(axis, axis, indexing="ij")


def blob(row, column, width=2.0):
  y, x = grid()
  return np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * width**2)).astype(np.float32)


def copies(*channels):
  return {"image": jnp.asarray(np.stack([np.stack(channels, -1)] * COUNT))}


def centre_of(mass):
  y, x = grid()
  return np.array([(y * mass).sum((-2, -1)), (x * mass).sum((-2, -1))]) / mass.sum((-2, -1))


def test_a_mirror_image_is_reversed_and_u_has_the_other_sign():
  image = np.random.default_rng(0).normal(size=(COUNT, 5, 4, 3)).astype(np.float32)
  out = changed({"mirror": 0.5}, {"image": image})["image"]
  flipped = np.array([not np.array_equal(a, b) for a, b in zip(out, image, strict=True)])
  assert 0 < flipped.sum() < COUNT
  expected = image[:, :, ::-1] * np.float32([-1, 1, 1])
  np.testing.assert_array_equal(out[flipped], expected[flipped])
  always = changed({"mirror": 1.0}, {"image": image})
  np.testing.assert_array_equal(always["image"], expected)
  np.testing.assert_array_equal(augment.mirrored(always)["image"], image)


def test_what_is_shifted_moves_and_keeps_its_size():
  out = changed({"shift": 0.2}, copies(*[blob(0, 0)] * 3))["image"]
  by = centre_of(out[..., 2])
  assert np.abs(by).max() <= 0.2 * SIZE
  assert np.abs(by).max(axis=1).min() > 0.1 * SIZE  # of some example, in either direction
  np.testing.assert_allclose(out.sum((1, 2)), blob(0, 0).sum(), rtol=1e-2)


def test_what_is_scaled_grows_or_shrinks_about_the_centre():
  out = changed({"scale": 0.3}, copies(*[blob(0, 0)] * 3))["image"][..., 0]
  y, x = grid()
  spread = np.sqrt(((y**2 + x**2) * out).sum((1, 2)) / out.sum((1, 2)))
  factor = spread / np.sqrt(((y**2 + x**2) * blob(0, 0)).sum() / blob(0, 0).sum())
  assert np.abs(np.log(factor)).max() < 0.35  # interpolation widens a little
  assert factor.min() < 0.9
  assert factor.max() > 1.1
  np.testing.assert_allclose(centre_of(out), 0, atol=1e-3)


def test_vectors_turn_with_what_they_are_at():
  at = blob(0, 7)
  out = changed({"rotate": 60.0}, copies(at, 0 * at, at))["image"]  # all point outwards
  row, column = centre_of(out[..., 2])
  place = np.arctan2(row, column)
  direction = np.arctan2(out[..., 1].sum((1, 2)), out[..., 0].sum((1, 2)))
  np.testing.assert_allclose(place, direction, atol=2e-2)
  assert place.min() < -0.5
  assert place.max() > 0.5
  assert np.abs(place).max() < np.deg2rad(61)
  np.testing.assert_allclose(np.hypot(row, column), 7, rtol=2e-2)


@pytest.mark.parametrize("name", ["image", "frames"])
def test_gathers_resample_as_products_do(name):
  shape = (COUNT, 9, 12, 3) if name == "image" else (COUNT, 2, 9, 12, 3)
  inputs = {name: np.random.default_rng(1).normal(size=shape).astype(np.float32)}
  fields = {"shift": 0.1, "scale": 0.2}
  products = changed(fields, inputs)[name]
  gathers = changed({**fields, "rotate": 1e-12}, inputs)[name]
  np.testing.assert_allclose(gathers, products, atol=2e-5)
  assert np.any(products != inputs[name])


def test_all_frames_of_a_clip_change_alike():
  image = np.random.default_rng(0).normal(size=(COUNT, 8, 8, 3)).astype(np.float32)
  fields = {"mirror": 0.5, "shift": 0.1, "scale": 0.1, "rotate": 20.0, "cut_out": 0.3}
  frames = np.repeat(image[:, None], 3, axis=1)
  out = changed(fields, {"frames": frames})["frames"]
  for t in range(3):
    np.testing.assert_array_equal(out[:, t], out[:, 0])
  np.testing.assert_allclose(out[:, 0], changed(fields, {"image": image})["image"], atol=1e-6)


def test_noise_has_its_deviation_and_stays_out_of_padding():
  frames, mask = np.zeros((COUNT, 4, 8, 8, 3), np.float32), np.arange(4) < np.full((COUNT, 1), 3)
  out = changed({"noise": 0.5}, {"frames": frames, "mask": mask})
  assert out["frames"][:, :3].std() == pytest.approx(0.5, rel=0.05)
  assert not out["frames"][:, 3].any()
  np.testing.assert_array_equal(out["mask"], mask)


def test_a_square_is_cut_out():
  out = changed({"cut_out": 0.25}, {"image": np.ones((COUNT, SIZE, SIZE, 3), np.float32)})["image"]
  area = (out == 0).all(-1).sum((1, 2))
  assert np.all((out == 0) | (out == 1))
  assert area.max() == (0.25 * SIZE) ** 2
  assert area.min() > 0
  assert len({tuple(np.argwhere(cut == 0)[0]) for cut in out}) > COUNT // 2


def test_mixed_examples_are_shares_of_partners():
  image = np.random.default_rng(0).normal(size=(COUNT, 4, 4, 3)).astype(np.float32)
  mask = np.random.default_rng(0).random((COUNT, 5)) < 0.5
  inputs, (partner, share) = augment.mix(0.4, KEY, {"image": image, "mask": mask})
  assert 0.5 <= share <= 1
  assert sorted(np.asarray(partner)) == list(range(COUNT))
  assert np.all(np.asarray(partner) != np.arange(COUNT))
  np.testing.assert_allclose(inputs["image"], share * image + (1 - share) * image[partner], 1e-5)
  np.testing.assert_array_equal(inputs["mask"], mask | mask[partner])


def test_what_is_off_changes_nothing_and_other_inputs_stay():
  inputs = {"image": np.ones((2, 3, 3, 3), np.float32), "motion": np.ones((2, 4), np.float32)}
  out = changed({}, inputs)
  np.testing.assert_array_equal(out["image"], inputs["image"])
  strong = changed({"mirror": 1.0, "noise": 1.0}, inputs)
  np.testing.assert_array_equal(strong["motion"], inputs["motion"])
