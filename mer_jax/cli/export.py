"""mer_jax export: writes a trained model for programs without mer_jax.

--format=stablehlo: a program that jax.export.deserialize reads, for any number of clips, and beside
it FILE.json with all that is known of the model. --format=npz: the weights as numpy arrays by flax
name, with model.json and a README of shapes and layouts in the same file; mer_jax reads it too.
"""

import argparse
from collections.abc import Sequence

from mer_jax.cli import examples
from mer_jax.runtime import command_line


def parser() -> command_line.Parser:
  """The arguments of the command."""
  built = command_line.Parser(
    prog="mer_jax export", description=__doc__, epilog=examples.of("export")
  )
  add = built.add_argument
  add("model", metavar="MODEL", help="a name of `mer_jax models`, or a folder that fit left")
  add("--format", required=True, metavar="FORMAT", help="stablehlo or npz")
  add("--out", required=True, metavar="FILE", help="the file to write")
  return built


def run(options: argparse.Namespace) -> int:
  """Exports what parsed arguments name; returns the exit code.

  Raises:
    MerError: what stopped it.
  """
  from mer_jax import recognizer
  from mer_jax.recognizer.export import export

  model = recognizer.load(options.model)
  files = export(model, options.out, options.format)
  for file in files:
    print(f"{file}: {file.stat().st_size / 1e6:.2f} MB")
  print(f"{model.name} learned from {model.provenance.summary()}")
  return 0


def main(arguments: Sequence[str] | None = None) -> int:
  """The command line; returns the exit code."""
  return command_line.execute(parser(), run, arguments)
