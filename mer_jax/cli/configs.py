"""mer_jax configs: what ships with the package, or everything about one config."""

import argparse
import textwrap
from collections.abc import Sequence

from mer_jax.cli import examples
from mer_jax.experiment import config_files
from mer_jax.runtime import command_line


def parser() -> command_line.Parser:
  """The arguments of the command."""
  built = command_line.Parser(
    prog="mer_jax configs", description=__doc__, epilog=examples.of("configs")
  )
  built.add_argument(
    "config",
    nargs="?",
    metavar="NAME[:ARG]",
    help="show this one's text, and every field with its value",
  )
  return built


def run(options: argparse.Namespace) -> int:
  """Prints the list, or one config; returns the exit code."""
  print(_described(options.config) if options.config else _listed())
  return 0


def main(arguments: Sequence[str] | None = None) -> int:
  """The command line; returns the exit code."""
  return command_line.execute(parser(), run, arguments)


def _listed() -> str:
  blocks = []
  for name in config_files.names():
    first_line, arguments = config_files.describe(name)
    listed = textwrap.wrap(f"arguments: {', '.join(arguments)}", 96, break_on_hyphens=False)
    blocks.append("\n".join([name, f"  {first_line}", *(f"  {line}" for line in listed)]))
  return "\n\n".join([*blocks, _choices()])


def _choices() -> str:
  """What the fields of a config can name."""
  from mer_jax import inputs, models, protocols  # slow, and --help needs none of them
  from mer_jax.experiment.trainer import SVM
  from mer_jax.training import optimizers

  lines = ["What the fields of a config can name:"]
  for field, known in (
    ("model.name", [*models.MODELS, SVM]),
    ("input.name", inputs.INPUTS),
    ("protocol.name", protocols.PROTOCOLS),
    ("optimizer.name", optimizers.names()),
    ("optimizer.schedule", optimizers.SCHEDULES),
  ):
    text = f"config.{field}: {', '.join(known)}"
    lines += textwrap.wrap(text, 96, initial_indent="  ", subsequent_indent="    ")
  return "\n".join(lines)


def _described(spec: str) -> str:
  config = config_files.load_config(spec)
  return "\n".join([config_files.docstring(spec), "", *config_files.as_text(config)])
