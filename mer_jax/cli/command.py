"""The command `mer_jax`: hands its arguments to the subcommand that they name."""

import importlib
import sys
from collections.abc import Sequence

import mer_jax
from mer_jax.cli import examples
from mer_jax.errors import ConfigError, unknown
from mer_jax.runtime import command_line, outputs

# Subcommand -> module with `main(arguments) -> exit code`, and what it does.
COMMANDS = {
  "synthetic": ("data_builders.synthetic.__main__", "draw a corpus in the format of a real one"),
  "build": ("data_builders.build", "prepare a corpus as its owners distribute it"),
  "configs": ("mer_jax.cli.configs", "list the experiments that ship with the package"),
  "train": ("mer_jax.cli.train", "run an experiment, or a grid of systems and corpora"),
  "fit": ("mer_jax.cli.fit", "train the model of a config on all clips, to keep"),
  "predict": ("mer_jax.cli.predict", "what a trained model says of clips or frames"),
  "export": ("mer_jax.cli.export", "write a trained model for programs without mer_jax"),
  "models": ("mer_jax.cli.models", "list the trained models that ship with the package"),
  "spot": ("mer_jax.cli.spot", "find expressions in long videos, and score that"),
  "compare": ("mer_jax.cli.compare", "compare finished runs clip by clip"),
  "audit": ("mer_jax.cli.audit", "score published logs again and check what they claim"),
  "score": ("mer_jax.cli.score", "score features from elsewhere with an SVM"),
}


def main(arguments: Sequence[str] | None = None) -> int:
  """Runs the subcommand that `arguments` (None: those of the process) name.

  Returns:
    Its exit code; 0 of --help and --version.
  """
  with outputs.unfailing():
    return _main(list(sys.argv[1:] if arguments is None else arguments))


def _main(arguments: list[str]) -> int:
  if not arguments or arguments[0] in ("-h", "--help", "help"):
    print(_help())
    return 0
  if arguments[0] == "--version":
    print(mer_jax.__version__)
    return 0
  name, *rest = arguments
  if name not in COMMANDS:
    return command_line.report(
      ConfigError(f"{unknown('subcommand', name, COMMANDS)} mer_jax --help shows examples.")
    )
  # The one place, besides its own folder, that knows data_builders: lazily, to offer its commands.
  return importlib.import_module(COMMANDS[name][0]).main(rest)


def cli() -> None:
  """The command, as a process."""
  command_line.run_process(main)


def _help() -> str:
  width = max(map(len, COMMANDS))
  listed = "\n".join(f"  {name:{width}}  {what}" for name, (_, what) in COMMANDS.items())
  return (
    f"{mer_jax.__doc__}\n\nExamples, in the order of use:\n\n{examples.all_commands()}\n\n"
    f"Subcommands (each has --help):\n\n{listed}"
  )
