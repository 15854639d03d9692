"""Drawn motion, how fast it is drawn beside a training step: python -m tests.benchmarks.drawing

Maps and courses a second on their own, and the steps of motion_net on maps and of parallel_cnn_lstm
on courses (one fold, one seed) with every example drawn and with every example read from clips. The
ways take turns. Leaves drawing.json and drawing.md in the folder of --out.
"""

import argparse
import json
import pathlib
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from mer_jax import models, training
from mer_jax.experiment.drawn_source import DrawnSource
from mer_jax.face import draws
from mer_jax.face.drawn import Drawing
from mer_jax.runtime import atomic, xla_guard
from mer_jax.targets import SingleClass
from mer_jax.training import optimizers

from . import machine
from .rounds import interleaved, spread

CLASSES = ("disgust", "happiness", "surprise")
CLIPS = 100  # beside drawn examples: as many as a fold of a small corpus
HYPER = {"learning_rate": [1e-3], "momentum": [0.9], "weight_decay": [1e-3]}


class Sizes(NamedTuple):
  """How much of everything.

  Attributes:
    pixels: H = W of maps.
    frames: T of a course.
    map_batches, course_batch: B of the models' steps.
    maps, courses: how many are drawn for one timing.
    map_steps, course_steps: steps of one timing.
    paper: options of parallel_cnn_lstm.
  """

  pixels: int = 28
  frames: int = 48
  map_batches: tuple[int, ...] = (32, 64)
  course_batch: int = 25
  maps: int = 2048
  courses: int = 50
  map_steps: int = 20
  course_steps: int = 3
  paper: tuple[tuple[str, Any], ...] = ()


QUICK = Sizes(
  *(14, 5, (4, 8), 3, 8, 4, 2, 2),
  paper=(("channels", (2,)), ("cnn_features", 2), ("lstm_features", 2), ("head_features", 2)),
)


def main(arguments: list[str] | None = None) -> int:
  """Measures, prints the table and writes the results; returns 0."""
  given = _parse(arguments)
  sizes = QUICK if given.quick else Sizes()
  results = {
    "machine": machine.describe(),
    "time": time.strftime("%Y-%m-%d %H:%M:%S %z"),
    "rounds": given.rounds,
    "quick": given.quick,
    **measure(sizes, given.rounds),
  }
  out, table = pathlib.Path(given.out), markdown(results)
  atomic.write_text(out / "drawing.json", json.dumps(results, indent=2) + "\n")
  atomic.write_text(out / "drawing.md", table + "\n")
  print(f"{table}\n\n{out / 'drawing.json'}, drawing.md")
  return 0


def measure(sizes: Sizes, rounds: int) -> dict[str, Any]:
  """Examples a second of both kinds, and milliseconds of every model's step both ways."""
  maps, courses = source(sizes, 0), source(sizes, sizes.frames)
  tasks = {
    "maps a second": rate(maps, sizes.maps),
    "courses a second": rate(courses, sizes.courses),
  }
  steps = {
    f"motion_net, batch {batch}": ("motion_net", {}, maps, batch, sizes.map_steps)
    for batch in sizes.map_batches
  }
  paper = ("parallel_cnn_lstm", dict(sizes.paper), courses, sizes.course_batch, sizes.course_steps)
  steps[f"parallel_cnn_lstm, batch {sizes.course_batch}"] = paper
  for name, (model, options, drawn, batch, number) in steps.items():
    for way, count in (("drawn", batch), ("clips", 0)):
      tasks[f"{name}, {way}"] = step(program(model, options, drawn, batch, count), number)
  taken = interleaved(tasks, rounds, lambda _: None)
  values = {name: spread(numbers) for name, numbers in taken.items()}
  return {"values": values, "steps": list(steps)}


def source(sizes: Sizes, frames: int) -> DrawnSource:
  """Of three classes alike; of courses where there are `frames`."""
  mixtures = tuple(((draws.EMOTIONS.index(name), 1 / len(CLASSES)),) for name in CLASSES)
  return DrawnSource(mixtures, Drawing(), sizes.pixels, frames)


