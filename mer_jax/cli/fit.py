"""mer_jax fit: trains the model of a config on all clips of the protocol and keeps it.

It leaves WORKDIR/model: weights.safetensors, and model.json with architecture, input, classes and
what the model has learned from.
"""

import argparse
from collections.abc import Sequence

from mer_jax.cli import train
from mer_jax.runtime import command_line


def parser() -> command_line.Parser:
  """The arguments of the command; overrides of the config are left to `run`."""
  built = train.config_parser("fit", str(__doc__))
  built.add_argument(
    "--dtype",
    default="float32",
    choices=("float32", "float16"),
    help="of the weights in the file; float32 by default",
  )
  return built


def run(options: argparse.Namespace) -> int:
  """Fits the model that parsed arguments describe; returns the exit code.

  Raises:
    MerError: what stopped it.
  """
  config = train.config_of(options, "fit")

  def work() -> None:
    from mer_jax.experiment.fit import fit

    fit(config, options.workdir, dtype=options.dtype)

  return train.carry_out(config, work)


def main(arguments: Sequence[str] | None = None) -> int:
  """The command line; returns the exit code."""
  return train.execute(parser(), run, arguments)
