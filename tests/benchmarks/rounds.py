"""Timings taken in turn, so that a busy minute of the machine hits all alike."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any


def seconds_of(work: Callable[[], None]) -> Callable[[], float]:
  """`work` with a clock around it."""

  def timed() -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start

  return timed


def interleaved(
  tasks: Mapping[str, Callable[[], float]], rounds: int, say: Callable[[str], None]
) -> dict[str, list[float]]:
  """What each of `tasks` returned in each round: a b c a b c, so that a busy minute hits all."""
  taken: dict[str, list[float]] = {name: [] for name in tasks}
  for number in range(rounds):
    for name, task in tasks.items():
      taken[name].append(task())
    say(f"round {number + 1} of {rounds}")
  return taken


def spread(values: list[float]) -> dict[str, Any]:
  """Median, extremes and all of `values`."""
  return {
    "median": statistics.median(values),
    "min": min(values),
    "max": max(values),
    "all": values,
  }
