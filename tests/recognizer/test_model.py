"""A model on disk is the model that was saved, or is refused; what it computes is the engine's."""

import dataclasses
import json
import subprocess
import sys

import flax.linen as nn
import jax
import numpy as np
import pytest
import trained_models
from annotated_clips import THREE, annotated
from problems import problem, program

from mer_jax import errors, inputs, models, recognizer
from mer_jax.cli import command
from mer_jax.clips import FLOW_MAPS, Clips
from mer_jax.recognizer import Provenance, folder

SEEN = Provenance((("casme2", "sub01"), ("casme2", "sub02")), {"digest": "abc"}, True)


def images(clips: int, size: int = 12) -> dict[str, np.ndarray]:
  return {"image": np.random.default_rng(clips).random((clips, size, size, 3), np.float32)}


@pytest.fixture
def saved(tmp_path):
  """The folder of a model."""
  recognizer.save(trained_models.ststnet(provenance=SEEN, mirror_at_test=False), tmp_path / "model")
  return tmp_path / "model"


def test_what_is_loaded_is_what_was_saved(saved):
  model, loaded = trained_models.ststnet(provenance=SEEN), recognizer.load(saved)
  assert loaded.digest == folder.digest(saved)
  fields = {field.name for field in dataclasses.fields(model)} - {"weights", "digest"}
  assert {f: getattr(loaded, f) for f in fields} == {f: getattr(model, f) for f in fields}
  assert set(loaded.weights) == set(model.weights)
  for name, array in model.weights.items():
    np.testing.assert_array_equal(loaded.weights[name], array)
  assert {path.name for path in saved.iterdir()} == {folder.WEIGHTS, folder.FACTS}


def test_half_precision_is_half_the_size_and_near(saved, tmp_path):
  model = recognizer.load(saved)
  recognizer.save(model, tmp_path / "half", "float16")
  half = recognizer.load(tmp_path / "half")
  sizes = [(where / folder.WEIGHTS).stat().st_size for where in (saved, tmp_path / "half")]
  assert sizes[1] < 0.6 * sizes[0]
  given = images(3)
  np.testing.assert_allclose(half.probabilities(given), model.probabilities(given), atol=2e-3)


@pytest.mark.parametrize("where", [0, 0.3, 0.6, 1])
@pytest.mark.parametrize("file", [folder.WEIGHTS, folder.FACTS])
def test_a_file_damaged_in_any_byte_is_refused(saved, file, where):
  data = bytearray((saved / file).read_bytes())
  data[int(where * (len(data) - 1))] ^= 1
  (saved / file).write_bytes(data)
  with pytest.raises(errors.DataError, match=r"sha256|no JSON"):
    recognizer.load(saved)


def test_facts_changed_by_hand_are_refused(saved):
  file = saved / folder.FACTS
  file.write_text(file.read_text().replace('"name": "small"', '"name": "large"'))
  with pytest.raises(errors.DataError, match="is not as it was written"):
    recognizer.load(saved)


def test_a_model_of_maps_reads_the_flow_of_frames():
  rng = np.random.default_rng(0)
  maps = {"name": "flow_maps", "index": 0, "normalise": "relative"}
  model = trained_models.ststnet(size=28, input=maps)
  frames = [rng.integers(0, 256, (3, 128, 128), np.uint8) for _ in range(2)]
  clips = Clips.from_frames(frames, apex=[1, 2])
  read = inputs.make(
    "flow", clips, size=28, method="tv_l1", head_motion="affine", normalise="relative"
  )
  own = model.probabilities(read).mean(axis=0)
  np.testing.assert_array_equal(model.predict(clips).probabilities, own)
  # Maps scaled per image by their publisher cannot be made of frames.
  with pytest.raises(errors.ConfigError, match="reads clips of 'u v strain'"):
    trained_models.ststnet(size=28).predict(clips)


@pytest.mark.parametrize(
  ("change", "says"),
  [
    ({"format": 2}, "format 2; this version of mer_jax reads format 1"),
    ({"classes": "three"}, "lacks classes"),
    ({"provenance": {"subjects": 3}}, "provenance cannot be read"),
    ({"model": {"name": "ststnet", "streams": [3, 5, 7]}}, "not those of ststnet"),
    ({"arrays": {}}, "architecture cannot be built"),
    (
      {"arrays": {"image": {"shape": [2**63, 28, 3], "dtype": "float32"}}},
      "architecture cannot be built",
    ),
  ],
)
def test_facts_that_do_not_hold_are_refused(saved, change, says):
  facts = json.loads((saved / folder.FACTS).read_text())
  (saved / folder.FACTS).write_text(folder.sealed(json.dumps(facts | change)))
  with pytest.raises(errors.DataError, match=says):
    recognizer.load(saved)


def test_absent_files_and_models_are_named(saved, tmp_path, monkeypatch):
  monkeypatch.setattr(folder, "SHIPPED", tmp_path / "shipped")
  (saved / folder.WEIGHTS).unlink()
  with pytest.raises(errors.DataError, match=r"weights\.safetensors cannot be read"):
    recognizer.load(saved)
  with pytest.raises(errors.ConfigError, match="None ships with this version"):
    recognizer.load(tmp_path / "elsewhere")


