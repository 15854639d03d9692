"""What every input promises: shapes, types, ranges, purity, and clear refusals."""

import inspect

import numpy as np
import pytest
from drawn_frames import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from mer_jax import inputs
from mer_jax.clips import FLOW_MAPS, GRAY
from mer_jax.errors import ConfigError

SETTINGS = {
  "padded_frames": (
    {"num_frames": 6, "size": 5},
    {"num_frames": 6, "size": 11, "pad": "pre", "truncate": "apex"},
    {"num_frames": 9, "size": 8, "resample": "linear"},
    {"num_frames": 7, "size": 5, "resample": "tim"},
    {"num_frames": 4, "size": 5, "resample": "tim_smooth"},
  ),
  "onset_difference": (
    {"num_frames": 6, "size": 5, "gain": 4.0, "truncate": "last"},
    {"num_frames": 6, "size": 8, "flicker": "remove", "head_motion": "affine"},
    {"num_frames": 5, "size": 8, "standardise": "clip", "resample": "linear"},
    {"num_frames": 7, "size": 5, "gain": 4.0, "resample": "tim"},
  ),
  "flow": (
    {"size": 7, "allow_small": True},
    {"size": 9, "allow_small": True, "method": "farneback", "scaling": "fixed"},
    {"size": 7, "allow_small": True, "head_motion": "affine"},
    {"size": 30, "allow_small": True, "head_motion": "translation", "method": "tv_l1"},
  ),
  "flow_sequence": (
    {"num_frames": 6, "size": 7, "allow_small": True},
    {"num_frames": 7, "size": 7, "allow_small": True, "resample": "linear", "pad": "pre"},
    {"num_frames": 3, "size": 20, "allow_small": True, "truncate": "apex", "method": "farneback"},
    {"num_frames": 4, "size": 5, "allow_small": True, "truncate": "last", "head_motion": "affine"},
  ),
  "flow_maps": ({}, {"index": 1}),
  "apex_frame": ({"size": 5}, {"size": 11, "standardise": "clip"}),
  "pooled_flow": (
    {"num_frames": 6, "allow_small": True},
    {"num_frames": 3, "grid": 5, "method": "dis", "allow_small": True},
  ),
  "apex_and_pooled_flow": ({"size": 5, "num_frames": 4, "grid": 2, "allow_small": True},),
  "hoof": (
    {"flows": 3, "allow_small": True},
    {"flows": 2, "bins": 4, "blocks": 2, "symmetric": False, "method": "dis", "allow_small": True},
  ),
  "bi_woof": (
    {"allow_small": True},
    {"allow_small": True, "bins": 6, "blocks": 2, "method": "farneback", "head_motion": "affine"},
  ),
  "lbp_top": (
    {},
    {"radii": (1, 1, 2), "neighbours": 4, "blocks": 2, "num_frames": 6, "resample": "tim_smooth"},
  ),
}
CHANNELS = {
  "padded_frames": 1,
  "onset_difference": 1,
  "flow_sequence": 3,
  "flow": 3,
  "flow_maps": 3,
  "apex_frame": 1,
  "apex_and_pooled_flow": 1,
}


def settings_for(name: str) -> tuple[dict, ...]:
  """Options that make an input small; of one that is not listed above, where it has them."""
  small = {"num_frames": 6, "size": 7, "allow_small": True}
  known = inputs.declaration(inputs.INPUTS[name]).options
  return SETTINGS.get(name, ({key: value for key, value in small.items() if key in known},))


CASES = [(name, options) for name in inputs.INPUTS for options in settings_for(name)]


def clips_for(name: str, lengths=(5, 9, 2, 6), seed=0):
  declared = inputs.declaration(inputs.INPUTS[name])
  channels = GRAY if GRAY in declared.reads else FLOW_MAPS
  size = 16 if "allow_small" in declared.options else 8
  return drawn(list(lengths), size=size, seed=seed, channels=channels)


@pytest.mark.parametrize(("name", "options"), CASES)
@given(order=st.lists(st.integers(0, 3), unique=True), seed=st.integers(0, 5))
@settings(max_examples=8, deadline=None)
def test_a_clips_row_depends_on_that_clip_alone(name, options, order, seed):
  clips = clips_for(name, seed=seed)
  before = clips.frames.copy()
  everything = inputs.make(name, clips, **options)
  alone = inputs.make(name, clips.select(order), **options)
  assert everything.keys() == alone.keys()
  for key in everything:
    assert np.array_equal(everything[key][order], alone[key])
  assert np.array_equal(before, clips.frames)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_every_input_gives_the_arrays_that_it_declares(name, options):
  arrays = inputs.make(name, clips_for(name), **options)
  assert tuple(arrays) == inputs.declaration(inputs.INPUTS[name]).gives
  for array, values in arrays.items():
    assert len(values) == 4
    assert values.dtype == (np.bool_ if array == "mask" else np.float32)
    assert np.all(np.isfinite(values))


