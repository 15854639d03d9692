"""LBP-TOP against its definition, voxel by voxel, and against what is known of ATNet's features."""

import dataclasses
import functools
import math
import sys

import numpy as np
import pytest
from drawn_frames import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from mer_jax.errors import ConfigError, DataError
from mer_jax.inputs import cache_in, lbp, make, tim

MODULE = sys.modules["mer_jax.inputs.lbp_top"]  # the package shows the function of that name


def blocky(lengths, height, width, seed=0, levels=(0, 120, 240)):
  """Clips of a few gray levels: ties are many, and what is no tie is no close call."""
  clips = drawn(lengths, size=4, seed=seed)
  rng = np.random.default_rng(seed)
  frames = rng.choice(np.array(levels, np.uint8), (sum(lengths), height, width, 1))
  return dataclasses.replace(clips, frames=frames)


def features(clips, **options):
  return make("lbp_top", clips, **options)["features"]


def by_definition(
  volume, *, radii, neighbours, blocks=1, interpolation="nearest", mapping="faithful"
):
  """Features [D] of one volume [T, H, W], by a walk from voxel to voxel."""
  length, height, width = volume.shape
  x_radius, y_radius, t_radius = radii
  bins = bin_numbers(neighbours, mapping)
  counts = np.zeros((blocks, blocks, 3, max(bins) + 1 if mapping != "faithful" else 59))
  for t in range(t_radius, length - t_radius):
    for y in range(y_radius, height - y_radius):
      for x in range(x_radius, width - x_radius):
        row = (y - y_radius) * blocks // (height - 2 * y_radius)
        column = (x - x_radius) * blocks // (width - 2 * x_radius)
        codes = [0, 0, 0]
        for p in range(neighbours):
          cos, sin = math.cos(2 * math.pi * p / neighbours), math.sin(2 * math.pi * p / neighbours)
          places = (
            (t, y - y_radius * sin, x + x_radius * cos),
            (t - t_radius * sin, y, x + x_radius * cos),
            (t - t_radius * sin, y + y_radius * cos, x),
          )
          for plane, place in enumerate(places):
            codes[plane] += 2**p * brighter(volume, place, volume[t, y, x], interpolation)
        for plane, code in enumerate(codes):
          counts[row, column, plane, bins[code]] += 1
  return (counts / counts.sum(axis=-1, keepdims=True)).ravel()


def brighter(volume, place, centre, interpolation):
  if interpolation == "nearest":
    return volume[tuple(math.floor(c + 0.5 + 1e-9) for c in place)] >= centre
  value = 0.0
  for corner in np.ndindex(2, 2, 2):
    at = [math.floor(c + 1e-9) + i for c, i in zip(place, corner, strict=True)]
    share = math.prod(max(0.0, 1 - abs(c - a)) for c, a in zip(place, at, strict=True))
    if share > 1e-9:
      value += share * volume[tuple(at)]
  assert abs(value - centre) < 1e-6 or abs(value - centre) > 1e-2  # no close call
  return value >= centre - 1e-6


def bin_numbers(neighbours, mapping):
  codes = range(2**neighbours)
  if mapping == "none":
    return list(codes)
  bits = 8 if mapping == "faithful" else neighbours
  circles = [f"{code:0{bits}b}" for code in codes]
  uniform = [sum(c[i] != c[i - 1] for i in range(bits)) <= 2 for c in circles]
  return [sum(uniform[: code + 1]) if uniform[code] else 0 for code in codes]


@pytest.mark.parametrize("neighbours", [4, 8])
@pytest.mark.parametrize("interpolation", lbp.INTERPOLATIONS)
@pytest.mark.parametrize(
  ("radii", "blocks", "mapping"),
  [
    ((3, 3, 3), 1, "faithful"),
    ((1, 1, 4), 3, "circular"),
    ((1, 2, 3), 2, "none"),
    ((3, 1, 2), 1, "circular"),
  ],
)
def test_it_equals_the_definition(neighbours, interpolation, radii, blocks, mapping):
  clips = blocky([9, 11], 10, 11)
  options = {"radii": radii, "neighbours": neighbours, "blocks": blocks, "mapping": mapping}
  options["interpolation"] = interpolation
  wanted = [by_definition(clips.frames_of(n)[..., 0], **options) for n in range(2)]
  computed = features(clips, num_frames=0, **options)
  assert computed.dtype == np.float32
  np.testing.assert_allclose(computed, wanted, rtol=1e-6, atol=0)


@given(
  lengths=st.lists(st.integers(3, 20), min_size=1, max_size=3),
  height=st.sampled_from((5, 8)),
  width=st.sampled_from((5, 9)),
  seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=15)
