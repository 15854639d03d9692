"""mer_jax synthetic: draws a corpus of micro-expressions in the tree and sheet of a real one.

mer_jax synthetic long draws videos of minutes; it has its own --help.
"""

import argparse
import sys
import time
from collections.abc import Sequence

from data_builders.synthetic import corpora, long, writer
from mer_jax.runtime import command_line, interrupts

# Parsed arguments that are no options of the corpus.
NOT_OPTIONS = ("corpus", "out", "debug")


def main(arguments: Sequence[str] | None = None) -> int:
  """The command line; returns the exit code."""
  arguments = list(sys.argv[1:] if arguments is None else arguments)
  if arguments[:1] == ["long"]:
    return long.main(arguments[1:])
  return command_line.execute(_parser(), _run, arguments)


@interrupts.unwinding()
def _run(options: argparse.Namespace) -> int:
  began = time.monotonic()
  out = options.out
  given = {key: value for key, value in vars(options).items() if key not in NOT_OPTIONS}
  if writer.write(options.corpus, out, **given):
    print(f"{out}: written in {time.monotonic() - began:.0f} s")
  else:
    print(f"{out}: already there, nothing to do")
  return 0


def _parser() -> command_line.Parser:
  parser = command_line.Parser(
    prog="mer_jax synthetic",
    description=__doc__,
    epilog="example:\n  mer_jax synthetic casme2 --out=corpora/CASME2 --subjects=16",
  )
  add = parser.add_argument
  add("corpus", metavar="CORPUS", choices=sorted(corpora.CORPORA), help="casme2, samm or smic")
  add("--out", required=True, metavar="DIR", help="folder to make")
  add("--subjects", type=int, metavar="N", help="default: as many as the real corpus")
  add(
    *("--clips_per_subject", "--clips-per-subject"),
    type=int,
    metavar="M",
    help="mean number; the total is exactly N x M. Default: the real corpus' uneven numbers",
  )
  add("--size", type=int, metavar="PX", help="face width in pixels; default: the real corpus'")
  add("--intensity", type=float, default=1.0, help="factor on the motion, 0 to 2; default 1.0")
  add("--seed", type=int, default=0, help="another one draws other people; default 0")
  add("--quirks", action="store_true", help="plant the known faults, listed in quirks.json")
  add("--tree", choices=["cropped", "raw"], help="default: cropped; samm only has raw")
  add(
    "--sheet",
    choices=writer.CASME2_SHEETS,
    default=writer.CASME2_SHEETS[0],
    help="CASME II's coding sheet; default 20140508",
  )
  add("--overwrite", action="store_true", help="replace another synthetic corpus in DIR")
  add("--workers", type=int, metavar="K", help="threads; default: as many as cores")
  return parser


if __name__ == "__main__":
  command_line.run_process(main)
