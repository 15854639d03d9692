"""Leave-one-subject-out, measured beside peers: python -m tests.benchmarks.loso

For the paper's parallel CNN + LSTM at full size and for STSTNet at its authors' settings: (a) this
engine, all folds in one program; (b) the same jitted step fold by fold, compiled once; (c) a
PyTorch loop fold by fold. It first proves that all three compute the same thing, then times epochs
in turn, and leaves loso.json, loso.md (the README's table) and loso.png in the folder of --out.
Needs the extra `peers`.
"""

import argparse
import importlib.util
import json
import os
import pathlib
import sys
import time

import jax

from mer_jax.runtime import atomic


def main(arguments: list[str] | None = None) -> int:
  """Measures, prints the table and writes the results.

  Returns:
    0; 1 if the contenders do not compute the same thing, 2 without PyTorch.
  """
  given = _parse(arguments)
  if importlib.util.find_spec("torch") is None:
    print("error: PyTorch is not installed; pip install -e '.[peers]'", file=sys.stderr)
    return 2
  if given.devices > 1 and jax.config.jax_num_cpu_devices < 1:  # not yet said by somebody else
    jax.config.update("jax_num_cpu_devices", given.devices)
  from . import machine, measure, parity, report, torch_loop

  results = {
    "machine": machine.describe() | {"torch_device": torch_loop.torch_device().type},
    "time": time.strftime("%Y-%m-%d %H:%M:%S %z"),
    "rounds": given.rounds,
    "quick": given.quick,
    "models": {},
  }
  print(machine.caption(results["machine"]))
  machine.equal_precision()
  try:
    for name in given.models.split(","):
      results["models"][name] = measure.model(name, given.rounds, given.quick, print)
  except parity.ParityError as error:
    print(f"error: {error}", file=sys.stderr)
    return 1
  out = pathlib.Path(given.out)
  table = report.markdown(results)
  atomic.write_text(out / "loso.json", json.dumps(results, indent=2) + "\n")
  atomic.write_text(out / "loso.md", table + "\n")
  atomic.write_bytes(out / "loso.png", report.figure(results))
  print(f"\n{table}\n\n{out / 'loso.json'}, loso.md, loso.png")
  return 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
  parser = argparse.ArgumentParser(
    prog="python -m tests.benchmarks.loso",
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument(
    "--models", default="parallel_cnn_lstm,ststnet", help="names, divided by commas"
  )
  parser.add_argument("--rounds", type=int, default=5, help="turns of each contender")
  parser.add_argument("--quick", action="store_true", help="tiny sizes: a trial, no measurement")
  parser.add_argument("--out", default="build/benchmarks", help="folder for the results")
  parser.add_argument(
    "--devices",
    type=int,
    default=os.cpu_count() or 1,
    help="devices that a CPU is for (a), as config.devices; its cores, if not given",
  )
  given = parser.parse_args(arguments)
  from .workloads import WORKLOADS

  wrong = [name for name in given.models.split(",") if name not in WORKLOADS]
  if wrong:
    parser.error(f"--models: unknown {', '.join(wrong)}; known: {', '.join(WORKLOADS)}")
  if given.rounds < 1:
    parser.error(f"--rounds is {given.rounds}; it must be at least 1")
  return given


if __name__ == "__main__":
  sys.exit(main())
