"""How every command parses its line and ends: an error is one line and an exit code."""

import argparse
import contextlib
import difflib
import os
import pathlib
import re
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

from mer_jax.errors import ConfigError, Interrupted, MerError, WorkdirError
from mer_jax.runtime import atomic, interrupts, outputs


class Parser(argparse.ArgumentParser):
  """argparse's parser with --debug and without abbreviations; a mistake is a `ConfigError`.

  The description and epilog keep their line breaks.
  """

  def __init__(self, **options) -> None:
    super().__init__(
      formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **options
    )
    self.add_argument(
      "--debug", action="store_true", help="show the traceback of an error before its message"
    )

  def error(self, message: str) -> NoReturn:
    _, _, unknown = message.partition("unrecognized arguments: ")
    options = [option for action in self._actions for option in action.option_strings]
    near = difflib.get_close_matches(re.split("[= ]", unknown)[0], options, n=1) if unknown else []
    hint = f" Did you mean {near[0]}?" if near else ""
    raise ConfigError(
      f"{message[:1].upper()}{message[1:]}.{hint} {self.prog} --help shows what there is."
    )


def execute(
  parser: argparse.ArgumentParser,
  command: Callable[[argparse.Namespace], int],
  arguments: Sequence[str] | None = None,
  *,
  overrides: bool = False,
) -> int:
  """Parses `arguments` (None: those of the process) and runs `command` with them.

  Args:
    parser: what knows the arguments.
    command: from parsed arguments to the exit code.
    arguments: without the program's name.
    overrides: whether arguments that `parser` does not know are left to the command, as
      `options.overrides`.

  Returns:
    The exit code; of an error, after its message has been printed on standard error.
  """
  arguments = list(sys.argv[1:] if arguments is None else arguments)
  with outputs.unfailing() as streams:
    options, code = _executed(parser, command, arguments, overrides)
    return _with_unprinted(streams, options, code)


def run_process(main: Callable[[], int]) -> NoReturn:
  """Ends this process with the exit code of `main`, or at once when a signal comes."""
  with interrupts.ending_at_once(end):
    sys.exit(main())


def end(number: int) -> None:
  """Ends the process where it is: whatever it was writing is the old file or the new one.

  Args:
    number: of the signal that asked for it.
  """

  def print_reason() -> None:
    report(
      Interrupted(
        f"{signal.Signals(number).name} ended the run at once. Nothing that was saved is lost; the"
        " same command goes on from there, or begins again."
      )
    )
    sys.stdout.flush()

  # In a thread: whoever blocks on a full pipe holds the lock of its stream, and is to end too.
  printing = threading.Thread(target=print_reason, daemon=True)
  printing.start()
  printing.join(timeout=1)
  os._exit(Interrupted.exit_code)


def report(error: MerError) -> int:
  """Prints the message of `error` on standard error; returns the exit code of its class."""
  kind = "stopped" if isinstance(error, Interrupted) else "error"
  print(f"\n{kind}: {error}", file=sys.stderr, flush=True)
  return error.exit_code


def _executed(
  parser: argparse.ArgumentParser,
  command: Callable[[argparse.Namespace], int],
  arguments: list[str],
  overrides: bool,
) -> tuple[argparse.Namespace, int]:
  """The options, as far as they could be read, and the exit code."""
  options = argparse.Namespace()
  try:
    if overrides:
      options, rest = parser.parse_known_args(arguments)
      options.overrides = rest
    else:
      options = parser.parse_intermixed_args(arguments)
    return options, command(options)
  except (Exception, KeyboardInterrupt) as error:
    if "--debug" in arguments:
      traceback.print_exc()
    return options, report(_expected(error))


def _with_unprinted(
  streams: Sequence[outputs.Output], options: argparse.Namespace, code: int
) -> int:
  """The exit code, after what could not be printed went into the folder of the results.

  Of a command that leaves no files, a full standard output is an error of its own.
  """
  for stream in streams:
    stream.flush()
  notes = [stream.note() for stream in streams if stream.failure]
  if not notes:
    return code
  # Of a build, the data are what it leaves; others read them.
  names = ("workdir", "out", *(("data_dir",) if hasattr(options, "manual_dir") else ()))
  places = [getattr(options, name, None) for name in names]
  folder = next((pathlib.Path(place).expanduser() for place in places if place), None)
  if folder is None:
    failure = streams[0].failure
    full = failure is not None and not outputs.is_left(failure)
    return report(atomic.cannot_write("standard output", failure)) if full and not code else code
  if folder.is_dir() and code not in (ConfigError.exit_code, WorkdirError.exit_code):
    with contextlib.suppress(WorkdirError):  # no room there either
      atomic.write_text(folder / outputs.FILE, "\n".join(notes))
  return code


def _expected(error: BaseException) -> MerError:
  """`error` itself where it is meant for users, otherwise what they can do about it."""
  if isinstance(error, MerError):
    return error
  if isinstance(error, KeyboardInterrupt):
    return Interrupted("Ctrl-C. The same command begins again where this one stopped.")
  if isinstance(error, OSError):
    return WorkdirError(f"A file or folder cannot be used: {error}")
  if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
    reason = " ".join(str(error).split())[:300]
    return MerError(
      f"There is not enough memory: {reason or 'no more was given'}. Make the input, the model or"
      " the batch smaller, or lower the number of seeds; `ulimit -v` shows whether the shell allows"
      " less than the machine has."
    )
  text = " ".join(str(error).split()) or "no message"
  return MerError(
    f"Not foreseen, and so a fault of mer_jax: {type(error).__name__}: {text}. The same command"
    " with --debug shows where it happened; please report that."
  )
