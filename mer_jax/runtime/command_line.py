"""How every command parses its line and ends: an error is one line and an exit code."""

import argparse
import difflib
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

from mer_jax.errors import ConfigError, Interrupted, MerError, WorkdirError
from mer_jax.runtime import interrupts


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
  try:
    if overrides:
      options, rest = parser.parse_known_args(arguments)
      options.overrides = rest
    else:
      options = parser.parse_intermixed_args(arguments)
    return command(options)
  except BrokenPipeError:
    # Whoever read the output has seen enough; what is still in the buffer must not fail at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
  except (Exception, KeyboardInterrupt) as error:
    if "--debug" in arguments:
      traceback.print_exc()
    return report(_expected(error))


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


def _expected(error: BaseException) -> MerError:
  """`error` itself where it is meant for users, otherwise what they can do about it."""
  if isinstance(error, MerError):
    return error
  if isinstance(error, KeyboardInterrupt):
    return Interrupted("Ctrl-C. The same command begins again where this one stopped.")
  if isinstance(error, OSError):
    return WorkdirError(f"A file or folder cannot be used: {error}")
  text = " ".join(str(error).split()) or "no message"
  return MerError(
    f"Not foreseen, and so a fault of mer_jax: {type(error).__name__}: {text}. The same command"
    " with --debug shows where it happened; please report that."
  )
