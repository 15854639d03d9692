"""What a user did wrong or what stopped a run, said so that they can put it right or go on.

Every error below is expected: the command line prints its message without a traceback and leaves
with the class' `exit_code`. Anything else that escapes is a bug of ours and keeps its traceback.
A message says what came, what was expected, and what to do.
"""

import difflib
from collections.abc import Iterable


class MerError(Exception):
  """Base of every error that a user can put right; exit code 1."""

  exit_code = 1


class ConfigError(MerError):
  """A config names something that does not exist or does not fit together; exit code 2."""

  exit_code = 2


class DataError(MerError):
  """A corpus or a prepared dataset is absent, damaged or not what it claims; exit code 3."""

  exit_code = 3


class ProtocolError(MerError):
  """The clips at hand cannot carry out the protocol that was asked for; exit code 4."""

  exit_code = 4


class WorkdirError(MerError):
  """A workdir holds another run, or cannot be written or read; exit code 5."""

  exit_code = 5


class TrainingError(MerError):
  """Training left the finite numbers; exit code 6."""

  exit_code = 6


class Interrupted(MerError):
  """A signal stopped the run, which the same command goes on with; exit code 7."""

  exit_code = 7


def unknown(what: str, name: str, choices: Iterable[str]) -> str:
  """The message for a name that is in no table: what came, what is allowed, the nearest name."""
  choices = sorted(choices)
  by_fold = {choice.casefold(): choice for choice in reversed(choices)}
  near = difflib.get_close_matches(name, choices, n=1) or [
    by_fold[match] for match in difflib.get_close_matches(name.casefold(), by_fold, n=1)
  ]
  hint = f" Did you mean {near[0]!r}?" if near else ""
  return f"Unknown {what} {name!r}.{hint} Known: {', '.join(choices)}."


def shown(text: str) -> str:
  """`text` with escapes where it is no Unicode that can be written or printed, as "\\udcb8".

  So Python has a byte of a file's name that is not UTF-8 (os.fsdecode). In JSON the escape stands
  for the same text again.
  """
  return text.encode("utf-8", "backslashreplace").decode("utf-8")
