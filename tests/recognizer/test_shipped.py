"""The models that ship: whole, small, of nobody, and the same on every machine."""

import hashlib

import jax
import numpy as np
import pytest

from mer_jax import recognizer
from mer_jax.experiment.drawn_source import DrawnSource, _mixtures
from mer_jax.face.drawn import Drawing
from mer_jax.recognizer import folder

LARGEST = 2_000_000  # bytes of all weights together
NAMES = folder.shipped()


def wave(shape):
  """Numbers that look like motion and are the same everywhere, float32 [2, *shape]."""
  place = np.arange(2 * np.prod(shape), dtype=np.float64).reshape(2, *shape)
  return (1.5 * np.sin(0.37 * place) * np.cos(0.011 * place)).astype(np.float32)


def inputs_of(model):
  return {
    name: np.ones((2, *array["shape"]), bool) if array["dtype"] == "bool" else wave(array["shape"])
    for name, array in model.arrays.items()
  }


def test_motion_net_ships():
  assert "motion_net_drawn" in NAMES


def test_all_weights_together_are_small():
  files = [folder.SHIPPED / name / folder.WEIGHTS for name in NAMES]
  assert sum(file.stat().st_size for file in files) <= LARGEST


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_model_has_seen_nobody_and_tells_how_it_was_drawn(name):
  model = recognizer.load(name)
  assert model.provenance.subjects == ()
  assert len(model.provenance.drawn["digest"]) == 64
  assert isinstance(model.scores, dict), "measured, and said on what"
  file = folder.SHIPPED / name / folder.WEIGHTS
  assert hashlib.sha256(file.read_bytes()).hexdigest() == model.digest


# Mean over the seeds for the two examples of `wave`.
OUTPUTS = {
  "motion_net_drawn": [[0.6055, 0.2253, 0.1692], [0.6483, 0.1970, 0.1547]],
  "parallel_cnn_lstm_drawn": [[0.6245, 0.1565, 0.2190], [0.5370, 0.1599, 0.3031]],
  "ststnet_drawn": [[0.8247, 0.0832, 0.0921], [0.8461, 0.0801, 0.0738]],
}


@pytest.mark.parametrize("name", NAMES)
def test_outputs_on_fixed_inputs(name):
  model = recognizer.load(name)
  probabilities = model.probabilities(inputs_of(model)).mean(axis=0)
  assert np.allclose(probabilities, OUTPUTS[name], atol=2e-3)


def test_motion_net_knows_drawn_motion_it_has_not_seen():
  model = recognizer.load("motion_net_drawn")
  source = DrawnSource(_mixtures(model.classes, ()), Drawing(), 28)
  examples = jax.jit(lambda key: source(key, 90))(jax.random.key(12345))
  predicted = model.probabilities({"image": np.asarray(examples.inputs["image"])}).mean(0)
  assert np.mean(predicted.argmax(-1) == np.asarray(examples.labels)) > 0.8
