"""Pipes, devices and archives in the place of files: every command refuses them, none waits."""

import os
import pathlib
import signal

import numpy as np
import pytest

from mer_jax.cli import command
from mer_jax.errors import ConfigError, DataError
from mer_jax.runtime import regular_files


@pytest.fixture
def pipes(tmp_path) -> pathlib.Path:
  """A folder with pipes named like the files of every command."""
  (tmp_path / "clip").mkdir()
  (tmp_path / "run").mkdir()
  prepared = tmp_path / "data" / "casme2" / "frames48" / "1.0.0"
  prepared.mkdir(parents=True)
  (prepared / "dataset_info.json").write_text("{}")
  os.mkfifo(prepared / "features.json")
  names = ("p.npz", "p.csv", "p.log", "p.py", "p.mp4", "clip/1.png", "run/predictions.csv")
  for name in names:
    os.mkfifo(tmp_path / name)
  return tmp_path


@pytest.fixture(autouse=True)
def impatient():
  """Ends a test that waits."""
  before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it waits"))
  signal.alarm(60)
  yield
  signal.alarm(0)
  signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(
  "line",
  [
    "score {0}/p.npz --workdir={0}/out",
    "audit {0}/p.log",
    "audit {0}/run",
    "compare {0}/p.csv",
    "compare {0}/run",
    "export {0}/p.npz --format=npz --out={0}/out.npz",
    "predict {0}/p.mp4 --out={0}/out",
    "predict {0}/clip --out={0}/out",
    "predict {0}/data --out={0}/out",
    "predict {0}/data/casme2 --out={0}/out",
    "predict {0}/clip --key_frames={0}/p.csv --out={0}/out",
    "train --config={0}/p.py --workdir={0}/out",
    "build casme2 --manual_dir={0} --sheet={0}/p.csv --data_dir={0}/out",
    "build listing --manual_dir={0} --sheet={0}/p.csv --data_dir={0}/out",
    "build megc2019_flow --manual_dir={0} --sheet={0}/p.csv --data_dir={0}/out",
    "spot {0} --out={0}/out",
  ],
)
def test_no_command_waits_for_a_pipe(line, pipes, capsys):
  assert command.main(line.format(pipes).split()) in (ConfigError.exit_code, DataError.exit_code)
  assert "Not foreseen" not in capsys.readouterr().err
  assert not (pipes / "out").exists()


def test_only_regular_files_are_opened(pipes):
  (pipes / "file").write_text("text")
  (pipes / "link").symlink_to(pipes / "file")
  assert regular_files.read_text(pipes / "link") == "text"
  for path, reason in (
    (pipes / "p.csv", "no file but a pipe"),
    ("/dev/zero", "no file but"),
    (pipes, "Is a directory"),
    (pipes / "absent", "No such file"),
  ):
    with pytest.raises(OSError, match=reason):
      regular_files.opened(path)
  with pytest.raises(OSError, match="more than 3 bytes"):
    regular_files.read_bytes(pipes / "file", 3)


def test_an_archive_of_any_size_is_refused_before_it_is_unpacked(tmp_path, monkeypatch, capsys):
  monkeypatch.setattr(regular_files.check_unpacked, "__defaults__", (10_000,))
  np.savez_compressed(tmp_path / "bomb.npz", features=np.zeros((100, 100)))
  assert (tmp_path / "bomb.npz").stat().st_size < 1000
  for line in (
    "score {0}/bomb.npz --workdir={0}/out",
    "export {0}/bomb.npz --format=npz --out={0}/out.npz",
  ):
    assert command.main(line.format(tmp_path).split()) == DataError.exit_code
    assert "unpacks to 80128 bytes; more than 10000 are not read" in capsys.readouterr().err
