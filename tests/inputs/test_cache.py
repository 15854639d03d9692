"""What is computed once and found again, and when it is not."""

import os
import pathlib
import signal
import threading
import time

import numpy as np
import pytest
from drawn_frames import drawn
from processes import owner_of

from mer_jax.errors import WorkdirError
from mer_jax.inputs import cache
from mer_jax.runtime import locks


class Counted:
  """A computation that counts how often it ran."""

  def __init__(self):
    self.runs = 0

  def __call__(self):
    self.runs += 1
    return {"flow": np.arange(6, dtype=np.float32).reshape(2, 3), "mask": np.array([True, False])}


@pytest.fixture
def clips():
  return drawn([5, 3])


def test_without_a_folder_it_is_computed_every_time(clips):
  compute = Counted()
  for _ in range(2):
    assert set(cache.NO_CACHE.load_or_compute(clips, "flow", {}, compute)) == {"flow", "mask"}
  assert cache.cache_in("") == cache.cache_in(None) == cache.NO_CACHE
  assert compute.runs == 2


def test_what_is_kept_is_found_again_bit_by_bit(clips, tmp_path):
  compute = Counted()
  kept = cache.cache_in(tmp_path / "new" / "folder").load_or_compute
  first = kept(clips, "flow", {"size": 28}, compute)
  again = kept(clips, "flow", {"size": 28}, compute)
  assert compute.runs == 1
  for name, array in first.items():
    np.testing.assert_array_equal(again[name], array)
    assert again[name].dtype == array.dtype


def test_other_clips_options_or_names_are_computed_anew(clips, tmp_path):
  compute = Counted()
  pixel = clips.frames.copy()
  pixel[0, 0, 0, 0] ^= 1
  other = type(clips)(**{**vars(clips), "frames": pixel})
  apex = type(clips)(**{**vars(clips), "apex": clips.onset})
  assert not np.array_equal(apex.apex, clips.apex)
  kept = cache.cache_in(tmp_path).load_or_compute
  kept(clips, "flow", {"size": 28}, compute)
  for given, name, options in (
    (other, "flow", {"size": 28}),
    (apex, "flow", {"size": 28}),
    (clips.select([1, 0]), "flow", {"size": 28}),
    (clips, "hoof", {"size": 28}),
    (clips, "flow", {"size": 32}),
  ):
    before = compute.runs
    kept(given, name, options, compute)
    assert compute.runs == before + 1


def test_other_code_computes_anew(clips, tmp_path, monkeypatch):
  compute = Counted()
  kept = cache.cache_in(tmp_path).load_or_compute
  kept(clips, "flow", {}, compute)
  monkeypatch.setattr(cache, "_code", lambda: "other")
  kept(clips, "flow", {}, compute)
  assert compute.runs == 2


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04", b"no archive", None])
def test_a_damaged_file_is_computed_again(clips, tmp_path, damage):
  compute = Counted()
  kept = cache.cache_in(tmp_path).load_or_compute
  kept(clips, "flow", {}, compute)
  (file,) = tmp_path.iterdir()
  complete = file.read_bytes()
  file.write_bytes(complete[: len(complete) // 2] if damage is None else damage)
  computed = kept(clips, "flow", {}, compute)
  assert compute.runs == 2
  np.testing.assert_array_equal(computed["flow"], Counted()()["flow"])
  assert file.read_bytes() == complete


# Computes an input slowly, and writes down that it did.
SLOW = """
import pathlib, sys, time
import numpy as np
from drawn_frames import drawn
from mer_jax.inputs import cache
folder, name = map(pathlib.Path, sys.argv[1:])

def compute():
  (folder / name).touch()
  while not (folder / "go").exists():
    time.sleep(0.01)
  return {"flow": np.arange(6, dtype=np.float32)}

cache.cache_in(folder / "kept").load_or_compute(drawn([5, 3]), "flow", {}, compute)
"""


def test_of_several_processes_one_computes_whoever_is_killed_or_stopped(clips, server, tmp_path):
  def start(name):
    path = f"{pathlib.Path(__file__).parent}{os.pathsep}{server.environment['PYTHONPATH']}"
    environment = {**server.environment, "PYTHONPATH": path}
    return server.start(("-c", SLOW, str(tmp_path), name), tmp_path, environment)

  def is_computing(name):
    while not (tmp_path / name).exists():
      time.sleep(0.01)

  killed = start("killed")
  is_computing("killed")
  killed.kill()
  killed.wait(60)
  first = start("first")
  is_computing("first")
  first.send_signal(signal.SIGSTOP)
  second = start("second")
  time.sleep(0.5)
  assert second.poll() is None
  (tmp_path / "go").touch()
  first.send_signal(signal.SIGCONT)
  assert [process.wait(60) for process in (first, second)] == [0, 0]
  assert not (tmp_path / "second").exists()
  (file,) = (tmp_path / "kept").iterdir()
  assert file.suffix == ".npz"


def test_who_waits_is_told_for_whom(tmp_path, monkeypatch, capsys):
  monkeypatch.setattr(locks, "_PATIENCE", 0)
  with owner_of(tmp_path / "kept") as owner:
    threading.Timer(0.3, owner.kill).start()
    with locks.exclusive(tmp_path / "kept", wait=True):
      pass
  assert f"waiting: {tmp_path / 'kept'} is in use by process {owner.pid}" in capsys.readouterr().err


def test_an_error_keeps_nothing(clips, tmp_path):
  def fail():
    raise ValueError("halfway")

  kept = cache.cache_in(tmp_path).load_or_compute
  with pytest.raises(ValueError, match="halfway"):
    kept(clips, "flow", {}, fail)
  assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_named(clips, tmp_path):
  (tmp_path / "file").write_text("in the way")
  kept = cache.cache_in(tmp_path / "file").load_or_compute
  with pytest.raises(WorkdirError, match="file"):
    kept(clips, "flow", {}, Counted())