def test_clips_of_any_length_keep_their_own_frames(lengths, height, width, seed):
  clips = blocky(lengths, height, width, seed)
  options = {"radii": (2, 1, 1), "neighbours": 4, "mapping": "none"}
  computed = features(clips, num_frames=0, **options)
  for n in range(len(clips)):
    wanted = by_definition(clips.frames_of(n)[..., 0], **options)
    np.testing.assert_allclose(computed[n], wanted, rtol=1e-6, atol=0)


def linear_matrix(source, target):
  at = np.linspace(0, source - 1, target)[:, None]
  return np.clip(1 - np.abs(at - np.arange(source)), 0, None)


@pytest.mark.parametrize(
  ("resample", "weights"),
  [
    ("tim", tim.matrix),
    ("tim_smooth", lambda *lengths: tim.matrix(*lengths, smooth=True)),
    ("linear", linear_matrix),
  ],
)
def test_clips_are_interpolated_and_rounded_to_whole_grays(resample, weights):
  clips = blocky([13, 1, 10], 8, 8, levels=(0, 3, 190, 255))
  computed = features(clips, radii=(1, 1, 3), num_frames=10, resample=resample)
  for n, length in enumerate([13, 1, 10]):
    mixed = np.tensordot(weights(length, 10), clips.frames_of(n)[..., 0].astype(float), axes=1)
    rounded = np.floor(np.clip(mixed, 0, 255) + 0.5).astype(np.uint8)
    wanted = by_definition(rounded, radii=(1, 1, 3), neighbours=8)
    np.testing.assert_allclose(computed[n], wanted, rtol=1e-6, atol=0)


def test_frames_are_resized_first():
  clips = drawn([9, 12], size=24)
  resized = clips.frames.reshape(-1, 12, 2, 12, 2).astype(float).mean(axis=(2, 4))[..., None]
  small = dataclasses.replace(clips, frames=np.floor(resized + 0.5).astype(np.uint8))
  options = {"radii": (1, 2, 3), "num_frames": 8, "neighbours": 4}
  computed, wanted = features(clips, size=12, **options), features(small, **options)
  # OpenCV rounds halves as it likes.
  np.testing.assert_allclose(computed, wanted, atol=0.05)
  assert np.array_equal(features(small, size=12, **options), wanted)
  assert np.abs(features(clips, **options) - wanted).max() > 0


@pytest.mark.parametrize(
  ("axis", "codes"), [("x", (11, 11, 15)), ("y", (13, 15, 11)), ("t", (15, 13, 13))]
)
def test_bits_count_from_the_right_against_the_clock(axis, codes):
  """On a slope along one axis, only the neighbour down the slope is darker."""
  clips = drawn([8], size=9)
  clips.frames[..., 0] = 5 * np.indices((8, 9, 9))["tyx".index(axis)]
  computed = features(clips, radii=(2, 2, 2), neighbours=4, num_frames=0, mapping="none")
  assert np.argmax(computed.reshape(3, 16), axis=1).tolist() == list(codes)
  assert computed.max(axis=1) == 1


def test_the_two_tables_of_atnets_features():
  """Four neighbours are looked up among the uniform patterns of eight: 12 bins of 59 are used."""
  label, bins = lbp.labels(4, "faithful")
  assert bins == 59
  assert np.flatnonzero(label).tolist() == [0, 1, 2, 3, 4, 6, 7, 8, 12, 14, 15]
  assert label[label > 0].tolist() == list(range(1, 12))
  label, bins = lbp.labels(8, "faithful")
  assert bins == 59
  assert np.sum(label > 0) == 58
  assert np.array_equal(label, lbp.labels(8, "circular")[0])
  assert lbp.labels(4, "circular")[1] == 15
  assert (lbp.labels(4, "none")[1], lbp.labels(8, "none")[1]) == (16, 256)


@pytest.mark.parametrize(("neighbours", "used"), [(4, 12), (8, 59)])
def test_the_published_layout_and_number_of_voxels(neighbours, used):
  """Denominators of the published features: 190096 = 218^2 x 4 of 10 frames of 224 pixels."""
  clips = drawn([17], size=224)
  computed = features(clips, neighbours=neighbours)
  assert computed.shape == (1, 177)
  planes = computed.reshape(3, 59)
  np.testing.assert_allclose(planes.sum(axis=1), 1, rtol=0, atol=1e-6)
  counts = planes.astype(float) * 190096
  np.testing.assert_allclose(counts, np.rint(counts), rtol=0, atol=0.02)
  assert np.any(np.rint(counts) % 2)
  assert np.count_nonzero(np.any(planes > 0, axis=0)) == used
  assert not np.any(planes[:, used:])


