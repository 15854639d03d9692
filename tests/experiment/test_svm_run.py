"""An SVM as the model of an experiment: the same protocol, files and errors as a network's."""

import json

import numpy as np
import pytest

from mer_jax import errors, evaluation, svm
from mer_jax.experiment import data, run, settings, trainer, variants


@pytest.fixture
def config(data_dir):
  config = settings.default()
  config.data.data_dir = str(data_dir)
  config.input.num_frames, config.input.size = 3, 8
  config.model.name, config.model.kernel, config.model.cost = "svm", "rbf", 3.0
  return config


def test_leaves_what_svm_loso_says(config, tmp_path, capsys):
  summary = run.run(config, tmp_path)
  said = capsys.readouterr().out
  assert "svm, cost 3.0, kernel rbf" in said
  split = data.load_split(config)
  frames = run.inputs.make("padded_frames", split.clips, num_frames=3, size=8)
  scores = svm.loso(frames, split.labels, split.held_out, 3, svm.Machine(kernel="rbf", cost=3.0))
  predictions = evaluation.read_csv(tmp_path / "predictions.csv")
  np.testing.assert_array_equal(predictions.prediction, scores.prediction)
  np.testing.assert_array_equal(predictions.label, split.labels)
  assert summary == json.loads((tmp_path / "metrics.json").read_text())
  left = {path.name for path in tmp_path.iterdir()}
  assert {"report.html", "environment.json", "config.json"} < left
  assert not {"checkpoints", "history.jsonl"} & left


def test_a_finished_run_gives_the_same_again(config, tmp_path):
  run.run(config, tmp_path, quiet=True)
  before = (tmp_path / "predictions.csv").read_bytes()
  run.run(config, tmp_path, quiet=True)
  assert (tmp_path / "predictions.csv").read_bytes() == before


@pytest.mark.parametrize(("balance", "alike"), [("class_weights", True), ("oversample", False)])
def test_seeds_differ_only_where_something_is_drawn(config, tmp_path, balance, alike):
  config.seeds = 2
  config.model.balance = balance
  run.run(config, tmp_path, quiet=True)
  predictions = evaluation.read_csv(tmp_path / "predictions.csv")
  first, second = (predictions.probabilities[predictions.seed == seed] for seed in (0, 1))
  assert np.array_equal(first, second) == alike


@pytest.mark.parametrize(
  ("field", "value", "says"),
  [
    ("kernal", "rbf", "Model 'svm': .*'kernal'. Did you mean 'kernel'"),
    ("seed", 3, "Model 'svm': .*'seed'"),
    ("kernel", "cubic", "'cubic'"),
    ("cost", -1.0, "cost must be a finite number above 0"),
  ],
)
def test_options_are_checked_before_anything_is_computed(config, tmp_path, field, value, says):
  with config.unlocked():
    config.model[field] = value
  with pytest.raises(errors.ConfigError, match=says):
    run.run(config, tmp_path / "run", quiet=True)
  assert not (tmp_path / "run").exists()


def test_numbers_of_a_networks_training_cannot_be_swept(config, tmp_path):
  config.sweep.learning_rate = (0.1, 0.2)
  with pytest.raises(errors.ConfigError, match=r"variants\.field=model\.cost"):
    run.run(config, tmp_path / "run", quiet=True)


def test_its_own_options_are_variants(config, tmp_path):
  config.variants.field, config.variants.values = "model.cost", (1.0, 100.0)
  found = variants.run(config, tmp_path, quiet=True)
  assert set(found) == {"model.cost=1.0", "model.cost=100.0"}
  assert (tmp_path / "variants.html").is_file()


def test_a_network_in_its_place_is_still_a_network(config):
  config.model = {"name": "parallel_cnn_lstm"}
  assert isinstance(trainer.build_model(config, 3), trainer.Network)
