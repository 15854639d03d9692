"""Folders that one process at a time may write: a lock that its owner's death releases.

The kernel holds the lock (flock), so a killed owner leaves none, a stopped one keeps it, and a
woken one finds it still its own. Where a file system has no such locks, what the file says decides:
whom it names, and whether that process still lives on this host.
"""

import contextlib
import errno
import fcntl
import json
import os
import pathlib
import platform
import sys
import time
from collections.abc import Iterator

from mer_jax.errors import WorkdirError
from mer_jax.runtime import atomic

FILE = ".lock"
# What the kernel answers where a file system cannot lock.
_UNABLE = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}
_PATIENCE = 2.0  # seconds after which a line tells for whom somebody waits
# Folders that this process holds, and how often.
_held: dict[pathlib.Path, int] = {}


@contextlib.contextmanager
def exclusive(folder: str | os.PathLike[str], *, wait: bool = False) -> Iterator[None]:
  """While inside, no other process is inside for the same folder; this one may be again.

  The folder is created if absent, and removed at the end if nothing but the lock was in it.

  Args:
    folder: any folder.
    wait: for as long as another process is inside, with a line on standard error that names it.

  Raises:
    WorkdirError: another process is inside, which it names; or the folder cannot be written.
  """
  folder = pathlib.Path(folder).expanduser().resolve()
  outer = _held.get(folder, 0)
  file = None if outer else (_awaited if wait else _acquired)(folder)
  _held[folder] = outer + 1
  try:
    yield
  finally:
    _held[folder] = outer
    if file is not None:
      _release(folder, file)


class _InUse(WorkdirError):
  """Another process is inside."""


def _awaited(folder: pathlib.Path) -> int:
  """`_acquired`, as soon as that can be."""
  began, named = time.monotonic(), False
  while True:
    try:
      return _acquired(folder)
    except _InUse as error:
      if not named and time.monotonic() - began > _PATIENCE:
        print(f"\nwaiting: {error}", file=sys.stderr, flush=True)
        named = True
    time.sleep(0.05)


def _acquired(folder: pathlib.Path) -> int:
  """The descriptor of the locked file."""
  path = folder / FILE
  try:
    while True:
      try:
        atomic.make_folder(folder)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
      except FileNotFoundError:  # its last owner removed the folder in between
        continue
      try:
        _lock(file, folder)
      except BaseException:
        os.close(file)
        raise
      if not _is_there(path, file):
        os.close(file)  # its last owner removed it in between
        continue
      try:
        _write_owner(file)
      except BaseException:  # the disk is full
        _release(folder, file)
        raise
      return file
  except OSError as error:
    with contextlib.suppress(OSError):  # no room for the lock itself
      folder.rmdir()
    raise WorkdirError(f"{folder} cannot be locked: {error.strerror or error}.") from error


def _lock(file: int, folder: pathlib.Path) -> None:
  try:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except BlockingIOError as error:
    raise _in_use(folder, _owner(file)) from error
  except OSError as error:
    if error.errno not in _UNABLE:
      raise
    owner = _owner(file)
    if owner and not _is_dead(owner):
      raise _in_use(folder, owner) from error


def _in_use(folder: pathlib.Path, owner: dict) -> _InUse:
  if not owner:
    return _InUse(f"{folder} is in use by another process. Wait until that has ended.")
  return _InUse(
    f"{folder} is in use by process {owner.get('process')} on {owner.get('host')}, since"
    f" {owner.get('time')} ({owner.get('command')}). Wait until that has ended, or end it; if there"
    f" is no such process any more, remove {folder / FILE}."
  )


def _is_dead(owner: dict) -> bool:
  """Whether the process that `owner` names has lived on this host, and lives no more."""
  if owner.get("host") != platform.node():
    return False
  try:
    os.kill(int(owner["process"]), 0)
  except ProcessLookupError:
    return True
  except (KeyError, ValueError, OSError, OverflowError):
    return False
  return False


def _owner(file: int) -> dict:
  """What the file says of its owner; empty where it says nothing that can be read."""
  try:
    owner = json.loads(os.pread(file, 4096, 0).decode("utf-8"))
  except (OSError, ValueError):
    return {}
  return owner if isinstance(owner, dict) else {}


def _write_owner(file: int) -> None:
  owner = {
    "process": os.getpid(),
    "host": platform.node(),
    "time": time.strftime("%Y-%m-%d %H:%M:%S"),
    "command": " ".join(sys.argv)[:500],
  }
  os.ftruncate(file, 0)
  os.pwrite(file, json.dumps(owner).encode("utf-8", "backslashreplace"), 0)


def _is_there(path: pathlib.Path, file: int) -> bool:
  with contextlib.suppress(FileNotFoundError):
    return os.path.samestat(os.stat(path), os.fstat(file))
  return False


def _release(folder: pathlib.Path, file: int) -> None:
  # While it is still held: whoever opens the name afterwards makes a new file.
  with contextlib.suppress(OSError):
    if _is_there(folder / FILE, file):
      os.unlink(folder / FILE)
  os.close(file)
  with contextlib.suppress(OSError):  # it holds something, as it mostly does
    folder.rmdir()
