"""Starts the same command as several local processes that belong together."""

import os
import pathlib
import socket
import subprocess
import time
from collections.abc import Sequence
from typing import NamedTuple

ROOT = pathlib.Path(__file__).parents[2]
CACHE = {
  "JAX_COMPILATION_CACHE_DIR": str(ROOT / ".cache" / "jax"),
  "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
  "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}
# Far more than any of these runs takes: what passes it hangs.
HANGS_AFTER = 150


class Ended(NamedTuple):
  """How a process ended."""

  code: int
  stdout: str
  stderr: str


def environment(process: int, count: int, address: str, devices: int = 2) -> dict[str, str]:
  """The variables of one of `count` processes with `devices` simulated devices each."""
  kept = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "OMPI_", "JAX_"))}
  ours = {k: v for k, v in os.environ.items() if k.startswith(("JAX_COMPILATION", "JAX_PERSIST"))}
  by_hand = {
    "JAX_COORDINATOR_ADDRESS": address,
    "JAX_NUM_PROCESSES": str(count),
    "JAX_PROCESS_ID": str(process),
  }
  simulated = {"JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": str(devices)}
  return {**kept, **CACHE, **ours, **simulated, **by_hand, "PYTHONPATH": str(ROOT)}


def free_address() -> str:
  """An address on this machine that nobody listens at."""
  with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    return f"127.0.0.1:{probe.getsockname()[1]}"


def start(
  commands: Sequence[Sequence[str]], folder: pathlib.Path, devices: int = 2
) -> list[subprocess.Popen[str]]:
  """One process for each of `commands`; their output goes to files in `folder`."""
  address = free_address()
  started = []
  for process, command in enumerate(commands):
    with (
      open(folder / f"{process}.out", "w", encoding="utf-8") as out,
      open(folder / f"{process}.err", "w", encoding="utf-8") as err,
    ):
      variables = environment(process, len(commands), address, devices)
      started.append(
        subprocess.Popen(
          list(command), cwd=folder, env=variables, stdout=out, stderr=err, text=True
        )
      )
  return started


def wait(started: Sequence[subprocess.Popen[str]], folder: pathlib.Path) -> list[Ended]:
  """Waits for all of them; whatever hangs is killed, and fails the test with what all said."""
  deadline = time.monotonic() + HANGS_AFTER
  ended, hangs = [], []
  for process, child in enumerate(started):
    try:
      child.wait(max(1.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
      hangs.append(process)
  for process, child in enumerate(started):
    child.kill()
    code = child.wait()
    said = [(folder / f"{process}.{kind}").read_text("utf-8") for kind in ("out", "err")]
    ended.append(Ended(code, *said))
  assert not hangs, f"processes {hangs} hang: {ended}"
  return ended


def run(commands: Sequence[Sequence[str]], folder: pathlib.Path, devices: int = 2) -> list[Ended]:
  """`start` and `wait`."""
  folder.mkdir(parents=True, exist_ok=True)
  return wait(start(commands, folder, devices), folder)
