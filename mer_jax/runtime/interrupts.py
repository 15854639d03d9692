"""SIGINT, SIGTERM and SIGHUP: training finishes what it is at; everything else may end at once.

Files are written whole or not at all, so a process may end at any moment. What it can lose is work
since the newest checkpoint, and `finishing` is there to lose none; what it can leave is a folder
that is not complete, which `unwinding` gives it time to remove.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator

from mer_jax.errors import Interrupted

# A closed terminal (SIGHUP) asks for the same; nohup and tmux keep it away.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Schedulers, `timeout` and shells often send one request twice, to a process and to its group.
SAME_REQUEST_SECONDS = 0.5


class Request:
  """Somebody's wish that what is under way should stop where it can; true once it was uttered.

  Attributes:
    answer: what happens first, for the line that answers the signal.
    signal: number of the signal, 0 before there was one.
    time: when it came, on the clock time.monotonic.
  """

  def __init__(self, answer: str):
    self.answer = answer
    self.signal = 0
    self.time = 0.0

  def __bool__(self) -> bool:
    return self.signal != 0


_request: Request | None = None
# Whether the thread of `ending_at_once` sees the signals of this process.
_watched = False
# Reentrant: a handler may run while the main thread, which it interrupts, holds it.
_lock = threading.RLock()


@contextlib.contextmanager
def finishing(what: str) -> Iterator[Request]:
  """While inside, a first of `SIGNALS` only makes the request true; a second one acts as ever.

  Outside, handlers are what they were before. Signals that are ignored stay ignored. In another
  thread than the main one, where Python runs no handlers, the request stays false.

  Args:
    what: what is being finished, for the one line that answers the signal.
  """
  with _answering(Request(f"{what} is finished and saved first"), lambda number: None) as request:
    yield request


@contextlib.contextmanager
def unwinding() -> Iterator[None]:
  """While inside, a first of `SIGNALS` stops the main thread; a second one acts as ever.

  What is not complete is removed on the way out. Handlers are treated as by `finishing`.

  Raises:
    Interrupted: a signal came.
  """
  request, raised = Request("what is not complete is removed first"), False

  def stop(number: int) -> None:
    nonlocal raised
    if not raised:
      raised = True
      raise _Stop(number)

  def lost(number: int) -> None:
    nonlocal raised
    raised = False
    threading.Timer(0.05, os.kill, (os.getpid(), number)).start()

  try:
    with _raised_again(lost), _answering(request, stop):
      yield
  except KeyboardInterrupt as error:
    name = signal.Signals(error.args[0] if error.args else signal.SIGINT).name
    raise Interrupted(
      f"{name} stopped the command. What was not complete was removed; the same command begins"
      " again."
    ) from error


class _Stop(KeyboardInterrupt):
  """A signal came, of this number; no library takes it for an error of its own."""


@contextlib.contextmanager
def _raised_again(lost: Callable[[int], None]) -> Iterator[None]:
  """Within this, a `_Stop` that is raised in a destructor, which ends there, calls `lost`."""
  hook = sys.unraisablehook

  def unraisable(echo) -> None:
    if isinstance(echo.exc_value, _Stop):
      lost(*echo.exc_value.args)
    else:
      hook(echo)

  sys.unraisablehook = unraisable
  try:
    yield
  finally:
    sys.unraisablehook = hook


@contextlib.contextmanager
def _answering(request: Request, seen: Callable[[int], None]) -> Iterator[Request]:
  """`finishing`, in which the main thread calls `seen` with the number of every signal."""
  global _request
  outer = _request
  if threading.current_thread() is not threading.main_thread():
    yield request
    return
  before = {int(number): signal.getsignal(number) for number in SIGNALS}

  def end(number: int) -> None:
    signal.signal(number, before[number])
    signal.raise_signal(number)

  def handler(number, frame) -> None:
    if not _watched:
      _arrived(number, end)
    seen(number)

  _request = request
  try:
    with _handlers(handler):
      yield request
  finally:
    with _lock:
      _request = outer


@contextlib.contextmanager
def ending_at_once(end: Callable[[int], None]) -> Iterator[None]:
  """While inside and not `finishing`, these signals call `end`, whatever is being computed.

  Python's own handlers wait until the compiler or the device returns, which may take minutes; the
  thread that is started here sees a signal as it comes. For the outermost function of a program,
  in its main thread; elsewhere, and inside of another one, nothing happens.

  Args:
    end: takes the number of the signal and ends the process; is called in another thread.
  """
  global _watched
  if _watched or threading.current_thread() is not threading.main_thread():
    yield
    return
  read, write = os.pipe()
  os.set_blocking(write, False)
  outer = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
  watcher = threading.Thread(target=_watch, args=(read, end), name="signals", daemon=True)
  watcher.start()
  _watched = True
  try:
    with _handlers(lambda number, frame: None):
      yield
  finally:
    _watched = False
    signal.set_wakeup_fd(outer)
    os.close(write)  # the watcher then reads the end of the pipe
    watcher.join()
    os.close(read)


@contextlib.contextmanager
def _handlers(handler) -> Iterator[None]:
  """Installs `handler` for every signal that is not ignored; what was there comes back."""
  before = {number: signal.getsignal(number) for number in SIGNALS}
  # None stands for a handler that was not installed by Python and could not be put back.
  taken = {n: old for n, old in before.items() if old not in (signal.SIG_IGN, None)}
  try:
    for number in taken:
      signal.signal(number, handler)
    yield
  finally:
    for number, old in taken.items():
      signal.signal(number, old)


def _watch(read: int, end: Callable[[int], None]) -> None:
  while arrived := os.read(read, 1):
    if arrived[0] in SIGNALS:
      _arrived(arrived[0], end)


def _arrived(number: int, end: Callable[[int], None]) -> None:
  with _lock:
    request = _request
    now = time.monotonic()
    first = request is not None and not request
    if request is not None and first:
      request.signal, request.time = number, now
  if request is None or (not first and now - request.time > SAME_REQUEST_SECONDS):
    end(number)
  elif first:
    # A handler may have interrupted somebody who is just writing to the same stream.
    with contextlib.suppress(RuntimeError, OSError, ValueError):
      name = signal.Signals(number).name
      print(
        f"\n{name}: {request.answer}; once more to stop at once.",
        file=sys.stderr,
        flush=True,
      )
