"""Standard output and standard error that fail no command: closed, full, or of few letters.

What a run computes is in files. Whether somebody reads what it prints must decide nothing.
"""

import contextlib
import errno
import io
import os
import sys
import time
from collections.abc import Iterator
from typing import Any, TextIO

from mer_jax.errors import shown

# What could not be printed is written into the folder of the results as this file.
FILE = "unprinted.txt"
_MOST = 1 << 20  # characters that are kept, the first ones


class Output:
  """A text stream on which everything can be printed, also after it has failed.

  Attributes:
    failure: the first error of the stream beneath; None while it works.
  """

  def __init__(self, stream: TextIO):
    self._stream = stream
    self._began = ""
    self._unprinted = io.StringIO()
    self.failure: OSError | None = None

  def write(self, text: str) -> int:
    """Writes `text`; returns its length."""
    if self.failure is None:
      try:
        return self._stream.write(text)
      except UnicodeEncodeError:
        return self._stream.write(_printable(text, self._stream.encoding))
      except OSError as error:
        self._failed(error)
    if self._unprinted.tell() < _MOST:
      self._unprinted.write(text)
    return len(text)

  def flush(self) -> None:
    """Hands on what was written."""
    if self.failure is None:
      try:
        self._stream.flush()
      except OSError as error:
        self._failed(error)

  def note(self) -> str:
    """When and why the stream failed, and what was to be printed since; "" where it did not."""
    if self.failure is None:
      return ""
    reason = self.failure.strerror or str(self.failure)
    since = self._unprinted.getvalue()
    more = "... and more\n" if len(since) >= _MOST else ""
    return (
      f"{self._began}: {self._stream.name} could not be written any more: {reason}.\n{since}{more}"
    )

  def __getattr__(self, name: str) -> Any:
    return getattr(self._stream, name)

  def _failed(self, error: OSError) -> None:
    self.failure, self._began = error, time.strftime("%Y-%m-%d %H:%M:%S")
    # What is still in the buffer, and what C libraries print, goes nowhere from here on.
    with contextlib.suppress(OSError, ValueError):
      nowhere = os.open(os.devnull, os.O_WRONLY)
      os.dup2(nowhere, self._stream.fileno())
      os.close(nowhere)


@contextlib.contextmanager
def unfailing() -> Iterator[tuple[Output, Output]]:
  """While inside, sys.stdout and sys.stderr are `Output`s; they are flushed at the end."""
  if isinstance(sys.stdout, Output) and isinstance(sys.stderr, Output):
    yield sys.stdout, sys.stderr
    return
  _open_missing()
  before = sys.stdout, sys.stderr
  nowhere = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
  own = Output(before[0] or nowhere), Output(before[1] or nowhere)
  for stream in before:
    # Where a log is read while a run goes on, lines should come as they are printed.
    with contextlib.suppress(AttributeError, ValueError, OSError):
      stream.reconfigure(line_buffering=True)  # pyrefly: ignore[missing-attribute]
  sys.stdout, sys.stderr = own
  try:
    yield own
  finally:
    for stream in own:
      stream.flush()
    sys.stdout, sys.stderr = before
    nowhere.close()


def is_left(error: OSError) -> bool:
  """Whether a reader left, as `head` does, who has seen enough: no failure of a list."""
  return error.errno == errno.EPIPE


def _printable(text: str, encoding: str | None) -> str:
  """`text` with escapes for what `encoding` has no letters for."""
  encoding = encoding or "ascii"
  return shown(text).encode(encoding, "backslashreplace").decode(encoding)


def _open_missing() -> None:
  """Opens descriptors 0 to 2 where they are closed: the next file would get their numbers."""
  for number in range(3):
    try:
      os.fstat(number)
    except OSError:
      os.open(os.devnull, os.O_RDWR)
