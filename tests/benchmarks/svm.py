"""Linear SVMs leave-one-subject-out, beside scikit-learn's: python -m tests.benchmarks.svm

The 442 clips and 68 folds of MEGC2019 in numbers, features drawn at the sizes of LBP-TOP, HOOF and
flow maps, C = 1000, balanced. All folds in one program (mer_jax) against LinearSVC fold by fold: as
it comes, and with the settings that give the same decision values soonest (found on the first fold,
checked on all). Leaves svm.json and svm.md in the folder of --out.
"""

import argparse
import json
import pathlib
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

from mer_jax import svm
from mer_jax.runtime import atomic

from . import machine
from .rounds import interleaved, seconds_of, spread

CLASSES, COST = 3, 1000.0
EQUAL = 1e-3  # of decision values
OURS, DEFAULT, SAME = "mer_jax, all folds", "LinearSVC as it comes", "LinearSVC, same values"
# The solvers of LIBLINEAR, each from its default tolerance to tighter ones.
TOLERANCES = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
FULL = {"clips": 442, "folds": 68, "features": (177, 512, 2352)}
QUICK = {"clips": 60, "folds": 5, "features": (20, 80)}


class Problem(NamedTuple):
  """features [N, D], labels [N], held_out [F, N]."""

  features: np.ndarray
  labels: np.ndarray
  held_out: np.ndarray


def main(arguments: list[str] | None = None) -> int:
  """Measures, prints the table and writes the results.

  Returns:
    0; 1 if the decision values are not the same.
  """
  given = _parse(arguments)
  sizes = QUICK if given.quick else FULL
  results: dict[str, Any] = {
    "machine": machine.describe(),
    "time": time.strftime("%Y-%m-%d %H:%M:%S %z"),
    "rounds": given.rounds,
    "quick": given.quick,
    "features": {},
  }
  for d in given.features or sizes["features"]:
    found = compare(draw(sizes["clips"], sizes["folds"], d), given.rounds)
    print(f"{d} features: { ({n: round(s['median'], 2) for n, s in found['seconds'].items()}) }")
    results["features"][str(d)] = found
    if found["difference"][SAME] > EQUAL:
      print(f"error: decision values differ by {found['difference'][SAME]:.2g}", file=sys.stderr)
      return 1
  out, table = pathlib.Path(given.out), markdown(results)
  atomic.write_text(out / "svm.json", json.dumps(results, indent=2) + "\n")
  atomic.write_text(out / "svm.md", table + "\n")
  print(f"{table}\n\n{out / 'svm.json'}, svm.md")
  return 0


