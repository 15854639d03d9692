"""mer_jax compare: finished runs, compared clip by clip.

A RUN is a workdir or a predictions.csv. A single RUN is shown with its intervals and, with
--permutation=N, beside what labels score that have nothing to do with its predictions.
"""

import argparse
import pathlib
from collections.abc import Sequence

from mer_jax.cli import examples
from mer_jax.runtime import command_line


def main(arguments: Sequence[str] | None = None) -> int:
  """The command line; returns the exit code."""
  return command_line.execute(parser(), run, arguments)


def run(options: argparse.Namespace) -> int:
  """Prints the comparison that parsed arguments describe; returns the exit code."""
  from mer_jax.experiment.comparison import compare
  from mer_jax.report import comparison

  content = compare(
    options.runs,
    level=options.level,
    pairs=options.pairs,
    permutations=options.permutation,
    dataset=options.dataset,
  )
  print(comparison.console(content))
  if options.workdir:
    from mer_jax.report import comparison_page

    page = comparison_page.write(pathlib.Path(options.workdir).expanduser(), content)
    print(f"\nComparison {page}")
  return 0


def parser() -> command_line.Parser:
  """The arguments of the command."""
  parser = command_line.Parser(
    prog="mer_jax compare", description=__doc__, epilog=examples.of("compare")
  )
  parser.add_argument("runs", nargs="+", metavar="RUN", help="a workdir or a predictions.csv")
  parser.add_argument(
    "--workdir", help="folder for comparison.html, .csv, .json; default: only print"
  )
  parser.add_argument(
    "--level", type=float, default=0.95, help="of the intervals, within 0..1; default .95"
  )
  parser.add_argument(
    "--pairs", default="first", help="first: each run with the first one (default); all: each pair"
  )
  parser.add_argument(
    "--permutation", type=int, default=0, metavar="N", help="shuffle labels N times, as 1000"
  )
  parser.add_argument("--dataset", default="", help="only the clips of this dataset")
  return parser


def cli() -> None:
  """The command, as a process."""
  command_line.run_process(main)


if __name__ == "__main__":
  cli()
