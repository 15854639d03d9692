"""What `make demo` runs learns what moves: more than the majority class, more than a still face."""

import json
import os
import pathlib
import shlex
import subprocess
import sys

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mer_jax import protocols
from mer_jax.clips import load_prepared

REPOSITORY = pathlib.Path(__file__).parents[2]
MARGIN = 0.15


def commands_of_the_demo(folder):
  """The lines of the Makefile, but for the installation, run by this Python."""
  dry = subprocess.run(
    ["make", "--dry-run", "demo", f"DEMO={folder}"],
    cwd=REPOSITORY,
    capture_output=True,
    text=True,
    check=True,
  )
  lines = dry.stdout.replace("\\\n", " ").splitlines()
  own = [line for line in lines if line.startswith(".venv/bin/mer_jax ")]
  return [[sys.executable, "-m", "mer_jax", *shlex.split(line)[1:]] for line in own]


def onset_frames_uf1(data_dir, class_weight):
  """UF1 of a linear classifier on the onset frames, leave-one-subject-out."""
  split = protocols.split("three_class", load_prepared("casme2", "frames48", data_dir))
  clips = split.clips
  frames = [clips.frames_of(n)[clips.onset[n]].ravel() / 255 for n in range(len(clips))]
  linear = make_pipeline(
    StandardScaler(),
    # A turn of the axes changes nothing for an L2 penalty, and leaves as many as there are clips.
    PCA(svd_solver="full"),
    LogisticRegression(C=0.1, max_iter=2000, class_weight=class_weight),
  )
  predicted = cross_val_predict(
    linear, np.stack(frames), split.labels, groups=clips.subject, cv=LeaveOneGroupOut()
  )
  return f1_score(split.labels, predicted, average="macro", zero_division=0)


def smaller(command):
  """A command of the demo on fewer clips and for fewer epochs."""
  few = {"--subjects=16": "--subjects=3", "--clips_per_subject=12": "--clips_per_subject=4"}
  fewer = ["--config.training.epochs=1", "--config.training.fold_block=3"]
  less = fewer if "--config=demo:casme2" in command else []
  return [*(few.get(argument, argument) for argument in command), *less]


def run_demo(commands, environment):
  for command in commands:
    subprocess.run(command, cwd=REPOSITORY, env=environment, check=True, capture_output=True)


@pytest.mark.slow
def test_the_demo_leaves_its_pages(tmp_path):
  commands = commands_of_the_demo(tmp_path)
  expected = ["synthetic", "build", "build", "train", "train", "compare"]
  expected += ["fit", "synthetic", "predict"]
  assert [command[3] for command in commands] == expected
  run_demo(map(smaller, commands), {**os.environ})
  scores = json.loads((tmp_path / "run" / "metrics.json").read_text())
  assert (tmp_path / "comparison" / "comparison.html").is_file()
  # The model that is kept carries the scores of the run, and knows nobody whom it is asked about.
  facts = json.loads((tmp_path / "run" / "model" / "model.json").read_text())
  assert facts["scores"]["uf1"] == scores["pooled"]["uf1"]
  page = (tmp_path / "predicted" / "report.html").read_text(encoding="utf-8")
  assert "1 clip predicted" in page
  assert "knows the subject" not in page


@pytest.mark.exhaustive
@pytest.mark.slow
def test_the_demo_beats_the_majority_and_the_onset_frame(tmp_path):
  commands = commands_of_the_demo(tmp_path)
  # Optimised, as a user has it: here it is the computation that takes long, not the compiler.
  environment = {key: value for key, value in os.environ.items() if key != "XLA_FLAGS"}
  run_demo(commands[: [command[3] for command in commands].index("compare")], environment)
  scores = json.loads((tmp_path / "run" / "metrics.json").read_text())
  references = [onset_frames_uf1(tmp_path / "data", weight) for weight in (None, "balanced")]
  assert scores["pooled"]["uf1"] >= scores["majority"]["uf1"] + MARGIN
  assert scores["pooled"]["uf1"] >= max(references) + MARGIN
  # Weights that have seen nothing of it do better still, for they know what moves.
  zero_shot = json.loads((tmp_path / "zero_shot" / "metrics.json").read_text())
  assert zero_shot["pooled"]["uf1"] >= scores["pooled"]["uf1"]
