"""How a command ends that did not succeed: a line on standard error and an exit code."""

import sys

from mer_jax.errors import Interrupted, MerError


def report(error: MerError) -> int:
  """Prints the message of `error` on standard error; returns the exit code of its class."""
  kind = "stopped" if isinstance(error, Interrupted) else "error"
  print(f"\n{kind}: {error}", file=sys.stderr, flush=True)
  return error.exit_code
