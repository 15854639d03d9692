"""Compares finished runs clip by clip: python -m mer_jax.compare RUN RUN ... [--workdir=DIR].

A RUN is a workdir or a predictions.csv. A single RUN is shown with its intervals and, with
--permutation=N, beside what labels score that have nothing to do with its predictions.
"""

import argparse
import pathlib
import sys
from collections.abc import Sequence

from mer_jax.cli import failures
from mer_jax.errors import MerError
from mer_jax.evaluation import intervals
from mer_jax.experiment.comparison import compare
from mer_jax.report import comparison


def main(argv: Sequence[str] | None = None) -> int:
  """The command line; returns the exit code (0, or that of the `MerError` it prints)."""
  options = _parser().parse_intermixed_args(argv)
  try:
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
  except MerError as error:
    return failures.report(error)
  return 0


def _parser() -> argparse.ArgumentParser:
  parser = argparse.ArgumentParser(prog="python -m mer_jax.compare", description=__doc__)
  parser.add_argument("runs", nargs="+", metavar="RUN", help="a workdir or a predictions.csv")
  parser.add_argument(
    "--workdir", help="folder for comparison.html, .csv, .json; default: only print"
  )
  parser.add_argument(
    "--level", type=float, default=intervals.LEVEL, help="of the intervals, within 0..1"
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
  """The command python -m mer_jax.compare."""
  sys.exit(main())


if __name__ == "__main__":
  cli()
