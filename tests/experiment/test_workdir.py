"""A workdir belongs to one run, and says so."""

import json

import pytest

from mer_jax import settings, workdir
from mer_jax.errors import WorkdirError


def test_a_new_folder_is_claimed_and_recognised(tmp_path):
  config = settings.default()
  path = workdir.claim(tmp_path / "run", config)
  stored = json.loads((path / "config.json").read_text())
  assert stored["config"]["training"]["epochs"] == 100
  assert stored["hash"] == settings.digest(stored["config"])
  assert workdir.claim(tmp_path / "run", config) == path


def test_another_config_is_refused_with_what_differs(tmp_path):
  config = settings.default()
  workdir.claim(tmp_path, config)
  before = (tmp_path / "config.json").read_bytes()
  config.training.epochs = 3
  with pytest.raises(WorkdirError, match=r"training\.epochs: 100 there, 3 now"):
    workdir.claim(tmp_path, config)
  assert (tmp_path / "config.json").read_bytes() == before


def test_other_devices_are_the_same_run(tmp_path):
  config = settings.default()
  workdir.claim(tmp_path, config)
  config.devices = 2
  workdir.claim(tmp_path, config)


def test_a_folder_of_somebody_else_is_refused(tmp_path):
  (tmp_path / "thesis.tex").write_text("x")
  with pytest.raises(WorkdirError, match="not empty"):
    workdir.claim(tmp_path, settings.default())
  assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
  (tmp_path / "run").write_text("x")
  with pytest.raises(WorkdirError, match="cannot be used"):
    workdir.claim(tmp_path / "run", settings.default())


def test_a_damaged_config_is_named(tmp_path):
  (tmp_path / "config.json").write_text("{")
  with pytest.raises(WorkdirError, match="damaged"):
    workdir.claim(tmp_path, settings.default())


def test_other_data_is_refused(tmp_path):
  workdir.record_environment(tmp_path, "a" * 64, ["cpu:0"])
  stored = json.loads((tmp_path / "environment.json").read_text())
  assert stored["data_fingerprint"] == "a" * 64
  assert stored["packages"]["jax"] != "not installed"
  with pytest.raises(WorkdirError, match="other data"):
    workdir.record_environment(tmp_path, "b" * 64, ["cpu:0"])