def draw(clips: int, folds: int, d: int, seed: int = 0) -> Problem:
  """Histograms that sum to one for each 59 bins (pixels in 0..1 from 1000 columns on), and a class
  that moves each of them a little; subjects of very different size.
  """
  rng = np.random.default_rng(seed)
  labels = np.concatenate(
    [np.arange(CLASSES), rng.choice(CLASSES, clips - CLASSES, p=(0.57, 0.25, 0.18))]
  )
  of_class = rng.normal(size=(CLASSES, d))[labels]
  if d < 1000:
    positive = np.maximum(rng.gamma(2.0, 1.0, (clips, d)) + 0.3 * of_class, 0)
    features = positive / positive.sum(axis=1, keepdims=True) * max(1, d // 59)
  else:
    features = 0.5 + 0.3 * rng.random((clips, d)) + 0.05 * of_class
  more = rng.choice(folds, clips - folds, p=rng.dirichlet(np.ones(folds)))
  subjects = rng.permutation(np.concatenate([np.arange(folds), more]))
  return Problem(features, labels, subjects == np.arange(folds)[:, None])


def compare(problem: Problem, rounds: int) -> dict[str, Any]:
  """Seconds for all folds of every way, and how far its decision values are from ours."""
  same = settings_of_same_values(problem)
  tasks: dict[str, Callable[[], np.ndarray]] = {
    OURS: lambda: ours(problem),
    DEFAULT: lambda: peer(problem, {"dual": False}),
    SAME: lambda: peer(problem, same),
  }
  values = {name: task() for name, task in tasks.items()}  # compiles, too
  timed = {name: seconds_of(lambda task=task: task()) for name, task in tasks.items()}
  taken = interleaved(timed, rounds, lambda _: None)
  return {
    "seconds": {name: spread(seconds) for name, seconds in taken.items()},
    "difference": {n: float(np.abs(v - values[OURS]).max()) for n, v in values.items()},
    "same_values_with": same,
  }


def settings_of_same_values(problem: Problem) -> dict[str, Any]:
  """The settings of LinearSVC that are soonest at our decision values, on the first fold."""
  first = problem._replace(held_out=problem.held_out[:1])
  wanted = ours(problem)[problem.held_out[0]]
  good = []
  for dual in (True, False):
    for tolerance in TOLERANCES:
      settings = {"dual": dual, "tol": tolerance}
      start = time.perf_counter()
      found = peer(first, settings)[problem.held_out[0]]
      seconds = time.perf_counter() - start
      if np.abs(found - wanted).max() < EQUAL / 10:
        good.append((seconds, settings))
        break  # a tighter tolerance only takes longer
  if not good:
    raise RuntimeError("No settings of LinearSVC reach these decision values.")
  return min(good, key=lambda one: one[0])[1]


def ours(problem: Problem) -> np.ndarray:
  """Decision values [N, K] of the clips by the fold that holds them out."""
  machine = svm.Machine(kernel="linear", cost=COST)
  arrays = problem.features, problem.labels, problem.held_out
  return svm.loso(*arrays, CLASSES, machine, shown=False).decisions


def peer(problem: Problem, settings: dict[str, Any]) -> np.ndarray:
  """The same of LinearSVC, fold by fold; NaN for clips that no fold of `problem` holds out."""
  values = np.full((len(problem.labels), CLASSES), np.nan)
  with warnings.catch_warnings():
    warnings.simplefilter("ignore", ConvergenceWarning)
    for holds in problem.held_out:
      fold = LinearSVC(C=COST, class_weight="balanced", max_iter=2000, random_state=0, **settings)
      fold.fit(problem.features[~holds], problem.labels[~holds])
      values[holds] = fold.decision_function(problem.features[holds])
  return values


def markdown(results: dict[str, Any]) -> str:
  """One table of all numbers of features, with what it was measured on below."""
  lines = [
    "| features | way | seconds, all folds | ours is | decision values differ by |",
    "|---|---|---|---|---|",
  ]
  for d, found in results["features"].items():
    for name, seconds in found["seconds"].items():
      ratio = seconds["median"] / found["seconds"][OURS]["median"]
      with_ = found["same_values_with"]
      solver = f" (dual={with_['dual']}, tol={with_['tol']:g})" if name == SAME else ""
      lines.append(
        f"| {d} | {name}{solver} | {seconds['median']:.2f} ({seconds['min']:.2f} to"
        f" {seconds['max']:.2f}) | {ratio:.1f} x as fast | {found['difference'][name]:.1g} |"
      )
  trial = ["A trial at tiny sizes; its numbers mean nothing.", ""] * results["quick"]
  caption = f"{machine.caption(results['machine'])}. Medians of {results['rounds']} rounds in turn."
  return "\n".join([*lines, "", *trial, caption])


def _parse(arguments: list[str] | None) -> argparse.Namespace:
  parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.svm", description=__doc__)
  parser.add_argument("--rounds", type=int, default=5, help="turns of each way")
  parser.add_argument(
    "--features", type=int, nargs="*", help="how many; all three sizes, if not given"
  )
  parser.add_argument("--quick", action="store_true", help="tiny sizes: a trial, no measurement")
  parser.add_argument("--out", default="build/benchmarks", help="folder for the results")
  given = parser.parse_args(arguments)
  if given.rounds < 1:
    parser.error(f"--rounds is {given.rounds}; it must be at least 1")
  return given


if __name__ == "__main__":
  sys.exit(main())
