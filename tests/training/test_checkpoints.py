"""A checkpoint is what was saved, or it is passed over with a line that says so."""

import pathlib
import shutil

import jax
import numpy as np
import pytest
from problems import problem, program

from mer_jax import training
from mer_jax.errors import WorkdirError

NAMES = tuple(f"casme2/sub{f:02d}" for f in range(5))
EPOCHS, NEWEST, OLDER = 5, 4, 2
rng = np.random.default_rng(0)


def ends(folder, epochs):
  """Trains to `epochs`, going on from what lies in `folder`; the state on the host."""
  history = training.History([folder / "history.jsonl"], (0, 1), NAMES)
  with training.Checkpoints(folder / "checkpoints", keep=2) as checkpoints:
    plan = training.Plan(epochs, 1, OLDER)
    state = training.train(program("ststnet", problem("image")), plan, checkpoints, history)
  return jax.device_get(state)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
  """A run that was stopped after epoch 4, and the state it would have had after epoch 5."""
  root = tmp_path_factory.mktemp("stopped")
  ends(root / "stopped", NEWEST)
  return root / "stopped", ends(root / "whole", EPOCHS)


def assert_same_bits(a, b):
  for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
    np.testing.assert_array_equal(x, y)


def flipped(file):
  data = bytearray(file.read_bytes())
  data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
  file.write_bytes(data)


def overwritten(file):
  """What a file system leaves that promised space and lost power."""
  file.write_bytes(bytes(file.stat().st_size))


