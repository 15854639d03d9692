"""mer_jax score: features from elsewhere, scored leave-one-subject-out with an SVM.

FEATURES.npz holds features [N, D] (or [N, ...]), labels [N] (text, or whole numbers) and subjects
[N] (likewise); if wanted also datasets [N], clips [N] (names) and class_names [K].
"""

import argparse
import pathlib
from collections.abc import Sequence
from typing import Any

from mer_jax.cli import examples
from mer_jax.runtime import command_line


def main(arguments: Sequence[str] | None = None) -> int:
  """The command line; returns the exit code."""
  return command_line.execute(parser(), run, arguments)


def run(options: argparse.Namespace) -> int:
  """Scores the features that parsed arguments name; returns the exit code."""
  from mer_jax import svm
  from mer_jax.experiment import external_features
  from mer_jax.experiment.feature_table import OPTIONAL, REQUIRED, read

  machine: dict[str, Any] = {name: getattr(options, name) for name in svm.Machine._fields}
  given = read(pathlib.Path(options.features).expanduser())
  beside: dict[str, Any] = {name: given[name] for name in OPTIONAL if name in given}
  features, labels, subjects = (given[name] for name in REQUIRED)
  external_features.run(features, labels, subjects, options.workdir, **beside, **machine)
  return 0


def parser() -> command_line.Parser:
  """The arguments of the command."""
  built = command_line.Parser(
    prog="mer_jax score", description=__doc__, epilog=examples.of("score")
  )
  add = built.add_argument
  add("features", metavar="FEATURES.npz", help="the arrays, see above")
  add("--workdir", required=True, metavar="DIR", help="folder for everything that is left behind")
  add("--kernel", default="linear", help="linear (default), rbf or poly")
  add("--cost", type=float, metavar="C", help="C > 0; default: 1000 for linear, else 3")
  add("--gamma", default="scale", help="of rbf and poly: a number above 0, or scale (default)")
  add("--degree", type=int, default=2, help="of poly; default 2")
  add("--coef0", type=float, default=0.0, help="of poly: (gamma <x, z> + coef0)^degree; default 0")
  add("--balance", default="class_weights", help="class_weights (default), oversample or none")
  add("--scale", default="none", help="none (default), standardise or minmax, by training clips")
  add("--seed", type=int, default=0, help="of the over-sampling, >= 0; default 0")
  return built


def cli() -> None:
  """The command, as a process."""
  command_line.run_process(main)


if __name__ == "__main__":
  cli()
