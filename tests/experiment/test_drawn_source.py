"""Drawn motion as a source of examples: their form, what is refused, and that a fit learns it."""

import functools

import jax
import numpy as np
import pytest

import mer_jax
from mer_jax import recognizer
from mer_jax.errors import ConfigError
from mer_jax.experiment import drawn_source, fit, fitted, settings
from mer_jax.face.action_units import NUMBERS
from mer_jax.face.drawn import CLASSES, Drawing
from mer_jax.face.measurement import Measurement
from mer_jax.face.prototypes import PROTOTYPES
from mer_jax.inputs.relative import LARGEST
from mer_jax.recognizer import folder

NAMES = ("negative", "positive", "surprise")
SIZE, BATCH = 14, 32
IMAGE = {"image": np.zeros((0, SIZE, SIZE, 3), np.float32)}
COURSE = {"frames": np.zeros((0, 6, SIZE, SIZE, 3), np.float32), "mask": np.zeros((0, 6), bool)}


def config_of(**drawn):
  """Maps of `SIZE` pixels and nothing else in a batch, for a small motion_net."""
  config = settings.default()
  config.input = {"name": "flow", "size": SIZE, "normalise": "relative"}
  config.model = {"name": "motion_net", "channels": (8, 16), "groups": 4, "dropout": 0.0}
  config.optimizer.name, config.optimizer.learning_rate = "adam", 5e-3
  config.training.batch_size, config.training.epochs = BATCH, 3
  config.checkpoint.every_epochs = 1
  config.devices = 1
  with config.unlocked():
    config.drawn.update({"share": 1.0, "classes": NAMES, "epoch_steps": 20, **drawn})
  return config


@functools.partial(jax.jit, static_argnums=(0, 2))
def drawn_of(source, key, count=400):
  return source(key, count)


def units_of(emotions):
  """Numbers of the action units that any of `emotions` may have."""
  units = [unit for emotion in emotions for unit, _ in PROTOTYPES[emotion]]
  return {n for unit in units for n in (unit if isinstance(unit, tuple) else (unit,))}


@pytest.fixture(scope="module")
def many():
  """Examples of three classes that are drawn with different shares."""
  source = drawn_source.of(config_of(shares=(5, 3, 2)), NAMES, IMAGE)
  return [jax.device_get(drawn_of(source, jax.random.key(seed))) for seed in (0, 0, 1)]


def test_maps_have_the_form_of_the_input_and_a_key_decides_them(many):
  first, again, other = (drawn.inputs["image"] for drawn in many)
  assert set(many[0].inputs) == {"image"}
  assert first.shape == (400, SIZE, SIZE, 3)
  assert first.dtype == np.float32
  assert np.abs(first).max() <= LARGEST
  # As inputs.relative leaves them: of unit size, but for what is clipped.
  assert np.sqrt((first[..., :2] ** 2).mean((1, 2, 3))) == pytest.approx(np.ones(400), abs=0.15)
  np.testing.assert_array_equal(first, again)
  assert not np.array_equal(first, other)
  assert len(np.unique(first.reshape(400, -1), axis=0)) == 400


def test_classes_are_drawn_as_often_as_their_shares(many):
  labels = np.concatenate([many[0].labels, many[2].labels])
  assert labels.dtype == np.int32
  counts = np.bincount(labels, minlength=3) / len(labels)
  # Four standard deviations of 800 draws.
  assert counts == pytest.approx(np.array([0.5, 0.3, 0.2]), abs=0.07)


def test_action_units_are_those_of_the_class(many):
  units = many[0].action_units
  assert units.shape == (400, len(NUMBERS))
  assert set(np.unique(units)) == {0.0, 1.0}
  assert units.any(axis=1).all()
  for k, name in enumerate(NAMES):
    active = units[many[0].labels == k].any(axis=0)
    assert {n for n, on in zip(NUMBERS, active, strict=True) if on} <= units_of(CLASSES[name])
  smiles = units[many[0].labels == 1][:, NUMBERS.index(12)]
  assert smiles.mean() > 0.9


def test_courses_have_the_form_of_sequences():
  source = drawn_source.of(config_of(), ("happiness", "disgust"), COURSE)
  drawn = jax.device_get(drawn_of(source, jax.random.key(0), 16))
  frames, mask = drawn.inputs["frames"], drawn.inputs["mask"]
  assert frames.shape == (16, 6, SIZE, SIZE, 3)
  assert frames.dtype == np.float32
  assert mask.shape == (16, 6)
  assert mask.dtype == bool
  assert not frames[~mask].any()
  assert not frames[:, 0].any()
  assert frames[:, 1].any(axis=(1, 2, 3))[mask[:, 1]].all()
  assert set(drawn.labels) == {0, 1}


