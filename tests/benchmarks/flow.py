"""Optical flow beside its peers, how fast and how true: python -m tests.benchmarks.flow

Onset and apex of drawn faces whose displacement is known, frames of `--sizes` pixels: every method
of mer_jax.inputs.optical_flow, scikit-image's TV-L1 one pair after another and on as many threads
as there are cores, and OpenCV's TV-L1 where its contrib modules are installed. Leaves flow.json and
flow.md in the folder of --out.
"""

import argparse
import json
import pathlib
import sys
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from skimage.registration import optical_flow_tvl1

from data_builders.synthetic import corpora, plan
from data_builders.synthetic.render import Studio
from data_builders.synthetic.scene import Setting, compose, displacement
from mer_jax.inputs.optical_flow import between
from mer_jax.inputs.threads import on_all_cores
from mer_jax.runtime import atomic

from . import machine
from .rounds import interleaved, seconds_of, spread

OURS, PEER = "TV-L1, mer_jax", "TV-L1, scikit-image"
BORDER = 1 / 16  # of a side; there faces move out of the picture

Method = Callable[[np.ndarray, np.ndarray], np.ndarray]


def main(arguments: list[str] | None = None) -> int:
  """Measures, prints the table and writes the results; returns 0."""
  given = _parse(arguments)
  results: dict[str, Any] = {
    "machine": machine.describe(),
    "time": time.strftime("%Y-%m-%d %H:%M:%S %z"),
    "rounds": given.rounds,
    "pairs": given.pairs,
    "sizes": {},
  }
  for size in given.sizes:
    results["sizes"][str(size)] = compare(*faces(given.pairs, size), given.rounds)
  table = markdown(results)
  out = pathlib.Path(given.out)
  atomic.write_text(out / "flow.json", json.dumps(results, indent=2) + "\n")
  atomic.write_text(out / "flow.md", table + "\n")
  print(f"{table}\n\n{machine.caption(results['machine'])}\n{out / 'flow.json'}, flow.md")
  return 0


def faces(pairs: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Onset and apex frames, uint8 [B, size, size], and what moved, float32 [B, size, size, 2]."""
  kind = corpora.CASME2
  setting = Setting(kind, kind.trees[0], size, 1.0, 0)
  studio, found = Studio(setting), []
  for clip in plan.plan(kind, 4 + 2 * pairs, 1, 0, kind.trees[0]):
    scene = compose(setting, clip)
    apex = clip.apex - clip.onset
    if scene.motion.lids[[0, apex]].any():  # a blink hides what the truth describes
      continue
    frames = list(studio.frames(scene))
    moved = displacement(scene, apex)
    moved *= np.array([size, size]) / moved.shape[1::-1]
    found.append([_square(image, size) for image in (frames[0], frames[apex], moved)])
    if len(found) == pairs:
      break
  before, after, truth = (np.stack(part) for part in zip(*found, strict=True))
  return before, after, truth


def compare(before: np.ndarray, after: np.ndarray, truth: np.ndarray, rounds: int) -> dict:
  """Seconds for all pairs, and end-point errors, of every method."""
  named = methods()
  flows = {name: method(before, after) for name, method in named.items()}  # compiles, too
  tasks = {n: seconds_of(lambda m=m: m(before, after)) for n, m in named.items()}
  taken = interleaved(tasks, rounds, lambda _: None)
  still = {"no flow at all": np.zeros_like(truth)}
  return {
    "seconds": {name: spread(seconds) for name, seconds in taken.items()},
    "error": {name: _distance(uv, truth) for name, uv in {**flows, **still}.items()},
    "from_scikit_image": {name: _distance(uv, flows[PEER]) for name, uv in flows.items()},
  }


def methods() -> dict[str, Method]:
  """Every method, [B, H, W] uint8 twice to float32 [B, H, W, 2]."""
  found: dict[str, Method] = {
    OURS: lambda before, after: between(before, after, "tv_l1"),
    PEER: lambda before, after: np.stack(list(map(_scikit_image, before, after))),
    f"{PEER}, threads": lambda before, after: np.stack(on_all_cores(_scikit_image, before, after)),
    "Farneback, OpenCV": lambda before, after: between(before, after, "farneback"),
    "DIS, OpenCV": lambda before, after: between(before, after, "dis"),
  }
  if hasattr(cv2, "optflow"):
    found["TV-L1, OpenCV"] = lambda before, after: np.stack(on_all_cores(_opencv, before, after))
  return found


def markdown(results: dict[str, Any]) -> str:
  """One table of all sizes."""
  rows = []
  for size, found in results["sizes"].items():
    ours = found["seconds"][OURS]["median"]
    for name, error in found["error"].items():
      seconds = found["seconds"].get(name)
      rate, ratio = "", ""
      if seconds:
        rate = f"{results['pairs'] / seconds['median']:.1f}"
        ratio = f"{ours / seconds['median']:.2f}"
      quality = f"{error['median']:.3f} | {error['mean']:.3f}"
      rows.append(f"| {size} | {name} | {rate} | {ratio} | {quality} |")
  head = (
    "| pixels | method | pairs a second | speed, ours = 1 | median error, px | mean error, px |"
  )
  return "\n".join([head, "|---|---|---|---|---|---|", *rows])


def _scikit_image(before: np.ndarray, after: np.ndarray) -> np.ndarray:
  v, u = optical_flow_tvl1(before, after)
  return np.stack([u, v], axis=-1)


def _opencv(before: np.ndarray, after: np.ndarray) -> np.ndarray:
  return cv2.optflow.DualTVL1OpticalFlow_create().calc(before, after, None)


def _square(image: np.ndarray, size: int) -> np.ndarray:
  """A frame, gray, or a field of displacements, resized."""
  if image.dtype == np.uint8 and image.ndim == 3:
    image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
  return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)


def _distance(uv: np.ndarray, other: np.ndarray) -> dict[str, float]:
  border = int(np.ceil(BORDER * uv.shape[1]))
  apart = (uv - other)[:, border:-border, border:-border]
  lengths = np.hypot(apart[..., 0], apart[..., 1])
  return {"median": float(np.median(lengths)), "mean": float(lengths.mean())}


def _parse(arguments: list[str] | None) -> argparse.Namespace:
  parser = argparse.ArgumentParser(
    prog="python -m tests.benchmarks.flow",
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument("--pairs", type=int, default=32, help="pairs of frames")
  parser.add_argument("--sizes", type=int, nargs="+", default=[128, 224], help="pixels of a side")
  parser.add_argument("--rounds", type=int, default=5, help="turns of each method")
  parser.add_argument("--out", default="build/benchmarks", help="folder for the results")
  given = parser.parse_args(arguments)
  for name, least in (("pairs", 1), ("rounds", 1)):
    if getattr(given, name) < least:
      parser.error(f"--{name} is {getattr(given, name)}; it must be at least {least}")
  if min(given.sizes) < 32:
    parser.error(f"--sizes has {min(given.sizes)}; a face needs at least 32 pixels")
  return given


if __name__ == "__main__":
  sys.exit(main())
