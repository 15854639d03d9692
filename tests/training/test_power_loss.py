"""Wherever the power goes, the same command leaves what it would have left without that."""

import json

import jax
import numpy as np
import power
import pytest
from problems import problem, program

from mer_jax import training
from mer_jax.experiment.selection import snapshots
from mer_jax.runtime import atomic

NAMES = tuple(f"casme2/sub{f:02d}" for f in range(5))
EPOCHS = 4


def train(loso, folder):
  """The state after all epochs, on the host, and the text of both logs."""
  paths = [folder / "run" / name for name in ("history.jsonl", "snapshots.jsonl")]
  history = training.History(paths[:1], (0, 1), NAMES)
  recorder = snapshots.Snapshots({paths[1]: lambda p: {"probabilities": p}}, 1)
  with training.Checkpoints(folder / "run" / "checkpoints", keep=1) as checkpoints:
    state = training.train(loso, training.Plan(EPOCHS, 1, 2), checkpoints, history, recorder)
  return jax.device_get(state), [path.read_text() for path in paths]


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
  """The program, what it leaves, and every moment at which the power may go meanwhile."""
  root, loso = tmp_path_factory.mktemp("disk"), program("ststnet", problem("image"))
  with pytest.MonkeyPatch.context() as monkeypatch:
    disk = power.Disk(root, monkeypatch)
    result = train(loso, root)
    disk.close()
  return loso, result, disk.cuts


@pytest.mark.parametrize("kind", ["synchronised", "written"])
def test_a_run_goes_on_after_a_power_loss_at_every_moment(kind, watched, tmp_path, capfd):
  loso, (state, texts), cuts = watched
  contents = [getattr(cut, kind) for cut in cuts]
  different = [c for n, c in enumerate(contents) if c not in contents[:n]]
  assert len(different) > 8
  for n, content in enumerate(different):
    power.restore(content, tmp_path / str(n))
    again, logs = train(loso, tmp_path / str(n))
    for x, y in zip(jax.tree.leaves(state), jax.tree.leaves(again), strict=True):
      np.testing.assert_array_equal(x, y)
    assert logs == texts
  # With the last checkpoint that was on disk, there always is something to go on from.
  assert "begins again" not in capfd.readouterr().err


def test_logs_are_never_behind_the_checkpoint(watched):
  behind = 0
  for cut in watched[2]:
    names = cut.synchronised
    epochs = [
      int(n.split("/")[2])
      for n in names
      if n.endswith("state/digests.json") and n.split("/")[2].isdecimal()
    ]
    for log in ("run/history.jsonl", "run/snapshots.jsonl"):
      lines = (names.get(log) or b"").decode().splitlines()
      done = max((json.loads(line)["epoch"] for line in lines), default=0)
      assert done >= max(epochs, default=0)
      behind += bool(epochs)
  assert behind


def test_a_file_that_was_written_is_there_with_its_name(tmp_path, monkeypatch):
  disk = power.Disk(tmp_path, monkeypatch)
  atomic.write_text(tmp_path / "a" / "b" / "result.json", "first")
  atomic.write_text(tmp_path / "a" / "b" / "result.json", "second")
  disk.close()
  last = disk.cuts[-1].synchronised
  assert last["a/b/result.json"] == b"second"
  # Never anything between nothing, the first and the second.
  contents = [cut.synchronised.get("a/b/result.json") for cut in disk.cuts]
  assert [c for n, c in enumerate(contents) if c not in contents[:n]] == [None, b"first", b"second"]
