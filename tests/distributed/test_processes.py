"""Whole runs by two processes with two devices each, against one process with four."""

import pathlib
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

import pytest
import two_processes

import mer_jax
from mer_jax import errors

FIELDS = (
  *("data.data_dir", "input.num_frames", "input.size", "training.epochs"),
  *("model.channels", "model.cnn_features", "model.lstm_features", "model.head_features"),
  *("checkpoint.every_epochs", "checkpoint.keep"),
)


def command(config, workdir: pathlib.Path, *more: str) -> list[str]:
  """The command line for `config`."""
  values = config.to_dict()
  overrides = []
  for field in FIELDS:
    section, name = field.split(".")
    overrides.append(f"--config.{field}={values[section][name]}")
  file = two_processes.ROOT / "configs" / "parallel_cnn_lstm.py:casme2"
  main = [sys.executable, "-m", "mer_jax.main", f"--config={file}", f"--workdir={workdir}"]
  return [*main, *overrides, *more]


def commands(config, folder: pathlib.Path, *more: str) -> list[list[str]]:
  """What two processes are called with; the second names a workdir that nobody may touch."""
  return [command(config, folder / name, *more) for name in ("run", "untouched")]


def interrupt_after(
  epoch: int, started: Sequence[subprocess.Popen[str]], workdir: pathlib.Path
) -> None:
  """Returns once the checkpoint of `epoch` or a later one is finished."""
  deadline = time.monotonic() + two_processes.HANGS_AFTER
  while not any(p.name.isdecimal() and int(p.name) >= epoch for p in workdir.glob("checkpoints/*")):
    assert all(child.poll() is None for child in started), "ended early"
    assert time.monotonic() < deadline, "no checkpoint in time"
    time.sleep(0.02)


def newest(workdir: pathlib.Path) -> int:
  return max(int(p.name) for p in (workdir / "checkpoints").iterdir() if p.name.isdecimal())


@pytest.fixture(scope="module")
def alone(config, tmp_path_factory) -> pathlib.Path:
  """The workdir of the same run by one process with four devices."""
  workdir = tmp_path_factory.mktemp("alone") / "run"
  mer_jax.run(config, workdir, quiet=True)
  return workdir


def assert_same_results(workdir: pathlib.Path, alone: pathlib.Path) -> None:
  for name in ("predictions.csv", "history.jsonl", "metrics.json"):
    assert (workdir / name).read_bytes() == (alone / name).read_bytes(), name


def test_two_processes_are_bitwise_one(config, alone, tmp_path):
  ended = two_processes.run(commands(config, tmp_path), tmp_path / "said")
  assert [process.code for process in ended] == [0, 0], ended
  assert_same_results(tmp_path / "run", alone)
  assert {p.name for p in (tmp_path / "run").iterdir()} == {p.name for p in alone.iterdir()}
  assert not (tmp_path / "untouched").exists()
  assert "UF1" in ended[0].stdout
  # What is left is said by the library that carries the messages between CPUs.
  others = [line for line in ended[1].stdout.splitlines() if not line.startswith("[Gloo]")]
  assert others == []


def test_two_processes_stopped_and_killed_go_on_as_one(config, alone, tmp_path):
  workdir = tmp_path / "run"
  asked = tmp_path / "asked"
  asked.mkdir()
  started = two_processes.start(commands(config, tmp_path), asked)
  interrupt_after(2, started, workdir)
  started[1].send_signal(signal.SIGTERM)  # not to the one that writes
  ended = two_processes.wait(started, asked)
  assert [process.code for process in ended] == [errors.Interrupted.exit_code] * 2, ended
  reached = newest(workdir)
  assert reached < config.training.epochs
  assert f"after epoch {reached} of" in ended[0].stderr

  killed = tmp_path / "killed"
  killed.mkdir()
  started = two_processes.start(commands(config, tmp_path), killed)
  interrupt_after(reached + 2, started, workdir)
  started[0].kill()
  ended = two_processes.wait(started, killed)
  assert ended[0].code == -signal.SIGKILL
  assert ended[1].code != 0  # jax ends it when process 0 is gone
  assert not (workdir / "predictions.csv").exists()

  mer_jax.run(config, workdir, quiet=True)
  assert_same_results(workdir, alone)


def test_one_process_goes_on_as_two(config, alone, tmp_path):
  workdir = tmp_path / "run"
  shutil.copytree(alone, workdir)
  (workdir / "predictions.csv").unlink()
  for checkpoint in (workdir / "checkpoints").iterdir():
    if int(checkpoint.name) > 8:
      shutil.rmtree(checkpoint)
  ended = two_processes.run(commands(config, tmp_path), tmp_path / "said")
  assert [process.code for process in ended] == [0, 0], ended
  assert_same_results(workdir, alone)
  assert not (tmp_path / "untouched").exists()


def test_a_workdir_that_process_0_refuses_ends_both(config, tmp_path):
  (tmp_path / "run").mkdir()
  (tmp_path / "run" / "thesis.tex").touch()
  ended = two_processes.run(commands(config, tmp_path), tmp_path / "said")
  assert [process.code for process in ended] == [errors.WorkdirError.exit_code] * 2, ended
  assert "is not empty" in ended[0].stderr
  assert "is not empty" not in ended[1].stderr  # said once
  assert not (tmp_path / "untouched").exists()


def test_different_data_are_refused_by_both(config, other_data_dir, tmp_path):
  first, second = commands(config, tmp_path)
  second.append(f"--config.data.data_dir={other_data_dir}")
  ended = two_processes.run([first, second], tmp_path / "said")
  assert [process.code for process in ended] == [errors.ConfigError.exit_code] * 2, ended
  assert "prepared data of process 1 differs" in ended[0].stderr
  assert not (tmp_path / "run").exists()
