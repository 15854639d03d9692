"""One contender in a process of its own: how long it takes to start, how much memory it needs.

python -m tests.benchmarks.child MODEL WAY [--quick]; prints one line of JSON. The folder of the
compilation cache comes from the environment, as it does for every run.
"""

import argparse
import itertools
import json
import time
from typing import Any

import jax

from . import contenders, machine, workloads

WAYS = ("a", "b", "c")


def main(arguments: list[str] | None = None) -> None:
  """Starts, trains an epoch, and prints what it took."""
  parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.child", description=__doc__)
  parser.add_argument("model", choices=workloads.WORKLOADS)
  parser.add_argument("way", choices=WAYS)
  parser.add_argument("--quick", action="store_true")
  given = parser.parse_args(arguments)
  jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
  jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
  work = workloads.make(given.model, quick=given.quick)
  # Fold by fold only one fold is held at a time.
  print(json.dumps(measure(work if given.way == "a" else workloads.with_folds(work, 1), given.way)))


def measure(work: workloads.Workload, way: str) -> dict[str, Any]:
  """Seconds until `way` is ready to train, and this process' peak memory in bytes."""
  jax.devices()  # finding the devices is no compilation
  if way == "c":
    from . import torch_loop  # noqa: F401  the others must not carry PyTorch's memory
  before = machine.peak_memory()
  clock = [time.perf_counter()]
  contender = start(work, way)
  clock.append(time.perf_counter())
  contender.warm_up()
  clock.append(time.perf_counter())
  contender.epoch()
  init, first_call = (b - a for a, b in itertools.pairwise(clock))
  return {
    "init_seconds": init,
    "train_seconds": first_call,
    "ready_bytes": before,
    "peak_bytes": machine.peak_memory(),
  }


def start(work: workloads.Workload, way: str) -> contenders.Contender:
  """The contender `way` of `WAYS` on `work`."""
  if way == "a":
    return contenders.AllFolds(work)
  if way == "b":
    return contenders.OneByOneChunks(work, contenders.one_by_one(work))
  from .torch_loop import TorchLoop

  return TorchLoop(work)


if __name__ == "__main__":
  main()
