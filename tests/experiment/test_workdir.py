"""A workdir belongs to one run, and says so."""

import json

import pytest
from processes import owner_of

from mer_jax.errors import WorkdirError
from mer_jax.experiment import environment, fit, identity, run, settings, variants, workdir
from mer_jax.runtime import locks

DATA = "a" * 64


SOURCES = {
  "mer_jax/training/fold.py:train_step": "0123",
  "mer_jax/clips/structure.py:Clips": "4567",
}


def begin(path, config, data=DATA, devices=("cpu:0",), sources=SOURCES):
  workdir.examine(path, config)
  workdir.claim(path, config, workdir.Origin(data, [*devices], sources))


def test_a_new_folder_is_claimed_and_recognised(tmp_path):
  config = settings.default()
  begin(tmp_path / "run", config)
  stored = json.loads((tmp_path / "run" / "config.json").read_text())
  assert stored["config"]["training"]["epochs"] == 100
  assert stored["hash"] == identity.digest(stored["config"])
  workdir.examine(tmp_path / "run", config)


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
    begin(tmp_path / "run" / "below", settings.default())


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


def recorded(path):
  return json.loads((path / "environment.json").read_text())


def test_other_code_is_refused_with_the_definitions_and_a_way_on(tmp_path, monkeypatch, capsys):
  monkeypatch.setattr(environment, "commit", lambda: "abc")
  begin(tmp_path / "run", settings.default())
  changed = {"mer_jax/training/fold.py:train_step": "other", "mer_jax/models/new.py:New": "89"}
  with pytest.raises(WorkdirError) as refused:
    workdir.check_sources(tmp_path / "run", changed, allowed=False)
  message = str(refused.value)
  assert "mer_jax/training/fold.py:train_step (changed)" in message
  assert "mer_jax/clips/structure.py:Clips (not reached any more)" in message
  assert "models/new.py" not in message
  assert "git checkout abc" in message
  assert "--config.checkpoint.allow_changed_code=True" in message
  assert capsys.readouterr().err == ""
  workdir.check_sources(tmp_path / "run", changed, allowed=True)
  assert "warning: " in capsys.readouterr().err


def test_a_commit_that_was_not_all_there_is_no_way_back(tmp_path, monkeypatch):
  monkeypatch.setattr(environment, "commit", lambda: "abc-dirty")
  begin(tmp_path, settings.default())
  with pytest.raises(WorkdirError) as refused:
    workdir.check_sources(tmp_path, {}, allowed=False)
  assert "git checkout" not in str(refused.value)


def test_the_same_code_and_new_definitions_are_no_reason_to_refuse(tmp_path):
  workdir.check_sources(tmp_path / "run", SOURCES, allowed=False)  # not begun
  begin(tmp_path / "run", settings.default())
  workdir.check_sources(tmp_path / "run", {**SOURCES, "more.py:new": "1"}, allowed=False)


def test_a_run_of_before_digests_were_kept_is_refused(tmp_path):
  begin(tmp_path, settings.default())
  stored = recorded(tmp_path)
  del stored["sources"]
  (tmp_path / "environment.json").write_text(json.dumps(stored))
  with pytest.raises(WorkdirError, match=r"another version of the code.* unknown"):
    workdir.check_sources(tmp_path, SOURCES, allowed=False)


def test_other_packages_are_a_line_of_warning(tmp_path, monkeypatch, capsys):
  begin(tmp_path, settings.default())
  original = recorded(tmp_path)
  assert capsys.readouterr().err == ""
  version = environment.version
  monkeypatch.setattr(
    environment, "version", lambda name: "9.9" if name == "jax" else version(name)
  )
  begin(tmp_path, settings.default())
  (line,) = capsys.readouterr().err.splitlines()
  assert line.startswith("warning: ")
  assert f"jax {original['packages']['jax']} there, 9.9 now" in line
  assert "flax" not in line


def test_going_on_loses_no_fact_of_the_beginning(tmp_path):
  config = settings.default()
  begin(tmp_path, config)
  original = (tmp_path / "environment.json").read_bytes()
  begin(tmp_path, config)
  assert (tmp_path / "environment.json").read_bytes() == original
  for devices in (["gpu:0"], ["gpu:0"], ["cpu:0"]):
    begin(tmp_path, config, devices=devices)
  stored = recorded(tmp_path)
  resumed = stored.pop("resumed")
  assert stored == json.loads(original)
  assert [entry["devices"] for entry in resumed] == [["gpu:0"], ["cpu:0"]]
  assert all(entry.keys() <= {"devices", "time", "command"} for entry in resumed)


def test_a_damaged_environment_is_named(tmp_path):
  begin(tmp_path, settings.default())
  for content in ("{", "[]", "\udcff"):
    (tmp_path / "environment.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(WorkdirError, match=r"environment\.json is damaged"):
      workdir.check_sources(tmp_path, SOURCES, allowed=False)


def test_an_environment_that_somebody_removed_is_told(tmp_path, capsys):
  begin(tmp_path, settings.default())
  (tmp_path / "environment.json").unlink()
  begin(tmp_path, settings.default())
  assert "lost its environment.json" in capsys.readouterr().err
  assert recorded(tmp_path)["data_fingerprint"] == DATA


@pytest.mark.parametrize("work", [run.run, fit.fit, variants.run])
def test_what_another_process_works_in_is_left_alone(work, tmp_path):
  config = settings.default()
  if work is variants.run:
    config.variants.field, config.variants["values"] = "seed", (0, 1)
  with owner_of(tmp_path / "run") as process:
    with pytest.raises(WorkdirError, match=f"in use by process {process.pid}"):
      work(config, tmp_path / "run", quiet=True)
    assert [path.name for path in (tmp_path / "run").iterdir()] == [locks.FILE]
