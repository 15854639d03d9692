"""Stages, and an SVM on a layer of every fold's network, from the config to predictions."""

import json
import types

import numpy as np
import pytest

from configs import dtscnn, state_cnn_lstm
from mer_jax import svm, training
from mer_jax.errors import ConfigError
from mer_jax.experiment import settings, stages, svm_on_layer, sweep, trainer
from mer_jax.protocols.split import Split

SMALL = {"channels": (3,), "features": 6, "lstm_features": 4}


@pytest.fixture
def config():
  config = state_cnn_lstm.get_config("casme2")
  config.model.update(SMALL)
  config.devices, config.training.batch_size, config.checkpoint.every_epochs = 1, 8, 100
  config.stages.states.epochs, config.stages.sequence.epochs = 2, 3
  return config


def planted():
  """Four subjects with six clips each of five states, the class as how bright the apex is."""
  rng = np.random.default_rng(0)
  labels = np.tile(np.arange(3), 8).astype(np.int32)
  frames = rng.random((24, 5, 8, 8, 1), np.float32)
  frames[:, 2] += labels[:, None, None, None]
  subject = np.repeat(["a", "b", "c", "d"], 6)
  clips = types.SimpleNamespace(dataset=np.full(24, "casme2"), subject=subject)
  held_out = subject == np.array(["a", "b", "c", "d"])[:, None]
  names = tuple(f"casme2/{s}" for s in "abcd")
  split = Split(clips, labels, ("x", "y", "z"), held_out, names, ())
  return split, {"frames": frames, "mask": np.ones((24, 5), bool)}


def train(config, folder):
  settings.check(config)
  split, arrays = planted()
  model = trainer.build_model(config, 3)
  return trainer.build(config, split, arrays, model).train(folder)


def log(folder):
  return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


def test_stages_train_one_after_another(config, tmp_path):
  (by_clip,) = train(config, tmp_path)
  assert np.all(np.isfinite(by_clip))
  rows = log(tmp_path)
  assert [row["stage"] for row in rows[::4]] == 2 * ["states"] + 3 * ["sequence"]
  assert [row["epoch"] for row in rows[::4]] == [1, 2, 3, 4, 5]
  # Of the states' own logits, while the LSTM's are not trained.
  assert all(0 <= row["accuracy"] <= 1 for row in rows)


def test_inner_folds_select_among_epochs_of_the_last_stage_and_settings(config, tmp_path):
  del config.stages.sequence.optimizer["learning_rate"]
  config.sweep.learning_rate = (1e-3, 0.05)
  config.selection.update(name="inner", inner_folds=2)
  train(config, tmp_path)
  selected = json.loads((tmp_path / "selection.json").read_text())["selected"]
  assert {row["epoch"] for row in selected} <= {3, 4, 5}
  assert max(row["epoch"] for row in log(tmp_path)) == max(row["epoch"] for row in selected)


def test_a_stage_has_the_fields_that_it_does_not_name(config):
  config.optimizer.b2, config.optimizer.name = 0.9, "adam"
  del config.stages.sequence.optimizer["learning_rate"]
  config.sweep.learning_rate = (0.1, 0.2)
  first, second = (stage.config for stage in stages.of(config))
  assert (first.optimizer.name, second.optimizer.name) == ("sgd", "adam")
  assert "b2" not in first.optimizer  # of another factory
  assert second.optimizer.b2 == 0.9
  varied = sweep.settings_of(config)
  assert stages.hyper(varied, 0)["learning_rate"] == [0.01, 0.01]
  assert stages.hyper(varied, 1)["learning_rate"] == [0.1, 0.2]


def change(path, value):
  def changed(config):
    *sections, last = path.split(".")
    section = config
    for name in sections:
      section = section[name]
    with config.unlocked():
      section[last] = value

  return changed


@pytest.mark.parametrize(
  ("path", "value", "reason"),
  [
    ("training.stages", ("states",), "'sequence' must stand in both"),
    ("stages.states.batch_size", 3, "field of config.stages.states.*'batch_size'"),
    ("stages.states.epochs", 0, "config.stages.states.epochs is 0|Stage 'states'"),
    ("stages.states.losses", (("clas", 1.0),), "Stage 'states': .*'clas'"),
    ("sweep.learning_rate", (0.1, 0.2), "which every stage sets for itself"),
    ("training.action_unit_loss", 1.0, "no stage says whether"),
    ("svm.kernel", "linear", "name that in config.svm.layer"),
  ],
)
def test_what_does_not_go_together_is_refused(config, path, value, reason):
  config.drawn.share = 0.5  # which a loss on action units needs
  change(path, value)(config)
  with pytest.raises(ConfigError, match=reason):
    settings.check(config)


@pytest.mark.parametrize(
  ("path", "value", "reason"),
  [
    ("svm.layer", "conv9", "no layer 'conv9'"),
    ("svm.cots", 1.0, "config.svm: .*'cots'"),
    ("selection.name", "leaky_test_best", "an SVM predicts in the end"),
  ],
)
def test_what_an_svm_on_a_layer_excludes_is_refused(config, tmp_path, path, value, reason):
  change("svm.layer", "lstm")(config)
  change(path, value)(config)
  with pytest.raises(ConfigError, match=reason):
    train(config, tmp_path)


def test_the_svm_of_a_fold_learns_from_its_training_clips_by_its_own_network(config, tmp_path):
  change("svm.layer", "features")(config)
  change("svm.cost", 2.0)(config)
  change("svm.scale", "standardise")(config)
  (by_clip,) = train(config, tmp_path)
  split, arrays = planted()
  program = trainer.build_program(config, split, arrays)
  ends = tuple(end for _, end in stages.ends(config))
  with training.Checkpoints(tmp_path / "checkpoints") as checkpoints:
    later = training.entries(program, ends[:-1])
    _, state = checkpoints.restore(program.init, program.layout, later)
  machine = svm_on_layer.machine_of(config)
  rows = training.features_by_fold(program, state, "features")[0]
  for fold, held in enumerate(split.held_out):
    learned = svm.fit(rows[fold, ~held], split.labels[~held], 3, machine)
    expected = svm.predict(learned, machine, rows[fold, held]).probabilities
    np.testing.assert_allclose(by_clip[0, held], expected, atol=2e-3)


def test_dtscnn_has_two_lengths_and_an_svm():
  short, full = (dtscnn.get_config(arg) for arg in ("casme2", "casme2_full"))
  assert (short.input.num_frames, full.input.num_frames) == (32, 128)
  assert short.data.datasets == full.data.datasets == ("casme2",)
  assert full.svm.layer == "features"
