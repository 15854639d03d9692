"""Hands random input to the package until the time is over, and prints what it did not take.

python -m tests.fuzz --minutes 10
python -m tests.fuzz --seed 1234        # a case again, with its traceback
"""

import argparse
import collections
import faulthandler
import pathlib
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence

from tests.fuzz import cases

SECONDS = 120  # after which a case hangs; some train, perhaps on a busy machine


class Hang(BaseException):
  """A case that does not end; no `except Exception` takes it."""


def main(arguments: Sequence[str] | None = None) -> int:
  """The command line; 1 where something was not taken."""
  parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
  parser.add_argument("--minutes", type=float, default=1.0)
  parser.add_argument("--seed", type=int, help="of the only case to run")
  parser.add_argument("--first", type=int, help="the first seed; default: a random one")
  options = parser.parse_args(arguments)
  first = random.randrange(10**9) if options.first is None else options.first
  with tempfile.TemporaryDirectory() as root:
    ground = _ground(pathlib.Path(root))
    if options.seed is not None:
      return len(findings([options.seed], ground, sys.maxsize))
    print(f"cases from seed {first} on", flush=True)
    seeds = range(first, first + 10**6)
    return min(1, len(findings(seeds, ground, 60 * options.minutes)))


def findings(seeds: Sequence[int], ground: cases.Ground, seconds: float) -> list[int]:
  """Runs cases until `seconds` are over, and prints those that fail; returns their seeds."""
  counts: collections.Counter[str] = collections.Counter()
  failed, end = [], time.monotonic() + seconds
  before = signal.signal(signal.SIGALRM, _hang)
  for seed in seeds:
    if time.monotonic() > end:
      break
    try:
      counts[_watched(seed, ground)] += 1
    except (Exception, Hang, SystemExit):
      failed.append(seed)
      print(f"\nseed {seed} ({cases.kind_of(seed)}):\n{traceback.format_exc()}", flush=True)
  signal.signal(signal.SIGALRM, before)
  kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items()))
  print(f"{sum(counts.values()) + len(failed)} cases ({kinds}), {len(failed)} not taken: {failed}")
  return failed


def _watched(seed: int, ground: cases.Ground) -> str:
  """The kind of a case that ended; `Hang` is raised in one that does not."""
  # The second one is for what never returns to Python.
  signal.setitimer(signal.ITIMER_REAL, SECONDS)
  faulthandler.dump_traceback_later(2 * SECONDS + 1, exit=True, file=sys.__stderr__)
  try:
    return cases.run(seed, ground)
  finally:
    signal.setitimer(signal.ITIMER_REAL, 0)
    faulthandler.cancel_dump_traceback_later()


def _hang(number, frame) -> None:
  raise Hang(f"no end after {SECONDS} s")


def _ground(root: pathlib.Path) -> cases.Ground:
  from data_builders import build, synthetic
  from mer_jax.report import style

  style.DPI = 30
  synthetic.write("casme2", root / "corpus", subjects=4, clips_per_subject=4, size=64)
  build.build("casme2", root / "corpus", root / "data", "frames48")
  return cases.prepared(root / "data", root)


if __name__ == "__main__":
  sys.exit(main())