@pytest.mark.parametrize(("name", "options"), [case for case in CASES if case[0] in SETTINGS])
def test_shapes(name, options):
  arrays, side = inputs.make(name, clips_for(name), **options), options.get("size", 8)
  shapes = {
    "image": (4, side, side, CHANNELS.get(name)),
    "motion": (4, options.get("num_frames"), 2 * options.get("grid", 8) ** 2),
    "frames": (4, options.get("num_frames"), side, side, CHANNELS.get(name)),
    "mask": (4, options.get("num_frames")),
  }
  for array, values in arrays.items():
    if array == "features":
      assert values.ndim == 2
    else:
      assert values.shape == shapes[array]
  if "mask" in arrays:
    assert not np.any(arrays["frames"][~arrays["mask"]])


@pytest.mark.parametrize("name", inputs.INPUTS)
def test_no_clips_give_no_rows(name):
  for array in inputs.make(name, clips_for(name).select([]), **settings_for(name)[0]).values():
    assert len(array) == 0


def test_channels_that_do_not_fit_are_refused_with_what_fits():
  gray, maps = drawn([3]), drawn([3], channels=FLOW_MAPS)
  with pytest.raises(ConfigError, match=r"flow reads clips of 'gray'; these hold 'u v strain'"):
    inputs.make("flow", maps)
  with pytest.raises(ConfigError, match=r"that read them: .*padded_frames"):
    inputs.make("onset_difference", maps)
  with pytest.raises(ConfigError, match=r"flow_maps reads .* read them: .*onset_difference"):
    inputs.make("flow_maps", gray)


@pytest.mark.parametrize(
  ("name", "option", "value", "message"),
  [
    ("padded_frames", "pad", "posst", r"value of pad: 'posst'\. Did you mean 'post'"),
    ("padded_frames", "truncate", "middle", r"Known: apex, first, last"),
    ("padded_frames", "resample", ["linear"], r"Known: linear, none, tim"),
    ("padded_frames", "num_frames", 0, r"num_frames must be a whole number of at least 1; got 0"),
    ("padded_frames", "size", 4.5, r"size must be a whole number of at least 1; got 4\.5"),
    ("onset_difference", "gain", 0, r"gain must be a finite number above 0; got 0"),
    ("onset_difference", "gain", "2", r"gain must be a finite number above 0; got '2'"),
    ("onset_difference", "standardise", "all", r"Known: clip, none"),
    ("onset_difference", "flicker", "off", r"Known: keep, remove"),
    ("onset_difference", "head_motion", "rigid", r"Known: affine, keep, translation"),
    ("flow", "method", "tvl1", r"Known: dis, farneback, tv_l1"),
    ("flow", "scaling", "max", r"Known: fixed, minmax"),
    ("flow", "head_motion", "rigid", r"Known: affine, keep, translation"),
    ("flow_sequence", "num_frames", 0, r"num_frames must be a whole number of at least 1; got 0"),
    ("flow_sequence", "resample", "tim", r"value of resample: 'tim'\. Known: linear, none"),
    ("flow_sequence", "method", "tvl1", r"Known: dis, farneback, tv_l1"),
    ("flow_sequence", "pad", "both", r"Known: post, pre"),
    ("flow_sequence", "scaling", "minmax", r"Unknown option of the input flow_sequence 'scaling'"),
    ("apex_frame", "standardise", "all", r"Known: clip, none"),
    ("apex_frame", "size", 0, r"size must be a whole number of at least 1; got 0"),
    ("pooled_flow", "grid", 0, r"grid must be a whole number of at least 1; got 0"),
    ("pooled_flow", "method", "tvl1", r"Known: dis, farneback, tv_l1"),
    ("apex_and_pooled_flow", "num_frames", 0, r"num_frames must be a whole number of at least 1"),
    ("temporal_sampling_deformation", "num_frames", 7, r"num_frames must be even.*got 7"),
    ("temporal_sampling_deformation", "num_frames", 1, r"whole number of at least 2; got 1"),
    ("apex_flow_and_frames", "scaling", "max", r"Known: fixed, minmax"),
    ("flow_maps", "index", -1, r"index must be a whole number of at least 0; got -1"),
    ("flow", "clips", 3, r"Unknown option of the input flow 'clips'"),
    ("flow", "sise", 3, r"Did you mean 'size'\? Known: allow_small, head_motion, method"),
  ],
)
def test_bad_options_are_refused(name, option, value, message):
  with pytest.raises(ConfigError, match=message):
    inputs.make(name, clips_for(name), **{option: value})


def test_an_unknown_input_lists_the_known_ones():
  with pytest.raises(ConfigError, match=r"Did you mean 'flow_maps'\? Known: .*flow, flow_maps, "):
    inputs.make("flow_map", drawn([3]))


@pytest.mark.parametrize("name", inputs.INPUTS)
def test_every_input_has_options_with_defaults_that_can_only_be_named(name):
  declared = inputs.declaration(inputs.INPUTS[name])
  clips, *rest = inspect.signature(inputs.INPUTS[name]).parameters.values()
  assert clips.name == "clips"
  assert declared.uses_cache == any(p.name == "cache" for p in rest)
  for p in rest:
    if p.kind is p.KEYWORD_ONLY:
      assert p.default is not p.empty
      assert p.name in declared.options
    else:
      assert p.name == "cache" or p.kind is p.VAR_KEYWORD
