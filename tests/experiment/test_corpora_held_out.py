"""Hold-out-database evaluation, from clips to the report: folds are corpora."""

import dataclasses
import json

import numpy as np
import pytest

from configs import parallel_cnn_lstm
from mer_jax import evaluation, protocols
from mer_jax.clips import Clips
from mer_jax.experiment import run, settings

CORPORA = ["casme2", "samm", "smic"]
EMOTIONS = ["negative", "positive", "surprise"]


@pytest.fixture
def config():
  config = parallel_cnn_lstm.get_config("megc2019_hde")
  config.protocol.allow_incomplete = True
  config.input.num_frames, config.input.size = 4, 8
  config.model.channels = (2, 3)
  config.model.cnn_features = config.model.lstm_features = config.model.head_features = 4
  config.training.epochs, config.training.fold_block = 2, 3
  config.devices = 1
  return config


@pytest.fixture
def split(config):
  """What the config's protocol makes of three subjects of each corpus, four clips of noise each."""
  keys = [(d, f"s{s}", f"c{c}") for d in CORPORA for s in range(3) for c in range(4)]
  dataset, subject, clip = np.array(keys).T
  n, length = len(keys), 4
  named = {
    "casme2": ("disgust", "happiness", "surprise"),
    "samm": ("anger", "happiness", "surprise"),
  }
  emotion = [named.get(d, EMOTIONS)[i % 3] for i, d in enumerate(dataset.tolist())]
  clips = Clips(
    frames=np.random.default_rng(0).integers(0, 256, (n * length, 8, 8, 1), np.uint8),
    starts=np.arange(n + 1) * length,
    dataset=dataset,
    subject=subject,
    clip=clip,
    emotion=np.array(emotion),
    action_units=np.full(n, ""),
    objective_class=np.full(n, ""),
    onset=np.zeros(n, np.int32),
    apex=np.ones(n, np.int32),
    offset=np.full(n, 3, np.int32),
    apex_missing=np.zeros(n, bool),
    fps=np.full(n, 200, np.float32),
    first_frame=np.ones(n, np.int64),
    last_frame=np.full(n, length, np.int64),
    synthetic=np.ones(n, bool),
  )
  return protocols.split(config.protocol.name, clips, **settings.options(config.protocol))


def test_a_run_is_of_three_folds(config, split, tmp_path, capsys):
  summary = run.run(config, tmp_path, split=split)
  printed = capsys.readouterr().out
  assert "megc2019, leave one corpus out" in printed
  assert "3 held-out corpora (casme2, samm, smic), 1 seed" in printed
  assert "36 clips, 3 held-out corpora, 3 classes, 1 seed" in printed
  assert (summary["folds"], summary["held_out"]) == (3, "dataset")
  assert summary["pooled"]["interval"]["subjects"] == 9
  assert summary == json.loads((tmp_path / "metrics.json").read_text())
  text = (tmp_path / "predictions.csv").read_text()
  assert text.startswith("seed,dataset,subject,clip,fold,label,prediction,p_negative,")
  predictions = evaluation.read_csv(tmp_path / "predictions.csv")
  np.testing.assert_array_equal(predictions.fold, predictions.dataset)
  assert evaluation.summarise(predictions) == summary
  lines = (tmp_path / "history.jsonl").read_text().splitlines()
  assert [json.loads(line)["subject"] for line in lines[:3]] == CORPORA
  page = (tmp_path / "report.html").read_text(encoding="utf-8")
  assert "Leave-one-corpus-out: " in page
  assert "of 3 trainings (one per fold)" in page


def test_a_corpus_that_was_stopped_is_told_as_one_fold(config, split, tmp_path):
  by_clip = np.full((1, len(split.labels), 3), 1 / 3, np.float32)
  by_clip[:, split.clips.dataset == "samm"] = np.nan
  printed = []
  summary = run.write_results(tmp_path, config, split, by_clip, printed.append)
  assert {(entry["dataset"], entry["fold"]) for entry in summary["missing"]} == {("samm", "samm")}
  assert len(summary["missing"]) == 3
  assert summary["per_dataset"]["samm"]["uf1"] is None
  assert "stopped in 1 fold: samm." in "\n".join(printed)
  assert "stopped in 1 fold: samm." in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_corpus_takes_no_part_in_what_is_said_about_it(config, split, tmp_path):
  """Other frames of smic change what is said about the others, and nothing about smic's fold."""
  config.training.epochs = 1
  noise = np.random.default_rng(1).integers(0, 256, split.clips.frames.shape, np.uint8)
  inside = np.repeat(split.clips.dataset == "smic", split.clips.num_frames)
  other = split.clips.frames.copy()
  other[inside] = noise[inside]
  other[split.clips.starts[-2] :] = split.clips.frames[split.clips.starts[-2] :]  # one clip stays
  changed = split._replace(clips=dataclasses.replace(split.clips, frames=other))
  for name, each in (("a", split), ("b", changed)):
    run.run(config, tmp_path / name, split=each, quiet=True)
  a, b = (evaluation.read_csv(tmp_path / name / "predictions.csv") for name in "ab")
  assert a.dataset[-1] == "smic"
  np.testing.assert_array_equal(a.probabilities[-1], b.probabilities[-1])
  assert not np.array_equal(
    a.probabilities[a.fold == "casme2"], b.probabilities[b.fold == "casme2"]
  )