DAMAGES = {
  "truncated": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
  "emptied": lambda file: file.write_bytes(b""),
  "absent": pathlib.Path.unlink,
  "flipped": flipped,
  "overwritten": overwritten,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_to_any_file_changes_no_bit_of_the_result(damage, stopped, tmp_path, capfd):
  before, want = stopped
  newest = before / "checkpoints" / str(NEWEST)
  files = [path.relative_to(before) for path in newest.rglob("*") if path.is_file()]
  assert files
  fell_back = 0
  for i, file in enumerate(files):
    folder = tmp_path / str(i)
    shutil.copytree(before, folder)
    DAMAGES[damage](folder / file)
    assert_same_bits(want, ends(folder, EPOCHS))
    output = capfd.readouterr().err
    left = {path.name for path in (folder / "checkpoints").iterdir()}
    if "cannot be read" in output:
      fell_back += 1
      assert f"checkpoint of epoch {NEWEST} " in output
      assert f"goes on from epoch {OLDER}" in output
      assert left == {f"unreadable-{NEWEST}", str(NEWEST), str(EPOCHS)}
    else:
      assert left == {str(NEWEST), str(EPOCHS)}
    # Nothing is in the way of the next start.
    assert_same_bits(want, ends(folder, EPOCHS))
    assert "cannot be read" not in capfd.readouterr().err
  assert fell_back  # not everything in a checkpoint is decoration


@pytest.mark.parametrize("left", ["empty folder", "file", "no folder"])
def test_a_checkpoint_without_content_is_passed_over(left, stopped, tmp_path, capfd):
  before, want = stopped
  shutil.copytree(before, tmp_path / "run")
  newest = tmp_path / "run" / "checkpoints" / str(NEWEST)
  shutil.rmtree(newest)
  if left == "empty folder":
    newest.mkdir()
  elif left == "file":
    newest.write_text("")
  assert_same_bits(want, ends(tmp_path / "run", EPOCHS))
  assert ("cannot be read" in capfd.readouterr().err) == (left != "no folder")


def test_with_no_readable_checkpoint_the_run_begins_again(stopped, tmp_path, capfd):
  before, want = stopped
  shutil.copytree(before, tmp_path / "run")
  for file in (tmp_path / "run" / "checkpoints").rglob("*"):
    if file.is_file():
      overwritten(file)
  assert_same_bits(want, ends(tmp_path / "run", EPOCHS))
  first, second = capfd.readouterr().err.splitlines()
  assert f"epoch {NEWEST} cannot be read" in first
  assert f"goes on from epoch {OLDER}" in first
  assert f"epoch {OLDER} cannot be read" in second
  assert "begins again" in second
  lines = (tmp_path / "run" / "history.jsonl").read_text().splitlines()
  assert len(lines) == EPOCHS * 2 * len(NAMES)


def test_one_set_aside_before_gives_way_to_the_next(stopped, tmp_path):
  shutil.copytree(stopped[0], tmp_path / "run")
  checkpoints = tmp_path / "run" / "checkpoints"
  (checkpoints / f"unreadable-{NEWEST}").mkdir()
  (checkpoints / f"unreadable-{NEWEST}" / "old").write_text("")
  (checkpoints / str(NEWEST) / "state" / "digests.json").unlink()
  ends(tmp_path / "run", NEWEST)
  assert not (checkpoints / f"unreadable-{NEWEST}" / "old").exists()


def test_valid_files_that_are_not_those_that_were_written_are_noticed(stopped, tmp_path, capfd):
  """Damage that every checksum within the format agrees with."""
  shutil.copytree(stopped[0], tmp_path / "run")
  newest, older = (tmp_path / "run" / "checkpoints" / str(n) / "state" for n in (NEWEST, OLDER))
  digests = (newest / "digests.json").read_bytes()
  shutil.rmtree(newest)
  shutil.copytree(older, newest)
  (newest / "digests.json").write_bytes(digests)
  assert_same_bits(stopped[1], ends(tmp_path / "run", EPOCHS))
  assert f"epoch {NEWEST} cannot be read" in capfd.readouterr().err


def test_what_a_killed_writer_left_is_removed(stopped, tmp_path):
  shutil.copytree(stopped[0], tmp_path / "run")
  checkpoints = tmp_path / "run" / "checkpoints"
  for name in ("5.orbax-checkpoint-tmp", "5.orbax-checkpoint-tmp-1"):
    shutil.copytree(checkpoints / str(NEWEST), checkpoints / name)
  assert_same_bits(stopped[1], ends(tmp_path / "run", EPOCHS))
  assert {path.name for path in checkpoints.iterdir()} == {str(NEWEST), str(EPOCHS)}


def test_a_checkpoint_that_cannot_be_set_aside_is_an_error(stopped, tmp_path, monkeypatch):
  shutil.copytree(stopped[0], tmp_path / "run")
  (tmp_path / "run" / "checkpoints" / str(NEWEST) / "state" / "digests.json").unlink()

  def forbidden(*paths):
    raise PermissionError(13, "Permission denied")

  monkeypatch.setattr("os.rename", forbidden)
  with pytest.raises(WorkdirError, match=r"checkpoints cannot be written: Permission denied"):
    ends(tmp_path / "run", EPOCHS)


def test_running_out_of_memory_condemns_no_checkpoint(stopped, tmp_path, monkeypatch):
  shutil.copytree(stopped[0], tmp_path / "run")

  def full(*args):
    raise MemoryError

  monkeypatch.setattr(training.Checkpoints, "_read", full)
  with pytest.raises(MemoryError):
    ends(tmp_path / "run", EPOCHS)
  assert (tmp_path / "run" / "checkpoints" / str(NEWEST)).is_dir()


def test_a_failing_background_save_comes_out_and_older_ones_stay(stopped, tmp_path, monkeypatch):
  shutil.copytree(stopped[0], tmp_path / "run")
  finalize = "mer_jax.training.checkpoints.ocp.StandardCheckpointHandler.finalize"

  def full(*args, **kwargs):
    raise OSError(28, "No space left on device")

  with monkeypatch.context() as patched:
    patched.setattr(finalize, full)
    with pytest.raises(WorkdirError, match="checkpoints cannot be written: No space left"):
      ends(tmp_path / "run", EPOCHS)
  assert (tmp_path / "run" / "checkpoints" / str(NEWEST)).is_dir()
  assert_same_bits(stopped[1], ends(tmp_path / "run", EPOCHS))


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
  (tmp_path / "checkpoints").write_text("")
  with pytest.raises(WorkdirError, match="cannot be written"):
    training.Checkpoints(tmp_path / "checkpoints")
