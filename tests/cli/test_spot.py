"""mer_jax spot: from a folder of long videos to scores and intervals."""

import csv
import json

import cv2
import numpy as np
import pytest

from data_builders.synthetic import long_writer
from mer_jax.cli import spot
from mer_jax.video import detectors, landmarks

needs_landmarks = pytest.mark.skipif(not landmarks.installed(), reason=f"needs {landmarks.INSTALL}")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
  """Twelve seconds of one person, with a coded expression."""
  root = tmp_path_factory.mktemp("spot") / "corpus"
  options = long_writer.LongOptions(subjects=1, minutes=0.2, size=128, seed=7)
  long_writer.write("casme_squared", root, options)
  return root


@pytest.mark.parametrize(
  ("method", "detector"),
  [
    ("regions", "cascade"),
    pytest.param("regions", "landmarks", marks=needs_landmarks),
    ("mdmd", "cascade"),
    pytest.param("strain", "landmarks", marks=needs_landmarks),
  ],
)
def test_scores_and_intervals_are_left_behind(corpus, tmp_path, method, detector, capsys):
  if method != "regions":  # the baselines need no more than that they run
    for path in sorted(corpus.rglob("*.jpg"))[75:]:
      path.unlink()
  chosen = [f"--method={method}", f"--detector={detector}"]
  assert spot.main([str(corpus), f"--out={tmp_path}", *chosen]) == 0
  scores = json.loads((tmp_path / "spotting.json").read_text())
  with open(tmp_path / "intervals.csv", newline="") as file:
    rows = list(csv.DictReader(file))
  counts = scores["counts"]["overall"]
  assert len(rows) == counts["right"] + counts["wrong"]
  assert sum(int(row["right"]) for row in rows) == counts["right"]
  assert (scores["method"], scores["detector"]) == (method, detector)
  assert scores["frames_measured"] == sum(1 for _ in corpus.rglob("*.jpg"))
  assert all(row["class"] for row in rows)
  assert scores["false_alarms_per_minute"] == pytest.approx(counts["wrong"] / scores["minutes"])
  assert (scores["strs"] is None) == ("strs_is_null_because" in scores)
  assert all(int(row["onset"]) <= int(row["apex"]) <= int(row["offset"]) for row in rows)
  printed = capsys.readouterr().out
  assert "drawn" in printed
  assert f"Faces by {detectors.IN_WORDS[detector]}" in printed


def test_frames_that_are_not_measured_are_counted_by_their_state(tmp_path, capsys):
  options = long_writer.LongOptions(subjects=1, minutes=1 / 15, size=128, seed=7)
  long_writer.write("casme_squared", tmp_path / "corpus", options)
  frames = sorted((tmp_path / "corpus").rglob("*.jpg"))
  frames[3].write_bytes(b"")
  cv2.imwrite(str(frames[0]), np.zeros_like(cv2.imread(str(frames[0]))))
  out = tmp_path / "out"
  assert spot.main([str(tmp_path / "corpus"), f"--out={out}", "--detector=cascade"]) == 0
  scores = json.loads((out / "spotting.json").read_text())
  assert scores["frames_unreadable"] == 1
  assert scores["frames_not_measured"] == {"no face": 1}
  assert scores["frames_measured"] == len(frames) - 2
  assert "could not be measured: no face 1." in capsys.readouterr().out


@pytest.mark.parametrize(
  ("arguments", "wrong"),
  [
    (["--method=mdmdd"], "Did you mean 'mdmd'"),
    (["--threshold=0"], "threshold"),
    (["--detector=cascades"], "detector"),
    (["--model=ststnet_drawnn"], "model"),
  ],
)
def test_mistakes_have_a_message(corpus, tmp_path, arguments, wrong, capsys):
  assert spot.main([str(corpus), f"--out={tmp_path}", *arguments]) == 2
  assert wrong in capsys.readouterr().err


def test_a_folder_without_a_corpus_is_refused(tmp_path, capsys):
  assert spot.main([str(tmp_path), f"--out={tmp_path / 'out'}"]) == 3
  assert "no coding sheet" in capsys.readouterr().err