def rate(drawn: DrawnSource, count: int) -> Callable[[], float]:
  """Draws `count` examples, as many at once as a batch has, and returns how many a second."""
  at_once = min(count, 25 if drawn.num_frames else 64)
  draw = xla_guard.jit(lambda key: drawn(key, at_once).inputs)
  jax.block_until_ready(draw(jax.random.key(0)))
  keys = list(jax.random.split(jax.random.key(1), max(1, count // at_once)))

  def timed() -> float:
    start = time.perf_counter()
    for key in keys:
      jax.block_until_ready(draw(key))
    return len(keys) * at_once / (time.perf_counter() - start)

  return timed


def program(
  model: str, options: dict[str, Any], drawn: DrawnSource, batch: int, count: int
) -> training.Program:
  """One fold and seed of `model`, `count` of every `batch` examples drawn, the rest clips."""
  shapes = jax.eval_shape(lambda: drawn(jax.random.key(0), CLIPS)).inputs
  rng = np.random.default_rng(0)
  arrays = {
    name: np.ones(x.shape, bool) if x.dtype == bool else rng.random(x.shape, np.float32)
    for name, x in shapes.items()
  }
  recipe = training.Recipe(
    model=models.build(model, len(CLASSES), options),
    optimizer=optimizers.build("adamw"),
    target=SingleClass(len(CLASSES), "none"),
    batch_size=batch,
    source=drawn if count else None,
    drawn=count,
    epoch_steps=1 if count else 0,
  )
  labels = rng.integers(0, len(CLASSES), CLIPS)
  folds = training.Folds(("all clips",), np.zeros((1, CLIPS), bool))
  return training.build(recipe, training.arrange(1, 1, 1), (0,), folds, arrays, labels, HYPER)


def step(loso: training.Program, number: int) -> Callable[[], float]:
  """Takes `number` steps and returns the milliseconds of one."""
  jax.block_until_ready(loso.train(loso.init(), 0, number))

  def timed() -> float:
    state = jax.block_until_ready(loso.init())
    start = time.perf_counter()
    jax.block_until_ready(loso.train(state, 0, number))
    return 1000 * (time.perf_counter() - start) / number

  return timed


def markdown(results: dict[str, Any]) -> str:
  """Two tables, with what they were measured on below."""
  values = results["values"]
  lines = ["| drawn | a second |", "|---|---|"]
  for kind in ("maps", "courses"):
    lines.append(f"| {kind} | {values[f'{kind} a second']['median']:.0f} |")
  lines += ["", "| step of | ms, drawn | ms, of clips | share of drawing |", "|---|---|---|---|"]
  for name in results["steps"]:
    drawn, clips = (values[f"{name}, {way}"]["median"] for way in ("drawn", "clips"))
    lines.append(f"| {name} | {drawn:.1f} | {clips:.1f} | {100 * (1 - clips / drawn):.0f} % |")
  trial = ["A trial at tiny sizes; its numbers mean nothing.", ""] * results["quick"]
  caption = f"{machine.caption(results['machine'])}. Medians of {results['rounds']} rounds in turn."
  return "\n".join([*lines, "", *trial, caption])


def _parse(arguments: list[str] | None) -> argparse.Namespace:
  parser = argparse.ArgumentParser(
    prog="python -m tests.benchmarks.drawing",
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument("--rounds", type=int, default=5, help="turns of each way")
  parser.add_argument("--quick", action="store_true", help="tiny sizes: a trial, no measurement")
  parser.add_argument("--out", default="build/benchmarks", help="folder for the results")
  given = parser.parse_args(arguments)
  if given.rounds < 1:
    parser.error(f"--rounds is {given.rounds}; it must be at least 1")
  return given


if __name__ == "__main__":
  sys.exit(main())
