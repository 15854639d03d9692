"""A folder is one process's at a time; whatever becomes of its owner, the next one gets it."""

import errno
import fcntl
import json
import platform
import signal

import pytest
from processes import owner_of

from mer_jax import errors
from mer_jax.runtime import locks


@pytest.fixture
def owner(tmp_path):
  """Another process that is inside for the folder "run"."""
  with owner_of(tmp_path / "run") as process:
    yield process


def test_a_second_process_is_told_who_is_inside(owner, tmp_path):
  says = rf"in use by process {owner.pid} on {platform.node()}, since \d{{4}}-.* Wait until"
  with pytest.raises(errors.WorkdirError, match=says), locks.exclusive(tmp_path / "run"):
    pass
  # Stopped, it may be woken: it goes on owning the folder.
  owner.send_signal(signal.SIGSTOP)
  with pytest.raises(errors.WorkdirError, match="in use"), locks.exclusive(tmp_path / "run"):
    pass
  owner.send_signal(signal.SIGCONT)
  owner.communicate("")
  with locks.exclusive(tmp_path / "run"):
    pass


def test_a_killed_owner_leaves_no_lock(owner, tmp_path):
  owner.kill()
  owner.wait()
  assert (tmp_path / "run" / locks.FILE).is_file()
  with locks.exclusive(tmp_path / "run"):
    owner_of_now = json.loads((tmp_path / "run" / locks.FILE).read_text())
    assert owner_of_now["process"] != owner.pid
  assert not (tmp_path / "run").exists()


def test_the_same_process_may_enter_again_and_what_was_made_stays(tmp_path):
  with locks.exclusive(tmp_path / "run"):
    with locks.exclusive(tmp_path / "run"):
      (tmp_path / "run" / "file").touch()
    assert (tmp_path / "run" / locks.FILE).is_file()
  assert [path.name for path in (tmp_path / "run").iterdir()] == ["file"]


@pytest.mark.parametrize(
  ("owner", "free"),
  [
    ({"host": platform.node(), "process": 2**22 + 1}, True),
    ({"host": platform.node(), "process": 1}, False),
    ({"host": "elsewhere", "process": 2**22 + 1}, False),
    ({"host": platform.node(), "process": "x"}, False),
    ("no json", True),
  ],
)
def test_without_locks_of_the_kernel_the_file_decides(owner, free, tmp_path, monkeypatch):
  def unable(*_):
    raise OSError(errno.ENOLCK, "No locks available")

  monkeypatch.setattr(fcntl, "flock", unable)
  (tmp_path / locks.FILE).write_text(owner if isinstance(owner, str) else json.dumps(owner))
  if free:
    with locks.exclusive(tmp_path):
      pass
    return
  with pytest.raises(errors.WorkdirError, match="in use"), locks.exclusive(tmp_path):
    pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
  (tmp_path / "file").touch()
  with (
    pytest.raises(errors.WorkdirError, match=r"file.*cannot be locked"),
    locks.exclusive(tmp_path / "file"),
  ):
    pass