@pytest.mark.parametrize(("value", "dtype"), [(np.nan, "float32"), (1e6, "float16")])
def test_weights_that_are_not_finite_are_never_written(tmp_path, value, dtype):
  model = trained_models.ststnet()
  model.weights["params/logits/bias"][0, 1] = value
  with pytest.raises(errors.DataError, match="params/logits/bias is not finite"):
    recognizer.save(model, tmp_path / "model", dtype)
  assert not (tmp_path / "model").exists()


def test_reading_needs_no_jax(saved):
  code = (
    "import sys, pathlib; from mer_jax.recognizer import folder\n"
    "weights = folder.read(pathlib.Path(sys.argv[1])).weights\n"
    "print(weights['params/logits/bias'].shape, 'jax' in sys.modules)"
  )
  done = subprocess.run([sys.executable, "-c", code, saved], capture_output=True, text=True)
  assert done.stdout.strip() == "(2, 3) False", done.stderr


def test_probabilities_are_those_of_the_engine(saved):
  model, given = recognizer.load(saved), problem("image", sizes=(30, 40))
  folds = program("ststnet", given)._replace(start=dict(model.weights))
  by_fold = np.asarray(folds.predict(folds.init()))
  own = model.probabilities(given.inputs)
  assert own.shape == (2, 70, 3)
  assert own.dtype == np.float32
  for f, holds in enumerate(given.held_out):
    np.testing.assert_allclose(by_fold[:, f, : holds.sum()], own[:, holds], atol=1e-6)


def test_a_clip_alone_is_that_clip_among_others(saved):
  model, given = recognizer.load(saved), images(40)
  together = model.probabilities(given), model.features(given)
  for n in (0, 17, 39):
    alone = {"image": given["image"][n : n + 1]}
    np.testing.assert_array_equal(model.probabilities(alone), together[0][:, n : n + 1])
    np.testing.assert_array_equal(model.features(alone), together[1][:, n : n + 1])
  assert model.probabilities({"image": given["image"][:0]}).shape == (2, 0, 3)


def test_features_are_what_enters_the_last_layer(saved):
  model, given = recognizer.load(saved), images(5)
  kernel, bias = (model.weights[f"params/logits/{name}"] for name in ("kernel", "bias"))
  logits = np.einsum("snd,sdk->snk", model.features(given), kernel) + bias[:, None]
  np.testing.assert_allclose(jax.nn.softmax(logits), model.probabilities(given), atol=1e-5)
  np.testing.assert_allclose(model.features(given, "logits"), logits, rtol=1e-4, atol=1e-5)


class Bare(nn.Module):
  """Offers no features."""

  num_classes: int
  takes = "image"

  @nn.compact
  def __call__(self, inputs, weights, *, train):
    return nn.Dense(self.num_classes, name="logits")(inputs["image"].mean(axis=(1, 2)))


def test_a_model_without_features_is_named(monkeypatch):
  monkeypatch.setitem(models.MODELS, "bare", Bare)
  weights = {"params/logits/kernel": np.ones((1, 3, 3)), "params/logits/bias": np.ones((1, 3))}
  model = trained_models.ststnet(model={"name": "bare"}, weights=weights)
  assert model.probabilities(images(2)).shape == (1, 2, 3)
  with pytest.raises(errors.ConfigError, match="Bare does not offer"):
    model.features(images(2))


@pytest.mark.parametrize(
  ("arrays", "says"),
  [
    ({"frames": np.zeros((2, 12, 12, 3))}, "reads image; got frames"),
    ({"image": np.zeros((2, 10, 12, 3))}, r"got \[2, 10, 12, 3\]"),
    ({"image": np.full((2, 12, 12, 3), np.nan)}, "not finite"),
  ],
)
def test_arrays_that_do_not_fit_are_named(arrays, says):
  with pytest.raises(errors.DataError, match=says):
    trained_models.ststnet().probabilities(arrays)


def test_predict_computes_the_input_and_averages_the_seeds(saved):
  maps = np.random.default_rng(0).integers(0, 256, (4, 12, 12, 3), np.uint8)
  rows = [("casme2", f"sub0{n}", f"clip{n}", emotion) for n, emotion in enumerate((*THREE, "x"))]
  clips = dataclasses.replace(annotated(rows), frames=maps, channels=FLOW_MAPS)
  model = recognizer.load(saved)
  by_seed = model.probabilities({"image": maps / np.float32(255)})
  prediction = model.predict(clips)
  np.testing.assert_array_equal(prediction.probabilities, by_seed.mean(axis=0))
  np.testing.assert_array_equal(prediction.spread, by_seed.std(axis=0))


def test_a_model_that_ships_is_found_by_name_and_listed(saved, tmp_path, monkeypatch, capsys):
  monkeypatch.setattr(folder, "SHIPPED", tmp_path / "shipped")
  assert command.main(["models"]) == 0
  assert "No trained model ships" in capsys.readouterr().out
  monkeypatch.setattr(folder, "SHIPPED", saved.parent)
  assert recognizer.load("model").digest == folder.digest(saved)
  assert command.main(["models"]) == 0
  listed = capsys.readouterr().out
  for text in (
    "negative, positive, surprise",
    "flow_maps (index 0)",
    "2 subjects of casme2 (synthetic) and drawn examples",
    "not measured",
    "MB, 2 seeds",
  ):
    assert text in listed
  with pytest.raises(errors.ConfigError, match="Did you mean 'model'"):
    recognizer.load("modle")
