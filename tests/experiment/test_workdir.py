"""A workdir belongs to one run, and says so."""

import json
import pathlib
import shutil
import subprocess

import pytest

from mer_jax.errors import WorkdirError
from mer_jax.experiment import settings, workdir

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


@pytest.fixture
def package(tmp_path, monkeypatch):
  """A copy of the package in a git checkout of its own, as the code that runs."""
  root = tmp_path / "checkout" / "mer_jax"
  shutil.copytree(pathlib.Path(workdir.__file__).parent, root)
  monkeypatch.setattr(workdir, "_ROOT", root)
  git(root.parent, "init", "-q")
  commit(root)
  return root


def git(root, *arguments):
  identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
  done = subprocess.run(
    ["git", "-C", str(root), *identity, *arguments], check=True, capture_output=True, text=True
  )
  return done.stdout.strip()


def commit(root):
  git(root, "add", ".")
  git(root, "commit", "-q", "-m", "state")
  return git(root, "rev-parse", "HEAD")


def test_other_code_is_refused_with_the_files_and_commits(tmp_path, package):
  config, there = settings.default(), git(package, "rev-parse", "HEAD")
  begin(tmp_path / "run", config)
  before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
  with open(package / "training" / "fold.py", "a") as file:
    file.write("# changed\n")
  (package / "inputs" / "tim.py").unlink()
  with pytest.raises(WorkdirError) as refused:
    workdir.examine(tmp_path / "run", config)
  message = str(refused.value)
  assert "inputs/tim.py (absent now), training/fold.py (changed)" in message
  assert f"(commit {there}) there" in message
  assert f"(commit {there}-dirty) now" in message
  assert message.endswith(f"git checkout {there}.")
  assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before
  git(package, "checkout", "-q", ".")
  begin(tmp_path / "run", config)


def test_a_commit_that_was_not_all_there_is_no_way_back(tmp_path, package):
  with open(package / "clips.py", "a") as file:
    file.write("# not committed\n")
  begin(tmp_path / "run", settings.default())
  git(package, "checkout", "-q", ".")
  with pytest.raises(WorkdirError, match=r"clips.py \(changed\)") as refused:
    workdir.examine(tmp_path / "run", settings.default())
  assert "git checkout" not in str(refused.value)


@pytest.mark.parametrize("file", ["report/page.py", "main.py", "errors.py", "models/new.py"])
def test_code_that_cannot_change_results_is_no_reason_to_refuse(tmp_path, package, file):
  begin(tmp_path / "run", settings.default())
  with open(package / file, "a") as code:
    code.write("# changed\n")
  begin(tmp_path / "run", settings.default())


def test_line_ends_are_no_difference(tmp_path, package):
  begin(tmp_path / "run", settings.default())
  text = (package / "clips.py").read_bytes()
  (package / "clips.py").write_bytes(text.replace(b"\n", b"\r\n"))
  begin(tmp_path / "run", settings.default())


def test_a_run_of_before_digests_were_noted_is_refused(tmp_path):
  begin(tmp_path, settings.default())
  stored = environment(tmp_path)
  del stored["sources"]
  (tmp_path / "environment.json").write_text(json.dumps(stored))
  with pytest.raises(WorkdirError, match=r"another version of the code.* unknown"):
    workdir.examine(tmp_path, settings.default())


def environment(path):
  return json.loads((path / "environment.json").read_text())


def test_every_module_that_is_not_shown_to_decide_nothing_counts(tmp_path):
  begin(tmp_path, settings.default())
  noted = environment(tmp_path)["sources"]
  root = pathlib.Path(workdir.__file__).parent
  present = {path.relative_to(root).as_posix() for path in root.rglob("*.py")}
  left_out = {name.split("/")[0] for name in present - {*noted}}
  assert left_out == {
    *("report", "main.py", "study.py", "tables.py", "rehearsal.py", "compare.py", "audit.py"),
    *("errors.py", "interrupts.py", "progress.py", "version.py"),
  }


def test_other_packages_are_a_line_of_warning(tmp_path, monkeypatch, capsys):
  begin(tmp_path, settings.default())
  original = environment(tmp_path)
  assert capsys.readouterr().err == ""
  version = workdir._version
  monkeypatch.setattr(workdir, "_version", lambda name: "9.9" if name == "jax" else version(name))
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
    workdir.claim(workdir.examine(tmp_path, config), config, DATA, devices)
  stored = environment(tmp_path)
  resumed = stored.pop("resumed")
  assert stored == json.loads(original)
  assert [entry["devices"] for entry in resumed] == [["gpu:0"], ["cpu:0"]]
  assert all(entry.keys() <= {"devices", "time", "command"} for entry in resumed)


def test_a_damaged_environment_is_named(tmp_path):
  begin(tmp_path, settings.default())
  for content in ("{", "[]", "\udcff"):
    (tmp_path / "environment.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(WorkdirError, match=r"environment\.json is damaged"):
      workdir.examine(tmp_path, settings.default())


def test_an_environment_that_somebody_removed_is_told(tmp_path, capsys):
  begin(tmp_path, settings.default())
  (tmp_path / "environment.json").unlink()
  begin(tmp_path, settings.default())
  assert "lost its environment.json" in capsys.readouterr().err
  assert environment(tmp_path)["data_fingerprint"] == DATA
