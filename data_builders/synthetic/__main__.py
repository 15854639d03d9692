"""python -m data_builders.synthetic casme2|samm|smic --out DIR: draws a corpus."""

import argparse
import sys
import time
from collections.abc import Sequence

from data_builders.synthetic import corpora, writer
from mer_jax import errors


def main(arguments: Sequence[str] | None = None) -> int:
  """Runs the command line; returns the exit code."""
  options = vars(_parser().parse_args(arguments))
  began = time.monotonic()
  try:
    written = writer.write(options.pop("corpus"), options["out"], **_without(options, "out"))
  except errors.MerError as error:
    print(f"error: {error}", file=sys.stderr)
    return error.exit_code
  except OSError as error:
    print(f"error: {options['out']} cannot be written: {error}", file=sys.stderr)
    return errors.WorkdirError.exit_code
  if written:
    print(f"{options['out']}: written in {time.monotonic() - began:.0f} s")
  else:
    print(f"{options['out']}: already there, nothing to do")
  return 0


def _parser() -> argparse.ArgumentParser:
  parser = argparse.ArgumentParser(
    prog="python -m data_builders.synthetic",
    description="Draws a corpus of micro-expressions in the tree and sheet of a real one.",
  )
  add = parser.add_argument
  add("corpus", choices=sorted(corpora.CORPORA))
  add("--out", required=True, metavar="DIR", help="folder to make")
  add("--subjects", type=int, metavar="N", help="default: as many as the real corpus")
  add(
    "--clips-per-subject",
    type=int,
    metavar="M",
    help="mean number; the total is exactly N x M. Default: the real corpus' uneven numbers",
  )
  add("--size", type=int, metavar="PX", help="face width in pixels; default: the real corpus'")
  add("--intensity", type=float, default=1.0, help="factor on the motion, 0 to 2; default 1.0")
  add("--seed", type=int, default=0)
  add("--quirks", action="store_true", help="plant the known faults, listed in quirks.json")
  add("--tree", choices=["cropped", "raw"], help="default: cropped; samm only has raw")
  add(
    "--sheet",
    choices=writer.CASME2_SHEETS,
    default=writer.CASME2_SHEETS[0],
    help="CASME II's coding sheet; default 20140508",
  )
  add("--overwrite", action="store_true", help="replace another synthetic corpus in DIR")
  add("--workers", type=int, metavar="K", help="threads; default: one per core")
  return parser


def _without(options: dict, name: str) -> dict:
  return {key: value for key, value in options.items() if key != name}


if __name__ == "__main__":
  sys.exit(main())
