"""Peers on the composite: sizes as published, every form, and layers beside a plain reading."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mer_jax import models
from mer_jax.errors import ConfigError
from mer_jax.models import layers, rcn
from mer_jax.models.layers import transformer
from mer_jax.models.multiply_adds import multiply_adds

TINY = {"width": 32, "heads": 2, "repeats": (2, 2, 2)}


def of_clip(name, size, **options):
  """A model with the shapes of its variables and of its inputs, for one clip."""
  model = models.build(name, 3, options)
  inputs = {
    "image": jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32),
    "frames": jax.ShapeDtypeStruct((1, 4, size, size, 3), jnp.float32),
  }
  init = partial(model.init, train=False)
  return model, jax.eval_shape(init, jax.random.key(0), inputs, jnp.ones(1)), inputs


@pytest.mark.parametrize(
  ("name", "size", "options", "parameters", "millions"),
  [
    ("off_apexnet", 28, {}, 2_664_475, 3.8),
    ("off_apexnet", 28, {"form": "meb"}, 807_909, 1.1),
    ("sssnet", 64, {}, 1_349_251, 15.9),
    ("dual_inception", 28, {}, 6_449_867, 12.4),
    ("rcn", 60, {"channels": 32}, 15_331, 23.0),
    ("rcn", 60, {}, 51_139, 76.5),
    ("off_tanet", 112, {}, 59_403, 29.3),
    ("htnet", 28, {}, 139_582_982, 214.3),
    ("htnet", 28, TINY, 618_694, 1.8),
    ("causalnet", 28, {}, 276_590_089, 987.5),
  ],
)
def test_sizes_are_those_published(name, size, options, parameters, millions):
  """Counted from the layer tables; published to two digits as 2.66, .81, 1.35, 6.5 M and so on."""
  model, variables, inputs = of_clip(name, size, **options)
  assert models.count_parameters(variables["params"]) == parameters
  cost = multiply_adds(partial(model.apply, train=False), variables, inputs, jnp.ones(1))
  assert round(cost / 1e6, 1) == millions


@pytest.mark.parametrize("form", rcn.FORMS)
def test_forms_of_rcn_differ_in_their_beginning_alone(form):
  """Shortcuts and attention have no parameters; dilated beginnings have fewer than 5 x 5."""
  _, variables, _ = of_clip("rcn", 60, form=form, channels=32)
  names = set(variables["params"])
  assert {"forward", "recurrent", "logits_kernel"} <= names
  expected = {"A": {"first"}, "S": {"first"}, "W": {f"dilated{d}" for d in (1, 2, 3)}}
  expected["F"] = {"dilated1", "dilated2"}
  beginnings = {"first", "dilated1", "dilated2", "dilated3"}
  assert names & beginnings == expected[form]


@pytest.mark.parametrize(
  ("name", "size", "options", "message"),
  [
    ("off_apexnet", 28, {"form": "mebs"}, "mebs.*paper"),
    ("rcn", 60, {"form": "P"}, "'P'.*A"),
    ("sssnet", 12, {}, r"13 x 13 .* 12 x 12.*input\.size"),
    ("off_tanet", 28, {"heads": 3}, "28 channels do not divide into 3 heads"),
    ("off_tanet", 8, {}, "9 pixels .* 8 x 8"),
    ("htnet", 30, {}, "multiple of 28 .* 30 x 30"),
    ("causalnet", 28, {"width": 20}, "80 features .* 4 places of 8 heads"),
  ],
)
def test_what_does_not_fit_says_so(name, size, options, message):
  with pytest.raises(ConfigError, match=message):
    of_clip(name, size, **options)


def test_causalnet_needs_four_maps():
  model = models.build("causalnet", 3, {})
  frames = {"frames": jnp.zeros((1, 3, 28, 28, 3))}
  with pytest.raises(ConfigError, match=r"4 maps of a clip; these have 3.*num_frames=4"):
    jax.eval_shape(partial(model.init, train=False), jax.random.key(0), frames, jnp.ones(1))


def test_areas_of_the_adaptive_mean_overlap_as_in_pytorch():
  x = np.random.default_rng(0).random((1, 7, 5, 2), np.float32)
  got = layers.adaptive_avg_pool(x, 3)
  # floor(7 i / 3) to ceil(7 (i + 1) / 3), and of 5 alike
  rows, columns = [(0, 3), (2, 5), (4, 7)], [(0, 2), (1, 4), (3, 5)]
  plain = [[x[:, a:b, c:d].mean((1, 2)) for c, d in columns] for a, b in rows]
  np.testing.assert_allclose(got[0], np.array(plain)[:, :, 0], rtol=1e-5)


def test_the_overlapping_maximum_with_a_place_before_is_pytorchs_with_padding():
  x = -np.arange(1.0, 5, dtype=np.float32).reshape(1, 4, 1, 1)
  got = layers.max_pool_overlapping(np.repeat(x, 4, axis=2), 3, 2, before=1)
  np.testing.assert_array_equal(got[0, :, 0, 0], [-1, -2])  # of places -1..1 and 1..3


def test_dropout_by_channel_takes_all_places_of_a_channel():
  x = jnp.ones((4, 5, 5, 64))
  dropout = layers.Dropout(0.5, by_channel=True)
  out = np.asarray(dropout.apply({}, x, train=True, rngs={"dropout": jax.random.key(0)}))
  np.testing.assert_array_equal(out, np.broadcast_to(out[:, :1, :1], out.shape))
  assert 0.3 < (out == 0).mean() < 0.7
  assert out.max() == 2


def test_crops_of_the_face_are_tiled_and_stay_inside():
  image = np.arange(28 * 28, dtype=np.float32).reshape(1, 28, 28, 1)
  got = np.asarray(transformer.face_crops(image, [(7, 7), (7, 21), (21, 7), (27, 27)]))
  np.testing.assert_array_equal(got, image)
  moved = np.asarray(transformer.face_crops(image, [(9, 11), (7, 21), (21, 7), (21, 21)]))
  np.testing.assert_array_equal(moved[0, :14, :14], image[0, 2:16, 4:18])


def test_places_attend_to_their_own_block_alone():
  """What changes in one quarter of the image reaches no other quarter on the first level."""
  trunk = transformer.NestedTransformer(1, 4, 2, (1, 1))
  x = np.random.default_rng(0).random((1, 4, 4, 3), np.float32)
  params = trunk.init(jax.random.key(0), x)
  cut = transformer._cut(jnp.asarray(x), 2)
  np.testing.assert_array_equal(cut[1], x[0, :2, 2:])
  np.testing.assert_array_equal(transformer._joined(cut, 2), x)

  def first_level(x):
    _, kept = trunk.apply(params, x, capture_intermediates=True)
    return np.asarray(kept["intermediates"]["transformer0"]["__call__"][0])

  before, after = first_level(x), first_level(x + (np.indices((4, 4))[0] < 2)[None, ..., None])
  same = np.all(before == after, axis=(1, 2, 3))
  assert same.tolist() == [False, False, True, True]
