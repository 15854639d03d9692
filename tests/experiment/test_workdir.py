"""A workdir belongs to one run, and says so."""

import json

import pytest

from mer_jax import settings, workdir
from mer_jax.errors import WorkdirError

DATA = "a" * 64


def begin(path, config, data=DATA):
  workdir.claim(workdir.examine(path, config), config, data, ["cpu:0"])


def test_a_new_folder_is_claimed_and_recognised(tmp_path):
  config = settings.default()
  begin(tmp_path / "run", config)
  stored = json.loads((tmp_path / "run" / "config.json").read_text())
  assert stored["config"]["training"]["epochs"] == 100
  assert stored["hash"] == settings.digest(stored["config"])
  assert workdir.examine(tmp_path / "run", config) == tmp_path / "run"


def test_looking_changes_nothing(tmp_path):
  workdir.examine(tmp_path / "run", settings.default())
  assert not list(tmp_path.iterdir())


def test_another_config_is_refused_with_what_differs(tmp_path):
  config = settings.default()
  begin(tmp_path, config)
  before = (tmp_path / "config.json").read_bytes()
  config.training.epochs = 3
  with pytest.raises(WorkdirError, match=r"training\.epochs: 100 there, 3 now"):
    workdir.examine(tmp_path, config)
  assert (tmp_path / "config.json").read_bytes() == before


def test_other_devices_are_the_same_run(tmp_path):
  config = settings.default()
  begin(tmp_path, config)
  config.devices = 2
  begin(tmp_path, config)
  assert json.loads((tmp_path / "config.json").read_text())["config"]["devices"] == 2


def test_a_folder_of_somebody_else_is_refused(tmp_path):
  (tmp_path / "thesis.tex").write_text("x")
  with pytest.raises(WorkdirError, match="not empty"):
    workdir.examine(tmp_path, settings.default())
  assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
  (tmp_path / "run").write_text("x")
  with pytest.raises(WorkdirError, match="cannot be used"):
    workdir.examine(tmp_path / "run", settings.default())
  with pytest.raises(WorkdirError, match="cannot be used"):
    workdir.claim(tmp_path / "run" / "below", settings.default(), DATA, [])


def test_a_damaged_config_is_named(tmp_path):
  (tmp_path / "config.json").write_text("{")
  with pytest.raises(WorkdirError, match="damaged"):
    workdir.examine(tmp_path, settings.default())


def test_other_data_is_refused_and_nothing_is_written(tmp_path):
  begin(tmp_path, settings.default())
  stored = json.loads((tmp_path / "environment.json").read_text())
  assert stored["data_fingerprint"] == DATA
  assert stored["packages"]["jax"] != "not installed"
  with pytest.raises(WorkdirError, match="other data"):
    begin(tmp_path, settings.default(), data="b" * 64)
  assert json.loads((tmp_path / "environment.json").read_text()) == stored
