"""Whole runs, from prepared data to the report."""

import html
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import mer_jax
from configs import ststnet
from mer_jax import errors, evaluation, inputs
from mer_jax.evaluation import remarks
from mer_jax.experiment import data, run, trainer

REPOSITORY = pathlib.Path(__file__).parents[2]


def overrides(config):
  """The same config as flags on top of the file it came from."""
  fields = [
    *("data.data_dir", "input.num_frames", "input.size", "devices", "training.epochs"),
    *("model.channels", "model.cnn_features", "model.lstm_features", "model.head_features"),
  ]
  values = config.to_dict()

  def value(dotted):
    tree = values
    for part in dotted.split("."):
      tree = tree[part]
    return tree

  return [f"--config.{field}={value(field)}" for field in fields]


def command(config, workdir, *more, file="parallel_cnn_lstm.py:casme2"):
  return [
    "-m",
    "mer_jax.main",
    f"--config={REPOSITORY / 'configs' / file}",
    f"--workdir={workdir}",
    *overrides(config),
    *more,
  ]


def test_a_run_leaves_everything_and_every_number_follows_from_the_predictions(config, tmp_path):
  config.seeds = 2
  summary = mer_jax.run(config, tmp_path, quiet=True).run.summary
  assert remarks.synthetic(tmp_path / "predictions.csv")
  page = (tmp_path / "report.html").read_text(encoding="utf-8")
  assert all(html.escape(text) in page for text in remarks.read(tmp_path / "predictions.csv"))
  assert "As by default" in page
  left = {p.name for p in tmp_path.iterdir()}
  assert left >= {
    *("config.json", "environment.json", "predictions.csv", "metrics.json", "history.jsonl"),
    *("report.html", "figures", "checkpoints", "megc2019_seed0.log", "megc2019_seed1.log"),
  }
  assert not [name for name in left if ".tmp" in name]
  predictions = evaluation.read_csv(tmp_path / "predictions.csv")
  assert evaluation.summarise(predictions) == summary
  assert json.loads((tmp_path / "metrics.json").read_text()) == json.loads(json.dumps(summary))
  assert set(summary) >= {"pooled", "fold_mean", "per_dataset", "per_seed"}
  split = data.load_split(config)
  assert len(predictions.clip) == 2 * len(split.labels)
  np.testing.assert_array_equal(predictions.label[: len(split.labels)], split.labels)
  lines = (tmp_path / "history.jsonl").read_text().splitlines()
  assert len(lines) == config.training.epochs * 2 * len(split.fold_names)


def test_a_finished_run_is_reported_again_and_not_trained_again(config, tmp_path, capsys):
  first = mer_jax.run(config, tmp_path, quiet=True).run.summary
  kept = {name: (tmp_path / name).read_bytes() for name in ("predictions.csv", "history.jsonl")}
  (tmp_path / "report.html").unlink()
  assert mer_jax.run(config, tmp_path).run.summary == first
  assert {name: (tmp_path / name).read_bytes() for name in kept} == kept
  assert (tmp_path / "report.html").is_file()
  assert "UF1" in capsys.readouterr().out


def test_seeds_together_are_seeds_apart(config, tmp_path):
  config.seeds = 2
  together = mer_jax.run(config, tmp_path / "both", quiet=True).run.summary
  config.seeds, config.seed = 1, 1
  apart = mer_jax.run(config, tmp_path / "one", quiet=True).run.summary
  rows = evaluation.read_csv(tmp_path / "both" / "predictions.csv")
  alone = evaluation.read_csv(tmp_path / "one" / "predictions.csv")
  np.testing.assert_allclose(
    rows.probabilities[rows.seed == 1], alone.probabilities, rtol=1e-3, atol=1e-5
  )
  assert together["seeds"] == [0, 1]
  assert apart["seeds"] == [1]


def test_ststnet_runs_on_flow_measured_from_frames(data_dir, tmp_path):
  config = ststnet.get_config("casme2")
  config.data.data_dir = str(data_dir)
  config.training.epochs = 4
  config.training.batch_size = 8
  summary = mer_jax.run(config, tmp_path, quiet=True).run.summary
  assert summary["clips"] == len(data.load_split(config).labels)


def test_the_command_line_prints_the_table_and_stays_quiet_otherwise(config, server, tmp_path):
  done = server.run(command(config, tmp_path / "run"), tmp_path)
  assert done.returncode == 0, done.stderr
  assert "pooled" in done.stdout
  assert "report.html" in done.stdout
  assert "epoch" not in done.stderr  # no bar where nobody watches


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two cores")
def test_a_cpu_is_as_many_devices_as_the_config_asks_for(config, tmp_path):
  environment = {k: v for k, v in os.environ.items() if k != "JAX_NUM_CPU_DEVICES"}
  started = [sys.executable, *command(config, tmp_path / "run", "--config.devices=2")]
  subprocess.run(started, env=environment, check=True, capture_output=True)
  left = json.loads((tmp_path / "run" / "environment.json").read_text())
  assert len(left["devices"]) == 2


