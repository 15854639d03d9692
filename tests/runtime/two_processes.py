"""Starts the same command as several local processes that belong together."""

import contextlib
import os
import pathlib
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from fork_server import ForkServer, Process

ROOT = pathlib.Path(__file__).parents[2]
CACHE = {
  "JAX_COMPILATION_CACHE_DIR": str(ROOT / ".cache" / "jax"),
  "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
  "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}
# Far more than any of these runs takes: what passes it hangs.
HANGS_AFTER = 150
SLURMS_FIRST_PORT = 2**16 - 2**12


Started = subprocess.Popen[str] | Process


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


def of_slurm(process: int, count: int, address: str, devices: int = 2) -> dict[str, str]:
  """The same as Slurm would set them for the tasks of one node."""
  variables = environment(process, count, address, devices)
  by_hand = ("JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID")
  host, port = address.split(":")
  return {k: v for k, v in variables.items() if k not in by_hand} | {
    "SLURM_JOB_ID": str(int(port) - SLURMS_FIRST_PORT),  # jax makes the port from it
    "SLURM_STEP_NODELIST": host,
    "SLURM_NTASKS": str(count),
    "SLURM_STEP_NUM_TASKS": str(count),
    "SLURM_PROCID": str(process),
    "SLURM_LOCALID": str(process),
  }


def free_address() -> str:
  """An address on this machine that nobody listens at, of those that jax uses under Slurm."""
  for port in random.sample(range(SLURMS_FIRST_PORT, 2**16), 50):
    with contextlib.suppress(OSError), socket.socket() as probe:
      probe.bind(("127.0.0.1", port))
      return f"127.0.0.1:{port}"
  raise RuntimeError("no free port")


def start(
  commands: Sequence[Sequence[str]],
  folder: pathlib.Path,
  variables: Callable[[int, int, str], dict[str, str]] = environment,
  server: ForkServer | None = None,
) -> list[Started]:
  """One process for each of `commands`; their output goes to files in `folder`, made if absent.

  Args:
    commands: what Python is called with.
    folder: where they run.
    variables: `environment` or `of_slurm`.
    server: what they are forked from; None: processes that begin with nothing.
  """
  folder.mkdir(parents=True, exist_ok=True)
  address = free_address()
  started = []
  for process, command in enumerate(commands):
    with (
      open(folder / f"{process}.out", "w", encoding="utf-8") as out,
      open(folder / f"{process}.err", "w", encoding="utf-8") as err,
    ):
      own = variables(process, len(commands), address)
      if server:
        started.append(server.start(command, folder, own, (out, err)))
      else:
        line = [sys.executable, *command]
        started.append(
          subprocess.Popen(line, cwd=folder, env=own, stdout=out, stderr=err, text=True)
        )
  return started


def wait(started: Sequence[Started], folder: pathlib.Path) -> list[Ended]:
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
    texts = [(folder / f"{process}.{kind}").read_text("utf-8") for kind in ("out", "err")]
    ended.append(Ended(code, *texts))
  assert not hangs, f"processes {hangs} hang: {ended}"
  return ended


def run(
  commands: Sequence[Sequence[str]],
  folder: pathlib.Path,
  variables: Callable[[int, int, str], dict[str, str]] = environment,
  server: ForkServer | None = None,
) -> list[Ended]:
  """`start` and `wait`."""
  return wait(start(commands, folder, variables, server), folder)
