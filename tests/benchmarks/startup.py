"""How long it takes until the first line runs: python -m tests.benchmarks.startup

Fresh processes in turn, round after round, beside `import jax`, which nothing here can do without.
Leaves startup.json in the folder of --out.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

from mer_jax.runtime import atomic

from . import machine
from .rounds import interleaved, seconds_of, spread

ROOT = pathlib.Path(__file__).parents[2]

YARDSTICK = "import jax"
STARTS = {
  "nothing": ("-c", ""),
  YARDSTICK: ("-c", "import jax"),
  "import mer_jax": ("-c", "import mer_jax"),
  "import jax, flax, optax": ("-c", "import jax, flax.linen, optax"),
  "from mer_jax.experiment import run": ("-c", "from mer_jax.experiment import run"),
  "python -m mer_jax.main --helpshort": ("-m", "mer_jax.main", "--helpshort"),
}


def main(arguments: list[str] | None = None) -> int:
  """Times every start, prints the table and writes the results; returns 0."""
  parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.startup", description=__doc__)
  parser.add_argument("--rounds", type=int, default=7, help="turns of each start")
  parser.add_argument("--out", default="build/benchmarks", help="folder for the results")
  given = parser.parse_args(arguments)
  if given.rounds < 1:
    parser.error(f"--rounds is {given.rounds}; it must be at least 1")
  for name in STARTS:
    start(name)  # writes bytecode, fills the file cache
  tasks = {name: seconds_of(lambda name=name: start(name)) for name in STARTS}
  taken = interleaved(tasks, given.rounds, lambda _: None)
  seconds = {name: spread(taken[name]) for name in STARTS}
  results = {
    "machine": machine.describe(),
    "time": time.strftime("%Y-%m-%d %H:%M:%S %z"),
    "rounds": given.rounds,
    "seconds": seconds,
    "against_jax": {n: s["median"] / seconds[YARDSTICK]["median"] for n, s in seconds.items()},
  }
  out = pathlib.Path(given.out) / "startup.json"
  atomic.write_text(out, json.dumps(results, indent=2) + "\n")
  print(f"{_table(results)}\n\n{machine.caption(results['machine'])}\n{out}")
  return 0


def start(name: str) -> None:
  """Runs `STARTS[name]` in a fresh interpreter to its end."""
  # absl's help leaves with 1.
  done = subprocess.run(
    [sys.executable, *STARTS[name]], cwd=ROOT, env=os.environ, capture_output=True
  )
  if b"Traceback" in done.stderr:
    raise RuntimeError(f"{name} failed:\n{done.stderr.decode()}")


def _table(results: dict) -> str:
  rows = [
    f"| `{name}` | {s['median']:.2f} ({s['min']:.2f} to {s['max']:.2f}) |"
    f" {results['against_jax'][name]:.2f} |"
    for name, s in results["seconds"].items()
  ]
  return "\n".join(["| start | seconds | against import jax |", "|---|---|---|", *rows])


if __name__ == "__main__":
  sys.exit(main())
