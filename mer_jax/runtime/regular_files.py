"""Files of users, opened only where they are regular files of a size that can be read.

A pipe would be waited for, a device never ends, and an archive may unpack to any size; each of them
is an `OSError` here, which every reader reports as it does a file that is not there.
"""

import errno
import io
import os
import stat
import zipfile
from typing import IO

# Bytes to which an archive of arrays may unpack.
MOST_UNPACKED = 4 * 2**30


def opened(path: str | os.PathLike[str]) -> io.BufferedReader:
  """The regular file `path`, open for reading.

  Raises:
    OSError: it cannot be opened, or is a folder, a pipe, a socket or a device.
  """
  return open(path, "rb", opener=_open)


def read_bytes(path: str | os.PathLike[str], most: int | None = None) -> bytes:
  """The content of the regular file `path`.

  Args:
    path: of the file.
    most: bytes that it may have; None: any number.

  Raises:
    OSError: as by `opened`, or the file is larger.
  """
  with opened(path) as file:
    data = file.read(-1 if most is None else most + 1)
  if most is not None and len(data) > most:
    raise OSError(errno.EFBIG, f"it has more than {most} bytes", os.fspath(path))
  return data


def read_text(path: str | os.PathLike[str], most: int | None = None) -> str:
  """`read_bytes`, decoded from UTF-8.

  Raises:
    OSError: as `read_bytes`.
    UnicodeDecodeError: it is not UTF-8.
  """
  return read_bytes(path, most).decode("utf-8")


def check_unpacked(archive: IO[bytes], most: int = MOST_UNPACKED) -> None:
  """Refuses a zip archive that unpacks to more than `most` bytes; nothing is unpacked for that.

  Args:
    archive: open for reading; read from where it stands afterwards as before.
    most: bytes of all entries together.

  Raises:
    OSError: it unpacks to more.
    zipfile.BadZipFile: it is no zip archive.
  """
  at = archive.tell()
  with zipfile.ZipFile(archive) as entries:
    size = sum(entry.file_size for entry in entries.infolist())
  archive.seek(at)
  if size > most:
    raise OSError(errno.EFBIG, f"it unpacks to {size} bytes; more than {most} are not read")


def _open(path: str, flags: int) -> int:
  # A pipe without a writer is opened at once instead of being waited for.
  handle = os.open(path, flags | os.O_NONBLOCK)
  mode = os.fstat(handle).st_mode
  if stat.S_ISREG(mode):
    return handle
  os.close(handle)
  if stat.S_ISDIR(mode):
    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
  raise OSError(errno.EINVAL, "it is no file but a pipe, a socket or a device", path)
