"""Convolutions in the ways that compute them: python -m tests.benchmarks.convolutions

For each model the gradients of four folds that share a batch, with the convolutions of each
implementation, in turn, round after round. Leaves convolutions.json in the folder of --out.
"""

import argparse
import json
import pathlib
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mer_jax import models
from mer_jax.runtime import atomic

from . import machine
from .rounds import interleaved, seconds_of, spread

FOLDS = 4
WAYS = ("fused", "product")


class Case(NamedTuple):
  """A model with its options, and the batch that it reads: clips, and pixels a side."""

  model: str
  options: dict[str, Any]
  batch: int
  size: int


# Batches and sizes as in configs/.
CASES = {
  "sssnet": Case("sssnet", {}, 64, 64),
  "rcn_s": Case("rcn", {"form": "S", "channels": 32}, 64, 60),
  "dual_inception": Case("dual_inception", {}, 64, 28),
  "off_apexnet": Case("off_apexnet", {}, 256, 28),
  "off_tanet": Case("off_tanet", {}, 64, 56),
}
TINY = {"sssnet": Case("sssnet", {"channels": (2, 3), "features": 4}, 2, 16)}


def main(arguments: list[str] | None = None) -> int:
  """Times every model, prints the table and writes the results; returns 0."""
  parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.convolutions")
  parser.add_argument("--rounds", type=int, default=5, help="turns of each implementation")
  parser.add_argument("--quick", action="store_true", help="one tiny model, to try it out")
  parser.add_argument("--models", nargs="+", choices=CASES, default=[*CASES], help="which models")
  parser.add_argument("--out", default="build/benchmarks", help="folder for the results")
  given = parser.parse_args(arguments)
  cases = TINY if given.quick else {name: CASES[name] for name in given.models}
  results = {
    "machine": machine.describe(),
    "time": time.strftime("%Y-%m-%d %H:%M:%S %z"),
    "folds": FOLDS,
    "seconds": {name: _times(case, given.rounds) for name, case in cases.items()},
  }
  print(_table(results["seconds"]))
  out = pathlib.Path(given.out) / "convolutions.json"
  atomic.write_text(out, json.dumps(results, indent=2) + "\n")
  return 0


def _times(case: Case, rounds: int) -> dict[str, dict]:
  tasks = {way: _gradients(case, way) for way in WAYS}
  for task in tasks.values():
    task()  # compiles
  taken = interleaved(
    {way: seconds_of(task) for way, task in tasks.items()}, rounds, lambda _: None
  )
  return {way: spread(seconds) for way, seconds in taken.items()}


def _gradients(case: Case, implementation: str) -> Callable[[], None]:
  """What computes them once for all folds."""
  network = models.build(case.model, 3, case.options, convolution=implementation)
  shape = case.batch, case.size, case.size, 3
  inputs = {"image": np.random.default_rng(0).normal(size=shape).astype(np.float32)}
  weights = jnp.ones(case.batch)

  def init(key):
    return network.init({"params": key, "dropout": key}, inputs, weights, train=False)

  def loss(params, rest, inputs):
    logits, _ = network.apply(
      {**rest, "params": params},
      inputs,
      weights,
      train=True,
      rngs={"dropout": jax.random.key(1)},
      mutable=["batch_stats"],
    )
    return jnp.square(logits).mean()

  of_folds = jax.jit(jax.vmap(jax.grad(loss), in_axes=(0, 0, None)))
  variables = dict(jax.jit(jax.vmap(init))(jax.random.split(jax.random.key(0), FOLDS)))
  run = partial(of_folds, variables.pop("params"), variables, inputs)
  return lambda: jax.block_until_ready(run()) and None


def _table(seconds: dict[str, dict]) -> str:
  lines = [f"| model, ms for {FOLDS} folds | {' | '.join(WAYS)} | product over fused |"]
  lines.append("|---" * (len(WAYS) + 2) + "|")
  for name, taken in seconds.items():
    medians = [taken[way]["median"] for way in WAYS]
    cells = " | ".join(f"{1000 * median:.0f}" for median in medians)
    lines.append(f"| {name} | {cells} | {medians[1] / medians[0]:.2f} |")
  return "\n".join(lines)


if __name__ == "__main__":
  sys.exit(main())
