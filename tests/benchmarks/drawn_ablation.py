"""What drawn motion owes to what: python -m tests.benchmarks.drawn_ablation --data_dir=data

Fits motion_net to drawn maps, once as they are and once without each kind of nuisance and each
group of action units, and evaluates every model zero-shot on prepared clips. Every row has a folder
in that of --out, so a stopped ablation goes on where it was; it leaves drawn_ablation.csv and
drawn_ablation.md there. Whoever then changes the drawing by this table has chosen on these clips.
"""

import argparse
import csv
import io
import pathlib
import sys
from collections.abc import Mapping
from typing import Any

from ml_collections import config_dict

import mer_jax
from mer_jax.experiment import fit, run
from mer_jax.face.drawn import Drawing
from mer_jax.runtime import atomic

ALL = "as it is"
NONE = (0.0, 0.0)
# Options of config.drawn by what a row leaves out; of crops their means stay.
NUISANCES: dict[str, dict[str, Any]] = {
  "crop geometry": {
    **{name: (getattr(Drawing(), name)[0], 0.0) for name in ("eye_line", "mouth_line", "pupils")},
    "sideways": 0.0,
  },
  "motion of the head": {"head_shift": 0.0, "head_turn": 0.0},
  "stray units and speech": {"stray_weight": 0.0, "speech": NONE},
  "blink and gaze": {"blink": NONE, "gaze": NONE},
  "fading, shrinking, flattening": {"flat": 0.0, "shrink": NONE, "flatten": NONE},
  "smooth noise": {"noise": (0.0, 0.0, 0.0)},
  "outliers and outside": {"outliers": 0.0, "outside": 0.0},
  "grain of strain": {"speckle": NONE, "decimated": 0.0},
  "white noise and gain": {"white": NONE, "gain": 0.0},
}
UNITS = ((1, 2, 4), (5, 6, 7), (9, 10), (12, 14, 15, 20), (17, 23, 24, 25, 26))
ROWS: dict[str, dict[str, Any]] = {
  ALL: {},
  **{f"no {name}": options for name, options in NUISANCES.items()},
  **{f"no AU {' '.join(map(str, units))}": {"without_units": units} for units in UNITS},
}
COLUMNS = ("row", "uf1", "uar", "difference", "low", "high", "p")
EPOCH = 100  # steps, at most


def main(arguments: list[str] | None = None) -> int:
  """Fits and evaluates every row, prints the table and writes it; returns 0."""
  given = _parse(arguments)
  out = pathlib.Path(given.out)
  folders = {name: out / name.replace(" ", "_").replace(",", "") for name in given.rows}
  for name, folder in folders.items():
    model = fit.fit(fitting(given, ROWS[name]), folder / "fit", quiet=True)
    run.run(evaluating(given, folder / "fit" / "model"), folder / "zero_shot", quiet=True)
    print(f"{name}: {model.digest[:12]}")
  rows = table({name: folder / "zero_shot" for name, folder in folders.items()})
  text = markdown(rows, f"{given.config}, {given.steps} steps, {given.seeds} seeds")
  buffer = io.StringIO()
  writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
  writer.writeheader()
  writer.writerows(rows)
  atomic.write_text(out / "drawn_ablation.csv", buffer.getvalue())
  atomic.write_text(out / "drawn_ablation.md", text + "\n")
  print(f"\n{text}\n\n{out / 'drawn_ablation.md'}, drawn_ablation.csv")
  return 0


def fitting(given: argparse.Namespace, options: Mapping[str, Any]) -> config_dict.ConfigDict:
  """The config of motion_net_drawn with `options` of config.drawn, as short as asked for."""
  config = mer_jax.load_config("motion_net_drawn")
  steps = min(EPOCH, given.steps)
  with config.unlocked():
    config.drawn.update({"epoch_steps": steps, **options})
  config.training.epochs = -(-given.steps // steps)
  config.training.batch_size, config.seeds = given.batch_size, given.seeds
  # The mean over the last fifth of the training.
  config.training.average_decay = 1 - 5 / max(given.steps, 10)
  return config


def evaluating(given: argparse.Namespace, weights: pathlib.Path) -> config_dict.ConfigDict:
  """The config of the prepared clips, evaluated by `weights`."""
  config = mer_jax.load_config(given.config)
  config.data.data_dir, config.seeds = given.data_dir, given.seeds
  config.protocol.allow_incomplete = given.allow_incomplete
  config.start.weights = str(weights)
  return config


def table(folders: Mapping[str, pathlib.Path]) -> list[dict[str, Any]]:
  """Scores of every run, and its difference from the first, paired over subjects.

  Returns:
    For each run the values of `COLUMNS`: uf1 and uar, means over its seeds; difference of uf1 with
    low and high of its 95 % interval and p, None for the first.
  """
  content = mer_jax.compare([folder for folder in folders.values()])
  rows = []
  for i, (name, scored) in enumerate(zip(folders, content["runs"], strict=True)):
    scores = {key: scored["scores"][key]["mean"] for key in ("uf1", "uar")}
    against = content["comparisons"][i - 1]["scores"]["uf1"] if i else None
    low, high = (against["interval"] if against else None) or (None, None)
    rows.append(
      {
        "row": name,
        **scores,
        "difference": against and against["difference"],
        "low": low,
        "high": high,
        "p": against and against["p"],
      }
    )
  return rows


def markdown(rows: list[dict[str, Any]], caption: str) -> str:
  """The table, with what it was measured on below."""
  lines = [
    "| drawn | UF1 | UAR | difference of UF1 | 95 % interval | p |",
    "|---|---|---|---|---|---|",
  ]
  for row in rows:
    difference, interval, p = ("", "", "")
    if row["difference"] is not None:
      difference, p = f"{row['difference']:+.3f}", f"{row['p']:.3f}"
    if row["low"] is not None:
      interval = f"{row['low']:+.3f} to {row['high']:+.3f}"
    scores = f"{row['uf1']:.3f} | {row['uar']:.3f}"
    lines.append(f"| {row['row']} | {scores} | {difference} | {interval} | {p} |")
  note = (
    f"{caption}. Means over the seeds; differences from the first row, intervals over subjects, p"
    " not corrected for the number of rows."
  )
  return "\n".join([*lines, "", note])


def _parse(arguments: list[str] | None) -> argparse.Namespace:
  parser = argparse.ArgumentParser(
    prog="python -m tests.benchmarks.drawn_ablation",
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument("--config", default="motion_net_zero_shot:casme2_maps", help="whose clips")
  parser.add_argument("--data_dir", default="data", help="where they are prepared")
  parser.add_argument("--allow_incomplete", action="store_true", help="clips of a part of a corpus")
  parser.add_argument("--steps", type=int, default=800, help="of every fit")
  parser.add_argument("--batch_size", type=int, default=32, help="drawn maps in a step")
  parser.add_argument("--seeds", type=int, default=2, help="of every fit")
  parser.add_argument("--rows", nargs="+", default=list(ROWS), help="some of the rows")
  parser.add_argument("--out", default="build/drawn_ablation", help="folder for rows and results")
  given = parser.parse_args(arguments)
  for name in ("steps", "batch_size", "seeds"):
    if getattr(given, name) < 1:
      parser.error(f"--{name} is {getattr(given, name)}; it must be at least 1")
  wrong = [name for name in given.rows if name not in ROWS]
  if wrong or ALL not in given.rows:
    parser.error(f"--rows has {wrong or 'no ' + repr(ALL)}; choose from {', '.join(ROWS)}")
  given.rows = [name for name in ROWS if name in given.rows]
  return given


if __name__ == "__main__":
  sys.exit(main())