def test_nearest_neighbours_do_not_see_how_bright_it_is():
  clips = blocky([9, 8], 9, 9, levels=range(0, 60, 3))
  gray = clips.frames.astype(float)
  brighter = dataclasses.replace(clips, frames=(gray**2 / 16 + gray / 2 + 9).astype(np.uint8))
  assert len(np.unique(brighter.frames)) == len(np.unique(clips.frames))
  options = {"radii": (2, 3, 1), "num_frames": 0, "mapping": "none"}
  plain = features(clips, **options)
  assert np.array_equal(plain, features(brighter, **options))
  clips.frames[4, 4, 4] ^= 128
  assert not np.array_equal(plain, features(clips, **options))


@pytest.mark.parametrize("interpolation", lbp.INTERPOLATIONS)
@pytest.mark.parametrize(("neighbours", "last"), [(4, 11), (8, 58)])
def test_where_nothing_changes_every_bit_is_set(interpolation, neighbours, last):
  clips = drawn([4], size=12)
  clips.frames[:] = 199
  computed = features(clips, neighbours=neighbours, interpolation=interpolation).reshape(3, 59)
  assert np.array_equal(computed, np.tile(np.arange(59) == last, (3, 1)))


def test_each_ring_weighs_one_and_is_symmetric():
  for radii in ((1, 1), (3, 3), (1, 4), (5, 2)):
    ring = lbp.ring(8, radii, "bilinear")
    assert [sum(weight for *_, weight in taps) for taps in ring] == [lbp.WEIGHT_UNIT] * 8
    for p, taps in enumerate(ring):
      mirrored = {(-a, b, weight) for a, b, weight in taps}
      assert mirrored == set(ring[(4 - p) % 8])


def test_lengths_share_programs():
  clips = blocky(list(range(7, 41)), 7, 7)
  before = MODULE._counts._cache_size()
  assert len(features(clips, num_frames=0)) == 34
  assert MODULE._counts._cache_size() - before <= 3


def test_what_is_kept_is_used_again(tmp_path, monkeypatch):
  clips = drawn([8, 9], size=9)
  cached = functools.partial(make, "lbp_top", clips, cache_in(tmp_path))
  first, other = cached()["features"], cached(neighbours=4)["features"]
  monkeypatch.setattr(MODULE, "_counted", None)
  assert np.array_equal(cached(radii=[3, 3, 3])["features"], first)
  assert np.array_equal(cached(neighbours=4)["features"], other)
  with pytest.raises(TypeError):
    cached(blocks=2)
  assert not np.array_equal(first, other)


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"radii": (3, 3)}, r"radii must be three whole numbers, \(x, y, t\).*got \(3, 3\)"),
    ({"radii": 3}, r"radii must be three whole numbers.*got 3"),
    ({"radii": (1, 0, 3)}, r"radii along y must be a whole number of at least 1; got 0"),
    ({"radii": (1, 1, 1.5)}, r"radii along t must be a whole number"),
    ({"neighbours": 6}, r"neighbours must be 4 or 8; got 6"),
    ({"blocks": 0}, r"blocks must be a whole number of at least 1"),
    ({"blocks": 4}, r"9 x 9 pixels are too small for the radii 3 and 3 and 4 x 4.*10 x 10"),
    ({"radii": (1, 5, 1)}, r"must be at least 3 x 11; choose smaller radii"),
    ({"size": 6}, r"Frames of 6 x 6 pixels are too small"),
    ({"size": -1}, r"size must be a whole number of at least 0"),
    ({"num_frames": 6}, r"num_frames is 6, and the radius 3 along t needs at least 7"),
    ({"num_frames": "10"}, r"num_frames must be a whole number of at least 0; got '10'"),
    ({"interpolation": "linear"}, r"interpolation: 'linear'\..*Known: bilinear, nearest"),
    ({"mapping": "u2"}, r"mapping: 'u2'\. Known: circular, faithful, none"),
    ({"resample": "none"}, r"resample: 'none'\. Known: linear, tim, tim_smooth"),
  ],
)
def test_options_that_do_not_fit_are_refused(options, message):
  with pytest.raises(ConfigError, match=message):
    features(drawn([9], size=9), **options)


def test_a_clip_too_short_is_named():
  clips = drawn([9, 5, 6], size=9)
  with pytest.raises(DataError, match=r"casme2/sub01/EP01 has 5 frames.*at least 7.*num_frames"):
    features(clips, num_frames=0)
  assert features(clips).shape == (3, 177)
  assert features(clips.select([]), num_frames=0).shape == (0, 177)
