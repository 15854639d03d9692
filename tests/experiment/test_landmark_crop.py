"""A raw corpus, aligned by landmarks, from its files to the scores of a model."""

import csv

import pytest

import data_builders.build
import data_builders.synthetic
from configs import motion_net_zero_shot
from mer_jax.clips import load_prepared
from mer_jax.experiment.run import run
from mer_jax.report import style
from mer_jax.video import landmarks


@pytest.mark.exhaustive
@pytest.mark.skipif(not landmarks.installed(), reason=f"needs {landmarks.INSTALL}")
def test_a_corpus_aligned_by_landmarks_is_recognised(tmp_path, monkeypatch):
  monkeypatch.setattr(style, "DPI", 40)
  people = {"subjects": 3, "clips_per_subject": 4, "size": 128}
  data_builders.synthetic.write("casme2", tmp_path / "raw", tree="raw", **people)
  report, *_ = data_builders.build.build(
    "casme2", tmp_path / "raw", tmp_path / "data", "frames128", crop="landmarks"
  )
  assert report.options["crop"] == "landmarks"
  assert not report.repaired  # landmarks were seen in every clip
  assert len(load_prepared("casme2", "frames128", tmp_path / "data")) == 12
  config = motion_net_zero_shot.get_config("casme2")
  config.data.data_dir = str(tmp_path / "data")
  config.devices = 1
  run(config, tmp_path / "run")
  with open(tmp_path / "run" / "predictions.csv", newline="") as file:
    rows = list(csv.DictReader(file))
  right = sum(row["label"] == row["prediction"] for row in rows)
  assert right > 0.6 * len(rows)
