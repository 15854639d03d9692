"""Timings of one model: contenders in turn, round after round, and everything beside them."""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

import jax

from . import contenders, flops, parity, product
from .child import WAYS
from .contenders import AllFolds, OneByOneChunks, OneByOneSteps, one_by_one
from .rounds import interleaved, seconds_of, spread
from .torch_loop import TorchLoop
from .workloads import Workload, make, with_config, with_folds

ONE_DEVICE = "a, one device"
ROOT = pathlib.Path(__file__).parents[2]
FOLDS, SEEDS, FOLDS_OF_SEEDS = (1, 2, 4, 8, 16, 32, 64), (1, 2, 5), 8
CURVE_ROUNDS = 3
QUICK_FOLDS, QUICK_SEEDS = (1, 4), (1, 2)


def model(name: str, rounds: int, quick: bool, say: Callable[[str], None]) -> dict[str, Any]:
  """Everything about the model `name`, as plain JSON values.

  Args:
    name: a key of workloads.WORKLOADS.
    rounds: how often each contender has its turn.
    quick: tiny sizes.
    say: told what happens.

  Raises:
    parity.ParityError: the contenders do not compute the same thing; nothing was measured then.
  """
  work = make(name, quick=quick)
  say(f"\n{work.title}")
  proof = parity.prove(work)
  say("same loss, gradients and parameters; largest relative deviations " + shown(proof))
  found = {
    "title": work.title,
    "folds": len(work.split.fold_names),
    "clips": len(work.split.labels),
    "steps_per_epoch": work.steps,
    "flops_per_clip": flops.per_clip(work),
    "proof": proof,
    "tolerance": parity.TOLERANCE,
    **main_rounds(work, rounds, quick, say),
  }
  say("compilation and memory, each in a process of its own")
  found["start"] = {way: started(name, way, quick) for way in WAYS}
  say("over folds and seeds")
  return found | {"curves": curves(work, min(rounds, CURVE_ROUNDS), quick)}


def main_rounds(
  work: Workload, rounds: int, quick: bool, say: Callable[[str], None]
) -> dict[str, Any]:
  """Times an epoch of every contender in turn, and products of matrices in between.

  Returns:
    `ways`: for each the milliseconds per step and fold, GFLOP/s and share of `product`;
    `products`: GFLOP/s of each; `product`: the best of their medians.
  """
  programs = one_by_one(work)
  racers: dict[str, contenders.Contender] = {
    "a": AllFolds(work),
    "b, a call each step": OneByOneSteps(work, programs),
    "b, a call each epoch": OneByOneChunks(work, programs),
    "c": TorchLoop(work),
  }
  if len(jax.devices()) > 1:
    racers[ONE_DEVICE] = AllFolds(with_config(work, devices=1))
  for racer in racers.values():
    racer.warm_up()
  rates = product.products(quick)
  epochs = {way: seconds_of(racer.epoch) for way, racer in racers.items()}
  taken = interleaved({**epochs, **rates}, rounds, say)
  products = {name: spread(taken[name]) for name in rates}
  best = max(p["median"] for p in products.values())
  ways = {
    way: rated(work, taken[way], racer.clips, best) | {"clips_per_epoch": racer.clips}
    for way, racer in racers.items()
  }
  chosen = min(("b, a call each step", "b, a call each epoch"), key=lambda w: median_ms(ways[w]))
  return {"ways": ways, "best_b": chosen, "products": products, "product": best}


def median_ms(way: Mapping[str, Any]) -> float:
  """Milliseconds per step and fold of an entry of `ways`."""
  return way["ms_per_step_and_fold"]["median"]


def rated(work: Workload, seconds: list[float], clips: int, best: float) -> dict[str, Any]:
  """What the `seconds` of epochs over `clips` clips in all amount to; `best` is 100 %."""
  each = work.steps * len(work.split.fold_names) * work.config.seeds
  gflops = 1e-9 * flops.per_clip(work) * clips / statistics.median(seconds)
  return {
    "ms_per_step_and_fold": spread([1e3 * s / each for s in seconds]),
    "gflops": gflops,
    "share_of_product": gflops / best,
  }


def curves(work: Workload, rounds: int, quick: bool) -> dict[str, Any]:
  """Milliseconds per step and fold of the engine over folds and over seeds, (b) and (c) beside."""
  counts, seeds = (QUICK_FOLDS, QUICK_SEEDS) if quick else (FOLDS, SEEDS)
  widest = make(work.name, quick=quick, folds=max(*counts, len(work.split.fold_names)))
  alone, several = with_folds(widest, 1), with_folds(widest, min(FOLDS_OF_SEEDS, max(counts)))
  by_folds = {f"folds {f}": AllFolds(with_folds(widest, f)) for f in counts}
  by_seeds = {f"seeds {s}": AllFolds(with_config(several, seeds=s)) for s in seeds}
  programs = one_by_one(alone)
  beside: dict[str, contenders.Contender] = {
    "b, a call each step": OneByOneSteps(alone, programs),
    "b, a call each epoch": OneByOneChunks(alone, programs),
    "c": TorchLoop(alone),
  }
  racers = {**by_folds, **by_seeds, **beside}
  for racer in racers.values():
    racer.warm_up()
  taken = interleaved({n: seconds_of(r.epoch) for n, r in racers.items()}, rounds, lambda _: None)
  size = dict.fromkeys(racers, 1) | {f"folds {f}": f for f in counts}
  size |= {f"seeds {s}": s * len(several.split.fold_names) for s in seeds}
  each = {n: spread([1e3 * t / (size[n] * work.steps) for t in taken[n]]) for n in racers}
  return {
    "folds": {str(f): each[f"folds {f}"] for f in counts},
    "seeds": {str(s): each[f"seeds {s}"] for s in seeds},
    "folds_of_seeds": len(several.split.fold_names),
    "beside": {n: each[n] for n in beside},
  }


def started(name: str, way: str, quick: bool) -> dict[str, Any]:
  """Seconds to compile, without and with the cache of an earlier process, and peak memory."""
  with tempfile.TemporaryDirectory() as cache:
    cold = _child(name, way, quick, cache)
    # PyTorch compiles nothing.
    cached = _child(name, way, quick, cache) if way != "c" else cold
  return {"cold": cold, "cached": cached}


def shown(numbers: Mapping[str, float]) -> str:
  """Names and numbers on one line."""
  return ", ".join(f"{name} {value:.1e}" for name, value in numbers.items())


def _child(name: str, way: str, quick: bool, cache: str) -> dict[str, Any]:
  command = [sys.executable, "-m", "tests.benchmarks.child", name, way, *["--quick"] * quick]
  environment = {**os.environ, "JAX_COMPILATION_CACHE_DIR": cache}
  if jax.devices()[0].platform == "cpu":
    environment["JAX_NUM_CPU_DEVICES"] = str(len(jax.devices()))
  done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
  if done.returncode:
    raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
  return json.loads(done.stdout.splitlines()[-1])
