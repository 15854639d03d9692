"""A made-up run: predictions, clips and the files of a workdir."""

import json

import numpy as np
import pytest

from mer_jax.clips import FLOW_MAPS, GRAY, Clips
from mer_jax.evaluation import folds
from mer_jax.evaluation.predictions import Predictions, write_csv


@pytest.fixture
def make_predictions():
  return predictions


@pytest.fixture
def make_gap():
  return without


@pytest.fixture
def make_clips():
  return clips


@pytest.fixture
def make_workdir(tmp_path):
  def make(run: Predictions, epochs: int = 3):
    workdir = tmp_path / "run"
    workdir.mkdir()
    write_csv(workdir / "predictions.csv", run)
    (workdir / "history.jsonl").write_text("".join(history_lines(run, epochs)))
    config = {
      "hash": "c0ffee",
      "config": {"model": {"name": "parallel_cnn_lstm"}, "training": {"betas": [0.9, 0.99]}},
    }
    (workdir / "config.json").write_text(json.dumps(config))
    environment = {"packages": {"jax": "0.10.2"}, "devices": ["cpu 0", "cpu 1"]}
    (workdir / "environment.json").write_text(json.dumps(environment))
    return workdir

  return make


def predictions(
  subjects=(("casme2", 3), ("smic", 2)),
  seeds=(0,),
  names=("negative", "positive", "surprise"),
  clips_each=4,
  wrong=0.3,
) -> Predictions:
  """`subjects` of each dataset with `clips_each` clips; a share of them is predicted wrong."""
  random = np.random.default_rng(0)
  keys = np.array(
    [
      (dataset, f"sub{s:02d}", f"EP{c:02d}")
      for dataset, count in subjects
      for s in range(count)
      for c in range(clips_each)
    ]
  )
  n, k = len(keys), len(names)
  label = np.tile(np.arange(n) % k, len(seeds))
  said = np.where(random.random(n * len(seeds)) < wrong, (label + 1) % k, label)
  p = np.full((len(label), k), 0.1 / max(k - 1, 1), np.float32)
  p[np.arange(len(label)), said] = 0.9 if k > 1 else 1.0
  dataset, subject, clip = np.tile(keys, (len(seeds), 1)).T
  return Predictions(np.repeat(seeds, n), dataset, subject, clip, label, said, p, tuple(names))


def without(run: Predictions, folds) -> Predictions:
  """`run` after the (seed, dataset, subject) of `folds` were stopped."""
  keys = zip(run.seed, run.dataset, run.subject, strict=True)
  gap = np.array([(int(seed), str(d), str(s)) in set(folds) for seed, d, s in keys])
  p = np.where(gap[:, None], np.nan, run.probabilities).astype(np.float32)
  return run._replace(prediction=np.where(gap, -1, run.prediction), probabilities=p)


def clips(run: Predictions, length: int = 9, channels: str = GRAY, synthetic: bool = True) -> Clips:
  """A Clips of noise for every clip of `run`, `length` frames each."""
  random = np.random.default_rng(0)
  keys = sorted(set(zip(run.dataset, run.subject, run.clip, strict=True)))
  n, c = len(keys), 3 if channels == FLOW_MAPS else 1
  dataset, subject, clip = np.array(keys).T
  return Clips(
    frames=random.integers(0, 256, (n * length, 16, 16, c), np.uint8),
    starts=np.arange(n + 1) * length,
    dataset=dataset,
    subject=subject,
    clip=clip,
    emotion=np.full(n, "happiness"),
    action_units=np.full(n, "L12"),
    objective_class=np.full(n, ""),
    onset=np.zeros(n, np.int32),
    apex=np.full(n, length // 3, np.int32),
    offset=np.full(n, length - 1, np.int32),
    apex_missing=dataset == "smic",
    fps=np.full(n, 200, np.float32),
    first_frame=np.ones(n, np.int64),
    last_frame=np.full(n, length, np.int64),
    synthetic=np.full(n, synthetic),
    channels=channels,
  )


def history_lines(run: Predictions, epochs: int) -> list[str]:
  subjects = np.unique(folds.names(run.dataset, run.subject, run.fold)).tolist()
  return [
    json.dumps(
      {
        "chunk": chunk,
        "epoch": chunk + 1,
        "step": 2 * chunk + 2,
        "seed": int(seed),
        "fold": fold,
        "subject": subject,
        "loss": 1.5 / (chunk + 1),
        "accuracy": 0.5 + 0.1 * chunk,
      }
    )
    + "\n"
    for chunk in range(epochs)
    for seed in np.unique(run.seed)
    for fold, subject in enumerate(subjects)
  ]
