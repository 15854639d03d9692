"""mer_jax train: runs what a config describes, a training over all folds or a grid of systems."""

import argparse
import gc
import logging
import os
import sys
from collections.abc import Callable, Sequence

from ml_collections import config_dict

from mer_jax.cli import examples
from mer_jax.errors import ConfigError, MerError
from mer_jax.experiment import config_files
from mer_jax.runtime import command_line, interrupts


def parser() -> command_line.Parser:
  """The arguments of the command; overrides of the config are left to `run`."""
  built = config_parser("train", str(__doc__))
  built.add_argument(
    "--profile",
    action="store_true",
    help="leave a trace in WORKDIR/profile; the same as --config.profile=True",
  )
  return built


def config_parser(command: str, description: str) -> command_line.Parser:
  """The arguments of a subcommand that carries out a config in a workdir."""
  built = command_line.Parser(
    prog=f"mer_jax {command}",
    description=(
      f"{description}\n\nA run that was stopped goes on with the same command. Shipped configs:\n"
      f"{', '.join(config_files.names())}. `mer_jax configs` says what they are,\n"
      "and names the models, inputs, protocols and optimisers that their fields can choose."
    ),
    epilog=examples.of(command),
  )
  built.add_argument(
    "--config",
    metavar="NAME[:ARG]",
    help="a shipped config by name, or a file by path; its argument, mostly the corpus, after a"
    " colon",
  )
  built.add_argument("--workdir", metavar="DIR", help="folder for everything the run leaves behind")
  built.add_argument(
    "--config.FIELD=VALUE",
    dest="unused",
    action="store_true",
    help="sets any field of the config; `mer_jax configs NAME` lists them",
  )
  return built


def run(options: argparse.Namespace) -> int:
  """Runs the experiment that parsed arguments describe; returns the exit code.

  Raises:
    MerError: what stopped it.
  """
  config = config_of(options, "train")
  if options.profile:
    config.profile = True

  def work() -> None:
    from mer_jax.experiment.variants import run

    run(config, options.workdir)

  return carry_out(config, work)


def main(arguments: Sequence[str] | None = None) -> int:
  """The command line; returns the exit code."""
  return execute(parser(), run, arguments)


def execute(
  parser: command_line.Parser,
  run: Callable[[argparse.Namespace], int],
  arguments: Sequence[str] | None,
) -> int:
  """command_line.execute of what may take hours: a second signal ends it at once."""
  with interrupts.ending_at_once(command_line.end):
    return command_line.execute(parser, run, arguments, overrides=True)


def config_of(options: argparse.Namespace, command: str) -> config_dict.ConfigDict:
  """The config that parsed arguments of `config_parser` describe.

  Raises:
    ConfigError: config or workdir is missing, or as config_files.load_config and override.
  """
  if options.config is None or options.workdir is None:
    missing = "config" if options.config is None else "workdir"
    raise ConfigError(f"--{missing} is missing; mer_jax {command} --help shows examples.")
  # Configs of one's own import what lies beside them; at the end, so that it hides nothing.
  sys.path.append(os.getcwd())
  config = config_files.load_config(options.config)
  config_files.override(config, options.overrides)
  return config


def cli() -> None:
  """The command, as a process."""
  command_line.run_process(main)


def _quieten_libraries() -> None:
  """Silences TFDS and orbax; what they raise is reported once, by us."""
  from absl import logging as absl_logging

  absl_logging.set_verbosity(absl_logging.FATAL)
  logging.getLogger("asyncio").setLevel(logging.CRITICAL)
  hook = sys.unraisablehook

  def unraisable(echo) -> None:
    # Orbax gives up on all reads and writes when one fails; the others then end with nobody there.
    if "Event loop is closed" not in str(echo.exc_value):
      hook(echo)

  sys.unraisablehook = unraisable


def carry_out(config: config_dict.ConfigDict, work: Callable[[], None]) -> int:
  """Sets the process up for a training of `config` and does `work`; returns the exit code.

  Raises:
    MerError: what stopped it.
  """
  _quieten_libraries()
  # Tracing makes objects by the million and few cycles; looking for those took a seventh of the
  # time until the first step.
  gc.set_threshold(200_000, 50, 50)
  _compile_cache()
  from mer_jax.runtime import distributed

  distributed.initialize()
  _cpu_devices(config.devices)
  try:
    work()
  except MerError as error:
    if distributed.is_main() or not distributed.is_everywhere(error):
      raise
    return error.exit_code  # process 0 tells the user
  return 0


def _compile_cache() -> None:
  """Keeps compiled programs between runs; what the environment says comes first."""
  import jax

  root = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
  for option, value in (
    ("jax_compilation_cache_dir", os.path.join(root, "mer_jax", "xla")),
    ("jax_persistent_cache_min_compile_time_secs", 0),
    ("jax_persistent_cache_min_entry_size_bytes", -1),
  ):
    if option.upper() not in os.environ:
      jax.config.update(option, value)


def _cpu_devices(wanted: int) -> None:
  """Lets a CPU be as many devices as are wanted, if it has the cores; no other is touched."""
  import jax

  from mer_jax.runtime import distributed

  alone = distributed.processes() == 1 and "JAX_NUM_CPU_DEVICES" not in os.environ
  if alone and 1 < wanted <= (os.cpu_count() or 1):
    jax.config.update("jax_num_cpu_devices", wanted)


if __name__ == "__main__":
  cli()
