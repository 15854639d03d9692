"""mer_jax synthetic long: draws videos of minutes, as CAS(ME)^2 and SAMM Long Videos have them.

People show micro- and macro-expressions, speak, blink, twitch and turn their heads; the coding
sheets hold the expressions alone, truth/ everything.
"""

import argparse
import time
from collections.abc import Sequence

from data_builders.synthetic import long_formats, long_writer
from mer_jax.runtime import command_line, interrupts


def main(arguments: Sequence[str] | None = None) -> int:
  """The command line; returns the exit code."""
  return command_line.execute(_parser(), _run, arguments)


@interrupts.unwinding()
def _run(options: argparse.Namespace) -> int:
  began = time.monotonic()
  given = {name: getattr(options, name) for name in long_writer.LongOptions._fields}
  written = long_writer.write(
    options.format,
    options.out,
    long_writer.LongOptions(**given),
    overwrite=options.overwrite,
    workers=options.workers,
  )
  if written:
    print(f"{options.out}: written in {time.monotonic() - began:.0f} s")
  else:
    print(f"{options.out}: already there, nothing to do")
  return 0


def _parser() -> command_line.Parser:
  defaults = long_writer.LongOptions()
  parser = command_line.Parser(
    prog="mer_jax synthetic long",
    description=__doc__,
    epilog="example:\n  mer_jax synthetic long --format=casme_squared --out=corpora/LONG",
  )
  add = parser.add_argument
  add("--format", required=True, choices=sorted(long_formats.FORMATS), help="30 or 200 frames/s")
  add("--out", required=True, metavar="DIR", help="folder to make")
  add("--subjects", type=int, default=defaults.subjects, metavar="N", help="people; default 10")
  add("--minutes", type=float, default=defaults.minutes, metavar="M", help="of each; default 3")
  add("--size", type=int, default=defaults.size, metavar="PX", help="face width; default 128")
  add("--seed", type=int, default=defaults.seed, help="another one draws other people; default 0")
  add("--overwrite", action="store_true", help="replace another synthetic corpus in DIR")
  add("--workers", type=int, metavar="K", help="threads; default: as many as cores")
  return parser
