"""mer_jax models: the trained models that ship with the package."""

import argparse
from collections.abc import Sequence

from mer_jax.cli import examples
from mer_jax.runtime import command_line


def parser() -> command_line.Parser:
  """The arguments of the command."""
  return command_line.Parser(
    prog="mer_jax models", description=__doc__, epilog=examples.of("models")
  )


def run(options: argparse.Namespace) -> int:
  """Prints the list; returns the exit code."""
  from mer_jax.recognizer import folder

  blocks = [_described(name) for name in folder.shipped()]
  print("\n\n".join(blocks) or "No trained model ships with this version. mer_jax fit makes one.")
  return 0


def main(arguments: Sequence[str] | None = None) -> int:
  """The command line; returns the exit code."""
  return command_line.execute(parser(), run, arguments)


def _described(name: str) -> str:
  from mer_jax.experiment.fitted import in_words
  from mer_jax.recognizer import folder, load

  model, file = load(name), folder.find(name) / folder.WEIGHTS
  options = ", ".join(f"{key} {value}" for key, value in model.input.items() if key != "name")
  facts = {
    "architecture": model.model["name"],
    "input": f"{model.input['name']}{f' ({options})' if options else ''}",
    "classes": ", ".join(model.classes),
    "learned from": model.provenance.summary(),
    "scores": in_words(model.scores),
    "size": (
      f"{file.stat().st_size / 1e6:.2f} MB, {model.seeds_in_words}, digest {model.digest[:12]}"
    ),
  }
  width = max(map(len, facts))
  return "\n".join([name, *(f"  {what.ljust(width)}  {value}" for what, value in facts.items())])
