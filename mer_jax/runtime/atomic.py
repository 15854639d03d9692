"""Files that are either the old one or the new one, never half of one."""

import contextlib
import os
import pathlib
import platform
import re
import tempfile
from collections.abc import Iterator

from mer_jax.errors import WorkdirError, shown

# Temporary names tell who writes them, so that those of the dead can be told from the others.
_HOST = re.sub(r"[^\w.]", "_", platform.node()) or "localhost"
_TEMPORARY = re.compile(r"\..*\.tmp-(?P<host>[\w.]+)-(?P<process>\d+)-\w+(\.\w+)?")


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
  """Writes `data` to a temporary name beside `path`, flushes it to disk, then renames.

  Raises:
    WorkdirError: the disk is full or the folder cannot be written; `path` is then as it was before.
  """
  path = pathlib.Path(path)
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary_beside(path) as temporary:
      with open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
      os.replace(temporary, path)
  except OSError as error:
    raise cannot_write(path, error) from error


def write_text(path: str | os.PathLike[str], text: str) -> None:
  """`write_bytes` of `text` in UTF-8, as `errors.shown` has it."""
  write_bytes(path, shown(text).encode("utf-8"))


def append_text(path: str | os.PathLike[str], text: str) -> None:
  """Adds `text`, in UTF-8 as `errors.shown` has it, to the end of a file, creating it if absent.

  A process that is killed meanwhile may leave a part of `text`.

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


def cannot_write(path: str | os.PathLike[str], error: Exception) -> WorkdirError:
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
  """A fresh name in the folder of `path`, with its suffix; removed if still there at the end."""
  handle, name = tempfile.mkstemp(
    dir=path.parent, prefix=temporary_prefix(path.stem), suffix=path.suffix
  )
  os.close(handle)
  # mkstemp makes files only their owner can read; results are meant to be shared.
  os.chmod(name, 0o666 & ~_umask())
  temporary = pathlib.Path(name)
  try:
    yield temporary
  finally:
    temporary.unlink(missing_ok=True)


def temporary_prefix(stem: str) -> str:
  """How the name of a temporary file or folder of this process begins, see `is_abandoned`."""
  return f".{stem}.tmp-{_HOST}-{os.getpid()}-"


def is_abandoned(path: pathlib.Path) -> bool:
  """Whether `path` has a temporary name of this module whose writer, on this host, is dead.

  This process counts as dead: whoever asks has not begun to write.
  """
  match = _TEMPORARY.fullmatch(path.name)
  if match is None or match["host"] != _HOST:
    return False
  return not _other_process_lives(int(match["process"]))


def _reason(error: Exception) -> str:
  """What the system said, also where a library wrapped it into an error of its own."""
  code = re.search(r"os_error_code='(\d+)'", str(error))
  if isinstance(error, OSError) and error.strerror:
    return error.strerror
  return os.strerror(int(code[1])) if code else f"{type(error).__name__}: {error}"


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
