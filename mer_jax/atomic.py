"""Files that are either the old one or the new one, never half of one."""

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Iterator


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
  """Writes `data` to a temporary name beside `path`, flushes it to disk, then renames.

  Raises:
    OSError: the disk is full or the folder cannot be written; `path` is then as it was before.
  """
  path = pathlib.Path(path)
  path.parent.mkdir(parents=True, exist_ok=True)
  with temporary_beside(path) as temporary:
    with open(temporary, "wb") as file:
      file.write(data)
      file.flush()
      os.fsync(file.fileno())
    os.replace(temporary, path)


def write_text(path: str | os.PathLike[str], text: str) -> None:
  """`write_bytes` of `text` in UTF-8."""
  write_bytes(path, text.encode("utf-8"))


@contextlib.contextmanager
def temporary_beside(path: pathlib.Path) -> Iterator[pathlib.Path]:
  """A fresh name in the folder of `path`, with its suffix; removed if still there at the end."""
  handle, name = tempfile.mkstemp(
    dir=path.parent, prefix=f".{path.stem}.", suffix=f".tmp{path.suffix}"
  )
  os.close(handle)
  # mkstemp makes files only their owner can read; results are meant to be shared.
  os.chmod(name, 0o666 & ~_umask())
  temporary = pathlib.Path(name)
  try:
    yield temporary
  finally:
    temporary.unlink(missing_ok=True)


def _umask() -> int:
  mask = os.umask(0)
  os.umask(mask)
  return mask