def test_an_option_reaches_the_drawing_and_the_digest():
  config = config_of(head_shift=0.0, without_units=(12,), noise=(0.0, 0.0, 0.0))
  drawing = drawn_source.drawing(config)
  measured = Measurement(noise=(0.0, 0.0, 0.0))
  assert drawing == Drawing(head_shift=0.0, without_units=(12,), measurement=measured)
  plain, facts = drawn_source.facts(config_of()), drawn_source.facts(config)
  assert plain["digest"] != facts["digest"]
  assert plain["digest"] == drawn_source.facts(config_of())["digest"]
  assert plain["digest"] != drawn_source.facts(config_of(shares=(2, 1, 1)))["digest"]
  changed = {name for name in plain if plain[name] != facts[name]}
  assert changed == {"head_shift", "without_units", "noise", "digest"}


def test_nothing_is_drawn_unless_a_config_asks_for_it():
  assert drawn_source.of(settings.default(), ("of", "no", "emotion"), IMAGE) is None
  assert drawn_source.facts(settings.default()) is None


def test_every_nuisance_can_be_switched_off():
  options = {**Drawing._field_defaults, **Measurement._field_defaults}
  kept = ("measurement", "without_units", "eye_line", "mouth_line", "pupils")
  off = {
    name: tuple(0.0 for _ in value) if isinstance(value, tuple) else type(value)(0)
    for name, value in options.items()
    if name not in kept
  }
  source = drawn_source.of(config_of(**off), NAMES, IMAGE)
  shapes = jax.eval_shape(lambda: source(jax.random.key(0), 4))
  assert shapes.inputs["image"].shape == (4, SIZE, SIZE, 3)


@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({"head_shft": 0.1}, "head_shft.*head_shift"),
    ({"blink": 0.3}, r"config.drawn.blink is 0.3; expected .* in the form of .*\(0.3, 0.6\)"),
    ({"noise": (0.1, 0.1)}, r"config.drawn.noise is \(0.1, 0.1\)"),
    ({"gain": (0.1, 0.1)}, r"config.drawn.gain is \(0.1, 0.1\)"),
    ({"outliers": -1.0}, "numbers of at least 0"),
    ({"shares": (0.5, 0.5)}, r"shares is \(0.5, 0.5\); .* negative, positive, surprise"),
    ({"shares": (0.5, 0.5, 0.0)}, "a number above 0 for each"),
  ],
)
def test_options_that_cannot_be_drawn_are_named(fields, message):
  with pytest.raises(ConfigError, match=message):
    drawn_source.of(config_of(**fields), NAMES, IMAGE)


def test_classes_that_cannot_be_drawn_are_named():
  with pytest.raises(ConfigError, match=r"'happines'.*happiness.*Use a protocol of emotions"):
    drawn_source.of(config_of(), ("happines", "disgust"), IMAGE)


@pytest.mark.parametrize(
  ("arrays", "normalise"),
  [
    (IMAGE, "none"),
    ({"image": IMAGE["image"][..., :1]}, "relative"),
    ({"frames": COURSE["frames"]}, "relative"),
    ({**IMAGE, "motion": np.zeros((0, 4, 6))}, "relative"),
    ({"features": np.zeros((0, 5))}, "relative"),
  ],
)
def test_inputs_that_are_no_relative_maps_are_refused(arrays, normalise):
  config = config_of()
  config.input.normalise = normalise
  with pytest.raises(ConfigError, match=r"Use flow, flow_maps or flow_sequence with it, or"):
    drawn_source.of(config, NAMES, arrays)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
  """The workdir of a fit that was not stopped."""
  path = tmp_path_factory.mktemp("drawn") / "fit"
  fit.fit(config_of(), path, quiet=True)
  return path


def test_a_fit_on_drawn_maps_learns_to_tell_fresh_ones_apart(trained):
  model = mer_jax.load(trained / "model")
  source = drawn_source.of(config_of(shares=(5, 3, 2)), NAMES, IMAGE)
  fresh = jax.device_get(drawn_of(source, jax.random.key(7)))
  predicted = model.probabilities(fresh.inputs)[0].argmax(-1)
  # A third by chance, with a standard deviation of .024.
  assert (predicted == fresh.labels).mean() > 0.6
  assert model.classes == NAMES
  assert model.provenance.subjects == ()
  assert model.provenance.drawn == drawn_source.facts(config_of())


def test_a_killed_fit_goes_on_and_leaves_the_weights_of_one_that_was_not(
  trained, tmp_path, monkeypatch
):
  plan_of = fit.plan_of

  def killed(*_):
    raise KeyboardInterrupt

  with monkeypatch.context() as patch:
    patch.setattr(fit, "plan_of", lambda *given: plan_of(*given)._replace(epochs=1))
    patch.setattr(fitted, "model", killed)
    with pytest.raises(KeyboardInterrupt):
      fit.fit(config_of(), tmp_path / "fit", quiet=True)
  resumed = fit.fit(config_of(), tmp_path / "fit", quiet=True)
  assert resumed.digest == recognizer.load(trained / "model").digest
  files = [path / "model" / folder.WEIGHTS for path in (trained, tmp_path / "fit")]
  assert files[0].read_bytes() == files[1].read_bytes()
