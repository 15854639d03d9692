"""mer_jax spot: finds micro- and macro-expressions in a corpus of long videos, and scores that.

DIR is CAS(ME)^2 or SAMM Long Videos as their owners distribute them, or drawn in their formats. OUT
gets spotting.json, the scores, and intervals.csv, what was spotted.
"""

import argparse
import pathlib
from collections.abc import Sequence

import numpy as np

from mer_jax.cli import examples
from mer_jax.runtime import command_line


def main(arguments: Sequence[str] | None = None) -> int:
  """The command line; returns the exit code."""
  return command_line.execute(parser(), run, arguments)


def run(options: argparse.Namespace) -> int:
  """Spots what parsed arguments describe and prints the scores; returns the exit code."""
  from data_builders import frames, long_videos
  from mer_jax.experiment.spotting import spot_corpus

  def read(path: pathlib.Path, colour: bool) -> np.ndarray | None:
    try:
      return frames.read(path, frames.COLOR if colour else frames.GRAY)
    except frames.FrameError:
      return None

  corpus = long_videos.read(options.corpus)
  names = ("method", "threshold", "model", "detector")
  chosen = {name: getattr(options, name) for name in names}
  summary = spot_corpus(corpus, read, options.out, **chosen)
  print("\n".join(_lines(summary, pathlib.Path(options.out))))
  return 0


def parser() -> command_line.Parser:
  """The arguments of the command."""
  built = command_line.Parser(prog="mer_jax spot", description=__doc__, epilog=examples.of("spot"))
  add = built.add_argument
  add("corpus", metavar="DIR", help="folder of the corpus")
  add("--out", required=True, metavar="OUT", help="folder for what is left behind")
  add("--method", default="regions", help="regions (default), mdmd or strain")
  add("--threshold", type=float, metavar="X", help="lower spots more; default: the method's own")
  add(
    "--detector",
    default="cascade",
    choices=("auto", "landmarks", "cascade"),
    help="of faces; auto: landmarks where they are installed; default cascade",
  )
  add("--model", default="motion_net_drawn", metavar="NAME", help="names the classes")
  return built


def _lines(summary: dict, out: pathlib.Path) -> list[str]:
  from mer_jax.video.detectors import IN_WORDS

  counts = summary["counts"]["overall"]
  strs = "-" if summary["strs"] is None else f"{summary['strs']:.3f}"
  lines = [
    f"{summary['corpus']}: {summary['videos']} videos, {summary['minutes']:.1f} minutes",
    f"Faces by {IN_WORDS[summary['detector']]}",
    *(f"F1 {kind:7}  {summary[f'f1_{kind}']:.3f}" for kind in ("micro", "macro", "overall")),
    f"STRS        {strs}",
    f"false alarms a minute  {summary['false_alarms_per_minute']:.2f}"
    f" ({counts['right']} right, {counts['wrong']} wrong, {counts['missed']} missed)",
    f"Intervals {out / 'intervals.csv'}",
  ]
  if summary["frames_unreadable"]:
    lines.append(f"Note: {summary['frames_unreadable']} frames could not be read.")
  if summary["frames_not_measured"]:
    states = ", ".join(f"{state} {n}" for state, n in summary["frames_not_measured"].items())
    lines.append(f"Note: frames in which the face could not be measured: {states}.")
  if summary["synthetic"]:
    lines.append("Note: the videos are drawn; the scores say nothing about people.")
  return [*lines, *(f"Note: {remark}" for remark in summary["remarks"])]
