"""The command line: python -m mer_jax.main --config=configs/NAME.py:ARG --workdir=DIR."""

import logging
import os
import signal
import sys
import threading

from absl import app, flags
from absl import logging as absl_logging
from ml_collections import config_flags

from mer_jax.cli import failures
from mer_jax.errors import ConfigError, Interrupted, MerError
from mer_jax.runtime import interrupts

_CONFIG = config_flags.DEFINE_config_file(
  "config", help_string="A file in configs/, with its argument after a colon."
)
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder for everything the run leaves behind.")
_PROFILE = flags.DEFINE_bool(
  "profile",
  False,
  "Whether to leave a trace in WORKDIR/profile; the same as --config.profile=True.",
)


def main(arguments: list[str]) -> int:
  """Runs the experiment that the flags describe.

  Returns:
    0, or the exit code of the error that stopped the run.
  """
  try:
    if len(arguments) > 1:
      raise ConfigError(f"Unexpected arguments {arguments[1:]}; overrides begin with --config.")
    config, workdir = _CONFIG.value, _WORKDIR.value
    if config is None or workdir is None:
      missing = "config" if config is None else "workdir"
      raise ConfigError(f"--{missing} is missing. {__doc__}")
    if _PROFILE.value:
      config.profile = True
    _quieten_libraries()
    return _run(config, workdir)
  except MerError as error:
    return failures.report(error)


def _parse_flags(arguments: list[str]) -> list[str]:
  """absl's parser, with the errors of configs (unknown field, wrong type, no file) made plain."""
  try:
    return flags.FLAGS(arguments)
  except flags.Error as error:
    sys.exit(failures.report(ConfigError(f"{error}")))
  except MerError as error:
    sys.exit(failures.report(error))
  except (AttributeError, KeyError, TypeError, ValueError, OSError) as error:
    sys.exit(failures.report(ConfigError(f"The config cannot be used: {_plain(error)}")))


def _quieten_libraries() -> None:
  """Silences TFDS and orbax; what they raise is reported once, by us."""
  absl_logging.set_verbosity(absl_logging.FATAL)
  logging.getLogger("asyncio").setLevel(logging.CRITICAL)
  hook = sys.unraisablehook

  def unraisable(echo) -> None:
    # Orbax gives up on all reads and writes when one fails; the others then end with nobody there.
    if "Event loop is closed" not in str(echo.exc_value):
      hook(echo)

  sys.unraisablehook = unraisable


def _run(config, workdir: str) -> int:
  _compile_cache()
  from mer_jax.experiment.variants import run
  from mer_jax.runtime import distributed

  distributed.initialize()
  _cpu_devices(config.devices)
  try:
    run(config, workdir)
  except MerError as error:
    if distributed.is_main() or not distributed.is_everywhere(error):
      raise
    return error.exit_code  # process 0 tells the user
  return 0


def _plain(error: Exception) -> str:
  """The message of `error` on one line; ml_collections quotes and escapes it, sometimes twice."""
  text = str(error)
  for escaped in ("\\n", "\\'", "\n"):
    text = text.replace(escaped, " ")
  return " ".join(text.replace("\\", "").strip("\"' ").split())


def _end(number: int) -> None:
  """Ends the process where it is: whatever it was writing is the old file or the new one."""

  def print_reason() -> None:
    failures.report(
      Interrupted(
        f"{signal.Signals(number).name} ended the run at once. Nothing that was saved is lost; the"
        " same command goes on from there."
      )
    )
    sys.stdout.flush()

  # In a thread: whoever blocks on a full pipe holds the lock of its stream, and is to end too.
  printing = threading.Thread(target=print_reason, daemon=True)
  printing.start()
  printing.join(timeout=1)
  os._exit(Interrupted.exit_code)


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


def cli() -> None:
  """The command python -m mer_jax.main."""
  with interrupts.ending_at_once(_end):
    app.run(main, flags_parser=_parse_flags)


if __name__ == "__main__":
  cli()
