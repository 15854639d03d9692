"""Files that are either the old one or the new one, never half of one, after a power loss too.

What a process has written may be lost with the power until it was synchronised: the content of a
file by itself, and its name by its folder.
"""

import concurrent.futures
import contextlib
import errno
import os
import pathlib
import platform
import re
import tempfile
import threading
from collections.abc import Iterator

from mer_jax.errors import WorkdirError, shown

# What a disk can have against being written, by what the system calls it.
_OF_DISKS = tuple(
  os.strerror(code)
  for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES)
)
# Temporary names tell who writes them, so that those of the dead can be told from the others.
_HOST = re.sub(r"[^\w.]", "_", platform.node()) or "localhost"
_TEMPORARY = re.compile(r"\..*\.tmp-(?P<host>[\w.]+)-(?P<process>\d+)-\w+(\.\w+)?")
# Names of temporary files that threads of this process are writing.
_writing: set[str] = set()
_lock = threading.Lock()


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
  """Writes `data` to a temporary name beside `path`, then renames; all of it is on disk afterwards.

  Raises:
    WorkdirError: the disk is full or the folder cannot be written; `path` is then as it was before.
  """
  path = pathlib.Path(path)
  try:
    make_folder(path.parent)
    with temporary_beside(path) as temporary:
      with open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
      os.replace(temporary, path)
    synchronise(path.parent)
  except OSError as error:
    raise cannot_write(path, error) from error


def write_text(path: str | os.PathLike[str], text: str) -> None:
  """`write_bytes` of `text` in UTF-8, as `errors.shown` has it."""
  write_bytes(path, shown(text).encode("utf-8"))


def append_text(path: str | os.PathLike[str], text: str) -> None:
  """Adds `text`, in UTF-8 as `errors.shown` has it, to the end of a file, creating it if absent.

  A process that is killed meanwhile may leave a part of `text`, and a power loss none of what came
  after `synchronise`.

  Raises:
    WorkdirError: the disk is full or the file cannot be written; it then is as it was before.
  """
  try:
    with open(path, "ab", buffering=0) as file:
      length = file.seek(0, os.SEEK_END)
      try:
        data = memoryview(shown(text).encode("utf-8"))
        while data:  # the last bytes that fit are written without an error
          data = data[file.write(data) :]
      except OSError:
        file.truncate(length)
        raise
  except OSError as error:
    raise cannot_write(path, error) from error


def make_folder(path: str | os.PathLike[str]) -> None:
  """Creates a folder, with those it lies in, where absent; it is on disk afterwards.

  Raises:
    OSError: it cannot be created.
  """
  path = pathlib.Path(path)
  if path.is_dir():
    return
  if path.parent != path:
    make_folder(path.parent)
  path.mkdir(exist_ok=True)
  synchronise(path.parent)


def synchronise(path: str | os.PathLike[str]) -> None:
  """Returns when the content of a file, or the names in a folder, would outlast a power loss.

  Where that cannot be had, of a folder without the right to list it or on a file system of a
  network that knows no such thing, nothing happens.

  Raises:
    OSError: there is no such file or folder, or the disk failed.
  """
  try:
    descriptor = os.open(path, os.O_RDONLY)
  except PermissionError:
    return
  try:
    os.fsync(descriptor)
  except OSError as error:
    if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
      raise
  finally:
    os.close(descriptor)


def synchronise_tree(folder: str | os.PathLike[str]) -> None:
  """`synchronise` of a folder, its own name in the one around it, and everything in it.

  Raises:
    OSError: as `synchronise`.
  """
  folder = pathlib.Path(folder)
  # Side by side, since a file system writes for many at once: 15,000 frames in 2 s instead of 90.
  with concurrent.futures.ThreadPoolExecutor(16) as pool:
    for _ in pool.map(synchronise, [folder, *folder.rglob("*")]):
      pass
  synchronise(folder.parent)


def cannot_write(path: str | os.PathLike[str], error: BaseException) -> WorkdirError:
  """The error to raise where `error` kept somebody from writing `path`, a file or a folder."""
  return WorkdirError(
    f"{os.fspath(path)} cannot be written: {_reason(error)}. What was there before is intact. Make"
    " room or give the right to write, then start the same command again."
  )


def check_name(folder: str | os.PathLike[str]) -> None:
  """Refuses a folder whose path is not UTF-8: the libraries of checkpoints and data open none.

  Raises:
    WorkdirError: shows the path, with escapes for what is not UTF-8.
  """
  path = os.path.abspath(folder)
  if shown(path) != path:
    raise WorkdirError(
      f"{shown(path)} cannot be written: its name is not UTF-8 (see the escapes), and the libraries"
      " that write checkpoints and prepared data open no such folder. Use one of another name; what"
      " is only read may have any."
    )


@contextlib.contextmanager
def temporary_beside(path: pathlib.Path) -> Iterator[pathlib.Path]:
  """A fresh name in the folder of `path`, with its suffix; removed if still there at the end.

  Files that killed writers left in that folder are removed first.
  """
  with _lock:
    _remove_abandoned(path.parent)
    handle, name = tempfile.mkstemp(
      dir=path.parent, prefix=temporary_prefix(path.stem), suffix=path.suffix
    )
    temporary = pathlib.Path(name)
    _writing.add(temporary.name)
  try:
    os.close(handle)
    # mkstemp makes files only their owner can read; results are meant to be shared.
    os.chmod(name, 0o666 & ~_umask())
    yield temporary
  finally:
    temporary.unlink(missing_ok=True)
    _writing.discard(temporary.name)


def _remove_abandoned(folder: pathlib.Path) -> None:
  for file in folder.glob(".*.tmp-*"):
    if is_abandoned(file):
      with contextlib.suppress(OSError):  # a folder, or another process was quicker
        file.unlink()


def temporary_prefix(stem: str) -> str:
  """How the name of a temporary file or folder of this process begins, see `is_abandoned`."""
  return f".{stem}.tmp-{_HOST}-{os.getpid()}-"


def is_abandoned(path: pathlib.Path) -> bool:
  """Whether `path` has a temporary name of this module whose writer, on this host, is dead.

  A name of this process that it is not writing is that of a dead one with the same number.
  """
  match = _TEMPORARY.fullmatch(path.name)
  if match is None or match["host"] != _HOST or path.name in _writing:
    return False
  return not _other_process_lives(int(match["process"]))


def is_from_system(error: BaseException) -> bool:
  """Whether a library wrapped into `error`, of its own kind, that a disk could not be written."""
  return isinstance(error, RuntimeError) and any(reason in str(error) for reason in _OF_DISKS)


def _reason(error: BaseException) -> str:
  """What the system said, also where a library wrapped it into an error of its own."""
  code = re.search(r"os_error_code='(\d+)'", str(error))
  if isinstance(error, OSError) and error.strerror:
    return error.strerror
  if code:
    return os.strerror(int(code[1]))
  named = (reason for reason in _OF_DISKS if reason in str(error))
  return next(named, f"{type(error).__name__}: {error}")


def _umask() -> int:
  mask = os.umask(0)
  os.umask(mask)
  return mask


def _other_process_lives(process: int) -> bool:
  if process == os.getpid():
    return False
  if os.name == "nt":  # there, os.kill(process, 0) would end it
    return True
  try:
    os.kill(process, 0)
  except ProcessLookupError:
    return False
  except (OSError, OverflowError):
    return True
  return True