@pytest.mark.parametrize(
  ("flags", "code", "says"),
  [
    (["--config.training.epoch=5"], 2, 'epoch Did you mean "epochs"'),
    (["--config.training.epochs=many"], 2, "epochs"),
    (["--config.model.name=parallel"], 2, "parallel_cnn_lstm"),
    (["--config.input.name=frames"], 2, "padded_frames"),
    (["--config.optimizer.name=sdg"], 2, "sgd"),
    (["--config.protocol.name=three"], 2, "three_class"),
    (["--config.devices=99"], 2, "devices"),
    (["--config.data.data_dir=/nowhere"], 3, "mer_jax build casme2"),
    (["leftover"], 2, "leftover"),
  ],
)
def test_mistakes_on_the_command_line_are_named_and_leave_no_run(
  config, server, tmp_path, flags, code, says
):
  done = server.run(command(config, tmp_path / "run", *flags), tmp_path)
  assert done.returncode == code, done.stderr
  assert says in done.stderr
  assert "Traceback" not in done.stderr
  assert not (tmp_path / "run").exists()  # the corrected command finds no other run there


def test_a_config_argument_or_file_that_does_not_exist_is_named(config, server, tmp_path):
  for file, says in (("parallel_cnn_lstm.py:casme3", "casme2"), ("parallel.py", "parallel.py")):
    done = server.run(command(config, tmp_path / "run", file=file), tmp_path)
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_the_workdir_of_another_config_is_refused(config, tmp_path):
  mer_jax.run(config, tmp_path, quiet=True)
  before = (tmp_path / "predictions.csv").read_bytes()
  config.optimizer.learning_rate = 0.5
  with pytest.raises(errors.WorkdirError, match=r"learning_rate: 0\.01 there, 0\.5 now"):
    mer_jax.run(config, tmp_path, quiet=True)
  assert (tmp_path / "predictions.csv").read_bytes() == before


def test_other_data_in_the_workdir_is_refused(config, tmp_path, monkeypatch):
  mer_jax.run(config, tmp_path, quiet=True)
  fewer(monkeypatch, lambda c: np.arange(len(c)) != np.argmax(c.emotion == "happiness"))
  with pytest.raises(errors.WorkdirError, match="other data"):
    mer_jax.run(config, tmp_path, quiet=True)


def fewer(monkeypatch, keep):
  load = data.load_prepared

  def load_some(*args):
    loaded = load(*args)
    return loaded.select(np.flatnonzero(keep(loaded)))

  monkeypatch.setattr(data, "load_prepared", load_some)


def test_one_subject_only_is_refused(config, tmp_path, monkeypatch):
  def of_one_subject_with_all_classes(clips):
    for subject in np.unique(clips.subject):
      mine = clips.subject == subject
      emotions = set(clips.emotion[mine])
      if {"happiness", "surprise"} <= emotions and emotions & {"disgust", "repression"}:
        return mine
    raise AssertionError("the corpus of these tests has no such subject; choose another seed")

  fewer(monkeypatch, of_one_subject_with_all_classes)
  with pytest.raises(errors.ProtocolError, match="two subjects"):
    mer_jax.run(config, tmp_path, quiet=True)


def test_a_class_without_a_clip_is_named(config, tmp_path, monkeypatch):
  fewer(monkeypatch, lambda clips: clips.emotion != "surprise")
  with pytest.raises(errors.ProtocolError, match="surprise"):
    mer_jax.run(config, tmp_path, quiet=True)


def test_settings_of_a_sweep_leave_what_runs_of_their_own_would(config, tmp_path):
  config.sweep.learning_rate = (0.003, 0.03)
  together = run.run(config, tmp_path / "sweep", quiet=True)
  assert list(together) == ["learning_rate=0.003", "learning_rate=0.03"]
  config.sweep.learning_rate = ()
  config.optimizer.learning_rate = 0.03
  run.run(config, tmp_path / "alone", quiet=True)
  setting = tmp_path / "sweep" / "learning_rate=0.03"
  left = {path.name for path in (tmp_path / "alone").iterdir()} - {
    "checkpoints",
    "checkpoints.json",
  }
  assert {path.name for path in setting.iterdir()} == left
  alone = tmp_path / "alone"
  one, other = (evaluation.read_csv(path / "predictions.csv") for path in (setting, alone))
  np.testing.assert_array_equal(one.clip, other.clip)
  np.testing.assert_allclose(one.probabilities, other.probabilities, rtol=1e-3, atol=1e-5)
  stored = [json.loads((path / "config.json").read_text()) for path in (setting, alone)]
  assert stored[0]["hash"] == stored[1]["hash"]


