"""How fast a trained model loads and predicts: python -m tests.benchmarks.predicting

For every model that ships: loading it, its prediction of a single clip and of many from a computed
input, and of a single clip of gray frames with its input computed, in turn, round after round; and
beside them the same number of clips one by one. Leaves predicting.json in the folder of --out.
"""

import argparse
import json
import pathlib
import sys
import time
from collections.abc import Callable

import numpy as np

import mer_jax
from mer_jax.recognizer import Model, folder
from mer_jax.runtime import atomic

from . import machine
from .rounds import interleaved, seconds_of, spread

MANY = 256


def main(arguments: list[str] | None = None) -> int:
  """Times every model, prints the table and writes the results; returns 0."""
  parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.predicting")
  parser.add_argument("--rounds", type=int, default=7, help="turns of each way")
  parser.add_argument("--clips", type=int, default=MANY, help="clips of the way with many")
  parser.add_argument("--models", nargs="+", default=folder.shipped(), help="names or folders")
  parser.add_argument("--out", default="build/benchmarks", help="folder for the results")
  given = parser.parse_args(arguments)
  results = {
    "machine": machine.describe(),
    "time": time.strftime("%Y-%m-%d %H:%M:%S %z"),
    "clips": given.clips,
    "seconds": {name: _times(name, given.clips, given.rounds) for name in given.models},
  }
  print(_table(results))
  atomic.write_text(
    pathlib.Path(given.out) / "predicting.json", json.dumps(results, indent=2) + "\n"
  )
  return 0


def _times(name: str, clips: int, rounds: int) -> dict[str, dict]:
  model = mer_jax.load(name)
  many = _arrays(model, clips)
  alone = {key: array[:1] for key, array in many.items()}
  tasks: dict[str, Callable[[], object]] = {
    "load": lambda: mer_jax.load(name),
    "one clip": lambda: model.probabilities(alone),
    f"{clips} clips": lambda: model.probabilities(many),
    f"{clips} clips one by one": lambda: [
      model.probabilities({key: array[n : n + 1] for key, array in many.items()})
      for n in range(clips)
    ],
  }
  if model.input["name"] == "flow_maps":  # then it reads the flow of frames, too
    frames = np.random.default_rng(1).integers(0, 256, (9, 128, 128), np.uint8)
    one = mer_jax.Clips.from_frames([frames])
    tasks["one clip of frames"] = lambda: model.predict(one)
  for task in tasks.values():
    task()  # compiles
  taken = interleaved(
    {name: seconds_of(lambda task=task: task()) for name, task in tasks.items()},
    rounds,
    lambda _: None,
  )
  return {name: spread(seconds) for name, seconds in taken.items()}


def _arrays(model: Model, clips: int) -> dict[str, np.ndarray]:
  rng = np.random.default_rng(0)
  return {
    name: (2 * rng.random((clips, *entry["shape"]))).astype(entry["dtype"])
    for name, entry in model.arrays.items()
  }


def _table(results: dict) -> str:
  ways = list(dict.fromkeys(way for taken in results["seconds"].values() for way in taken))
  lines = [f"| model, ms | {' | '.join(ways)} | batches over one by one |"]
  lines.append("|---" * (len(ways) + 2) + "|")
  for name, taken in results["seconds"].items():
    cells = [f"{1000 * taken[way]['median']:.1f}" if way in taken else "–" for way in ways]
    many, each = (taken[way]["median"] for way in ways[2:4])
    lines.append(f"| {name} | {' | '.join(cells)} | {each / many:.1f} times as fast |")
  return "\n".join(lines)


if __name__ == "__main__":
  sys.exit(main())
