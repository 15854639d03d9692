"""How long classical features of a whole corpus take: python -m tests.benchmarks.features

On drawn gray clips as many, as long and as large as those of CASME II. An extractor that is to be
measured too is one more line of `EXTRACTORS`. Leaves features.json in the folder of --out.
"""

import argparse
import json
import pathlib
import sys
import time
from typing import Any

import cv2
import numpy as np

from mer_jax import inputs
from mer_jax.clips import GRAY, Clips
from mer_jax.runtime import atomic

from . import machine

# What the table calls it: the input and its options.
EXTRACTORS: dict[str, tuple[str, dict[str, Any]]] = {
  "LBP-TOP, 4 neighbours, 10 frames": ("lbp_top", {"neighbours": 4, "num_frames": 10}),
  "LBP-TOP, 8 neighbours, 10 frames": ("lbp_top", {"neighbours": 8, "num_frames": 10}),
  "LBP-TOP, 4 neighbours, 64 frames": ("lbp_top", {"neighbours": 4, "num_frames": 64}),
  "LBP-TOP, 8 neighbours, 64 frames": ("lbp_top", {"neighbours": 8, "num_frames": 64}),
}
MEAN_FRAMES = 68  # of a clip of CASME II, 24 to 141


def main(arguments: list[str] | None = None) -> int:
  """Times every extractor once, prints the table and writes the results; returns 0."""
  parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.features", description=__doc__)
  parser.add_argument("--clips", type=int, default=255, help="how many clips")
  parser.add_argument("--size", type=int, default=224, help="height and width in pixels")
  parser.add_argument("--out", default="build/benchmarks", help="folder for the results")
  given = parser.parse_args(arguments)
  for flag, least in (("clips", 1), ("size", 16)):
    if getattr(given, flag) < least:
      parser.error(f"--{flag} is {getattr(given, flag)}; it must be at least {least}")
  described = machine.describe()
  clips = draw(given.clips, given.size)
  results = {
    "machine": described,
    "time": time.strftime("%Y-%m-%d %H:%M:%S %z"),
    "clips": len(clips),
    "frames": len(clips.frames),
    "size": given.size,
    "extractors": {name: measure(clips, *chosen) for name, chosen in EXTRACTORS.items()},
  }
  out = pathlib.Path(given.out) / "features.json"
  atomic.write_text(out, json.dumps(results, indent=2) + "\n")
  print(f"{table(results)}\n\n{machine.caption(described)}\n{out}")
  return 0


def draw(num_clips: int, size: int) -> Clips:
  """Clips of smooth random texture that drifts, with the noise of a camera."""
  rng = np.random.default_rng(0)
  lengths = np.clip(rng.normal(MEAN_FRAMES, 20, num_clips), 24, 141).astype(np.int64)
  starts = np.concatenate([[0], np.cumsum(lengths)])
  frames = np.empty((starts[-1], size, size, 1), np.uint8)
  noise = rng.normal(0, 1.5, (2 * size, 2 * size)).astype(np.float32)
  for n, length in enumerate(lengths):
    coarse = rng.uniform(40, 215, (size // 8 + 4, size // 8 + 4)).astype(np.float32)
    texture = cv2.resize(coarse, (size + 32, size + 32), interpolation=cv2.INTER_CUBIC)
    for t in range(length):
      y, x = rng.integers(0, size, 2)
      shift = np.float32([[1, 0, -16 - 3 * np.sin(t / 11)], [0, 1, -16 + 2 * np.sin(t / 17)]])
      frame = cv2.warpAffine(texture, shift, (size, size)) + noise[y : y + size, x : x + size]
      frames[starts[n] + t, ..., 0] = np.clip(frame, 0, 255)
  last = (lengths - 1).astype(np.int32)
  text = np.full(num_clips, "")
  return Clips(
    frames=frames,
    starts=starts,
    dataset=np.full(num_clips, "casme2"),
    subject=np.full(num_clips, "sub01"),
    clip=np.array([f"EP{n:03d}" for n in range(num_clips)]),
    emotion=np.full(num_clips, "others"),
    action_units=text,
    objective_class=text,
    onset=np.zeros(num_clips, np.int32),
    apex=last // 2,
    offset=last,
    apex_missing=np.zeros(num_clips, bool),
    fps=np.full(num_clips, 200, np.float32),
    first_frame=np.zeros(num_clips, np.int64),
    last_frame=last.astype(np.int64),
    synthetic=np.ones(num_clips, bool),
    channels=GRAY,
  )


def measure(clips: Clips, name: str, options: dict[str, Any]) -> dict[str, float]:
  """Seconds for all clips; apart, what the first takes longer, which is mostly compiling."""
  first = _seconds(clips.select([0]), name, options)
  again = _seconds(clips.select([0]), name, options)
  return {"seconds": _seconds(clips, name, options), "compile_seconds": max(first - again, 0.0)}


def table(results: dict[str, Any]) -> str:
  """Markdown: a row for each extractor, and their sum."""
  taken = results["extractors"]
  rows = [
    f"| {name} | {found['seconds']:.1f} | {1e3 * found['seconds'] / results['clips']:.1f} |"
    f" {found['compile_seconds']:.1f} |"
    for name, found in taken.items()
  ]
  total = sum(found["seconds"] for found in taken.values())
  return "\n".join(
    [
      f"{results['clips']} clips, {results['frames']} frames of {results['size']} x"
      f" {results['size']} pixels",
      "",
      "| features | seconds | ms a clip | once, to compile |",
      "|---|---|---|---|",
      *rows,
      f"| all | {total:.1f} | {1e3 * total / results['clips']:.1f} | |",
    ]
  )


def _seconds(clips: Clips, name: str, options: dict[str, Any]) -> float:
  start = time.perf_counter()
  inputs.make(name, clips, **options)
  return time.perf_counter() - start


if __name__ == "__main__":
  sys.exit(main())