def test_a_setting_that_diverges_leaves_a_gap_and_a_code(config, server, tmp_path):
  varied = "--config.sweep.learning_rate=(0.01,1e30)"
  done = server.run(command(config, tmp_path / "run", varied), tmp_path)
  assert done.returncode == errors.TrainingError.exit_code, done.stderr
  assert "learning_rate=1e+30: " in done.stderr
  assert "learning_rate=0.01" not in done.stderr
  assert "Traceback" not in done.stderr
  good, bad = (tmp_path / "run" / f"learning_rate={rate}" for rate in ("0.01", "1e+30"))
  assert not json.loads((good / "metrics.json").read_text())["missing"]
  assert np.any(evaluation.read_csv(bad / "predictions.csv").prediction == -1)


def test_folds_that_are_stopped_leave_a_gap_in_the_table(config, tmp_path, monkeypatch, capsys):
  build = trainer.build_program

  def one_fold_explodes(*args):
    program = build(*args)
    rate = program.folds.hyper["learning_rate"].at[0].set(1e30)
    hyper = program.folds.hyper | {"learning_rate": rate}
    return program._replace(folds=program.folds._replace(hyper=hyper))

  monkeypatch.setattr(trainer, "build_program", one_fold_explodes)
  with pytest.raises(errors.TrainingError, match=r"casme2/sub01 \(seed 0\)\. "):
    mer_jax.run(config, tmp_path)
  missing = json.loads((tmp_path / "metrics.json").read_text())["missing"]
  assert [entry["subject"] for entry in missing] == ["sub01"]
  assert "sub01" in capsys.readouterr().out
  assert "sub01" in (tmp_path / "report.html").read_text()
  # started again, it ends the same way
  with pytest.raises(errors.TrainingError, match=r"casme2/sub01"):
    mer_jax.run(config, tmp_path, quiet=True)


def test_dropout_is_swept_of_a_model_whose_config_does_not_list_it(config, tmp_path):
  with config.unlocked():
    del config.model.dropout
  config.sweep.dropout = (0.0, 0.5)
  together = run.run(config, tmp_path / "sweep", quiet=True)
  assert list(together) == ["dropout=0", "dropout=0.5"]
  few, many = (
    evaluation.read_csv(tmp_path / "sweep" / name / "predictions.csv") for name in together
  )
  assert np.any(few.probabilities != many.probabilities)
  config.sweep.dropout = ()
  with config.unlocked():
    config.model.dropout = 0.5
  run.run(config, tmp_path / "alone", quiet=True)
  alone = evaluation.read_csv(tmp_path / "alone" / "predictions.csv")
  np.testing.assert_allclose(many.probabilities, alone.probabilities, rtol=1e-3, atol=1e-5)


def test_dropout_cannot_be_swept_of_what_has_none(config, tmp_path):
  config.input = {"name": "hoof"}
  config.model = {"name": "svm"}
  config.sweep.dropout = (0.1, 0.5)
  with pytest.raises(errors.ConfigError, match=r"varies config\.model\.dropout, which this config"):
    run.run(config, tmp_path / "run", quiet=True)
  assert not (tmp_path / "run").exists()


def test_apexes_are_spotted_after_the_split_and_for_clips_without_one_alone(three_corpora, config):
  config.data.data_dir, config.data.builder_config = str(three_corpora), "frames128"
  config.data.datasets, config.data.apex = ("smic",), "divide_and_conquer"
  config.protocol.name = "three_class"
  split = data.load_split(config)
  assert split.clips.apex_missing.all()
  midpoint = (split.clips.onset + split.clips.offset) // 2
  np.testing.assert_array_equal(split.clips.apex, midpoint)
  spotted = data.spot_apexes(config, split)
  np.testing.assert_array_equal(
    spotted.clips.apex, inputs.spot_apexes(config.data.apex, split.clips).apex
  )
  assert np.any(spotted.clips.apex != midpoint)
  np.testing.assert_array_equal(spotted.labels, split.labels)
  assert data.fingerprint(spotted) != data.fingerprint(split)
  config.data.datasets = ("casme2",)
  annotated = data.load_split(config)
  np.testing.assert_array_equal(
    data.spot_apexes(config, annotated).clips.apex, annotated.clips.apex
  )


@pytest.mark.parametrize(
  ("field", "values", "says"),
  [
    ("learning_rate", (0.1, 0.1), "learning_rate=0.1 twice"),
    ("learning_rate", (0.1, -1.0), "learning_rate is -1.0"),
    ("dropout", (0.1, 1.0), "lies in"),
    ("momentum", ("much",), "must be numbers"),
  ],
)
def test_values_of_a_sweep_that_cannot_be_are_named(config, tmp_path, field, values, says):
  config.sweep[field] = values
  with pytest.raises(errors.ConfigError, match=says):
    run.run(config, tmp_path / "run", quiet=True)
  assert not (tmp_path / "run").exists()


def test_an_input_that_does_not_fit_the_model_is_named(config, tmp_path):
  config.model = {"name": "ststnet"}
  with pytest.raises(errors.ConfigError, match="reads 'image'"):
    mer_jax.run(config, tmp_path, quiet=True)
