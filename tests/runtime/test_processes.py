"""Whole runs by two processes with two devices each, against one process with four."""

import json
import pathlib
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext

import numpy as np
import pytest
import two_processes
from fork_server import ForkServer

import mer_jax
from mer_jax import errors, evaluation, training
from mer_jax.experiment.selection import snapshots
from mer_jax.runtime import distributed

FIELDS = (
  *("data.data_dir", "input.num_frames", "input.size", "training.epochs"),
  *("model.channels", "model.cnn_features", "model.head_features", "model.branch"),
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
  main = ["-m", "mer_jax.main", f"--config={file}", f"--workdir={workdir}"]
  return [*main, *overrides, *more]


def commands(config, folder: pathlib.Path, *more: str) -> list[list[str]]:
  """What two processes are called with; the second names a workdir that nobody may touch."""
  return [command(config, folder / name, *more) for name in ("run", "untouched")]


def wait_for_checkpoint(
  epoch: int, started: Sequence[two_processes.Started], workdir: pathlib.Path
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
def server() -> Iterator[ForkServer]:
  """What all processes but those of Slurm are forked from."""
  with ForkServer(two_processes.environment(0, 2, "")) as server:
    yield server


@pytest.fixture(scope="module")
def alone(config, tmp_path_factory) -> pathlib.Path:
  """The workdir of the same run by one process with four devices."""
  workdir = tmp_path_factory.mktemp("alone") / "run"
  mer_jax.run(config, workdir, quiet=True)
  return workdir


def assert_same_results(workdir: pathlib.Path, alone: pathlib.Path) -> None:
  """Equal up to the last digits: XLA splits sums on CPUs by the threads that a process has."""
  ours, theirs = (evaluation.read_csv(path / "predictions.csv") for path in (workdir, alone))
  for field in ("seed", "dataset", "subject", "clip", "label"):
    np.testing.assert_array_equal(getattr(ours, field), getattr(theirs, field))
  np.testing.assert_allclose(ours.probabilities, theirs.probabilities, rtol=1e-4, atol=1e-6)
  # Training moved them further than that.
  assert np.ptp(theirs.probabilities, axis=0).max() > 1e-2
  log, expected = (read_log(path / "history.jsonl") for path in (workdir, alone))
  assert [place for place, _ in log] == [place for place, _ in expected]
  np.testing.assert_allclose([x for _, x in log], [x for _, x in expected], rtol=1e-4, atol=1e-6)


def read_log(path: pathlib.Path) -> list[tuple[list, list[float]]]:
  """Of each line what it is about, and loss and accuracy."""
  rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
  return [([row[x] for x in ("epoch", "subject")], [row["loss"], row["accuracy"]]) for row in rows]


def test_two_processes_are_one_even_if_stopped(config, alone, server, tmp_path):
  workdir, asked = tmp_path / "run", tmp_path / "asked"
  started = two_processes.start(commands(config, tmp_path), asked, server=server)
  wait_for_checkpoint(2, started, workdir)
  started[1].send_signal(signal.SIGTERM)  # not to the one that writes
  ended = two_processes.wait(started, asked)
  assert [process.code for process in ended] == [errors.Interrupted.exit_code] * 2, ended
  reached = newest(workdir)
  assert reached < config.training.epochs
  assert f"after epoch {reached} of" in ended[0].stderr

  ended = two_processes.run(commands(config, tmp_path), tmp_path / "output", server=server)
  assert [process.code for process in ended] == [0, 0], ended
  assert_same_results(workdir, alone)
  assert {p.name for p in workdir.iterdir()} == {p.name for p in alone.iterdir()}
  assert not (tmp_path / "untouched").exists()
  assert "UF1" in ended[0].stdout
  # What is left is said by the library that carries the messages between CPUs.
  others = [line for line in ended[1].stdout.splitlines() if not line.startswith("[Gloo]")]
  assert others == []


@pytest.mark.exhaustive
def test_one_process_goes_on_as_two_and_those_as_one(config, alone, server, tmp_path):
  workdir, killed = tmp_path / "run", tmp_path / "killed"
  shutil.copytree(alone, workdir)
  (workdir / "predictions.csv").unlink()
  for checkpoint in (workdir / "checkpoints").iterdir():
    if int(checkpoint.name) > 3:
      shutil.rmtree(checkpoint)
  started = two_processes.start(commands(config, tmp_path), killed, server=server)
  wait_for_checkpoint(5, started, workdir)
  started[0].kill()
  ended = two_processes.wait(started, killed)
  assert ended[0].code == -signal.SIGKILL
  assert ended[1].code != 0  # jax ends it when process 0 is gone
  assert 5 <= newest(workdir) < config.training.epochs
  assert not (workdir / "predictions.csv").exists()

  mer_jax.run(config, workdir, quiet=True)
  assert_same_results(workdir, alone)


def test_a_workdir_that_process_0_refuses_ends_both_tasks_of_slurm(config, tmp_path):
  (tmp_path / "run").mkdir()
  (tmp_path / "run" / "thesis.tex").touch()
  ended = two_processes.run(commands(config, tmp_path), tmp_path / "output", two_processes.of_slurm)
  assert "2 in all, as SlurmCluster says" in ended[1].stderr
  assert [process.code for process in ended] == [errors.WorkdirError.exit_code] * 2, ended
  assert "is not empty" in ended[0].stderr
  assert "is not empty" not in ended[1].stderr  # reported once
  assert not (tmp_path / "untouched").exists()


@pytest.mark.parametrize(("devices", "refused"), [(3, True), (4, False), (0, False)])
def test_devices_are_shared_evenly(monkeypatch, devices, refused):
  monkeypatch.setattr(distributed, "processes", lambda: 2)
  monkeypatch.setattr(distributed, "largest", lambda number: number)
  expected = pytest.raises(errors.ConfigError, match="multiple") if refused else nullcontext()
  with expected:
    assert training.arrange(5, 0, devices).mesh.size == 4


def test_different_data_are_refused_by_both(config, server, other_data_dir, tmp_path):
  first, second = commands(config, tmp_path)
  second.append(f"--config.data.data_dir={other_data_dir}")
  ended = two_processes.run([first, second], tmp_path / "output", server=server)
  assert [process.code for process in ended] == [errors.ConfigError.exit_code] * 2, ended
  assert "prepared data of process 1 differs" in ended[0].stderr
  assert not (tmp_path / "run").exists()


@pytest.mark.exhaustive
def test_two_processes_choose_by_inner_folds_and_one_reports_it(config, server, tmp_path, capsys):
  small = config.copy_and_resolve_references()
  small.training.epochs = small.checkpoint.every_epochs = 2
  chosen = ("--config.selection.name=inner", "--config.selection.inner_folds=2")
  ended = two_processes.run(commands(small, tmp_path, *chosen), tmp_path / "output", server=server)
  assert [process.code for process in ended] == [0, 0], ended
  announcement = "Selected for every fold on 2 inner folds"
  assert announcement in ended[0].stdout
  workdir = tmp_path / "run"
  assert snapshots.read(workdir / "inner" / "snapshots.jsonl")[0] == [1, 2]
  kept = [(workdir / name).read_bytes() for name in ("selection.json", "history.jsonl")]
  by_two = evaluation.read_csv(workdir / "predictions.csv")
  small.selection.update(name="inner", inner_folds=2)
  mer_jax.run(small, workdir)
  assert announcement in capsys.readouterr().out
  assert kept == [(workdir / name).read_bytes() for name in ("selection.json", "history.jsonl")]
  by_one = evaluation.read_csv(workdir / "predictions.csv")
  np.testing.assert_allclose(by_two.probabilities, by_one.probabilities, rtol=1e-4, atol=1e-6)
  assert not (tmp_path / "untouched").exists()
