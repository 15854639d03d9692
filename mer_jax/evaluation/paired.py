"""Two runs over the same clips: by how much their scores differ, and whether by chance.

The held-out subject is the unit throughout, as in `intervals`. With several seeds every score is
the mean over a run's seeds of the pooled score.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from mer_jax.evaluation import intervals
from mer_jax.evaluation.clip_table import ClipTable, by_subject
from mer_jax.evaluation.permutation import TIE
from mer_jax.targets import single_class

PERMUTATIONS = 9999


def difference(
  a: ClipTable,
  b: ClipTable,
  level: float = intervals.LEVEL,
  resamples: int = intervals.RESAMPLES,
  permutations: int = PERMUTATIONS,
) -> dict[str, Any]:
  """How run b differs from run a.

  Exchanging a and b turns the signs of differences and intervals and changes no p-value.

  Args:
    a, b: over the same clips, all of which every seed predicted; any number of seeds.
    level: of the intervals, within 0..1.
    resamples: of the bootstrap over subjects, which draws the same subjects of both runs.
    permutations: most ways of exchanging that are tried; all there are (2^F), if not more.

  Returns:
    scores: for each of `single_class.SCORES`: `difference` (b - a); `interval` [low, high] of it,
      None where no dataset has two subjects; `p`, two-sided: were the two runs alike, their
      predictions could be exchanged for any subject; how often such exchanges give a difference as
      large. Runs with different numbers of seeds are not quite exchangeable, and p is then
      approximate.
    mcnemar: `a_only`, `b_only` (clips that only this run has right) and `p` (exact, two-sided) of
      McNemar's test on clips, the customary extra, which takes the clips of a person for
      independent. None where a run has several seeds: their clips are not trials of their own.

  Raises:
    ConfigError: `level` or `resamples` is out of range.
  """
  intervals.check_level(level, resamples)
  dataset, first, second = _matched(a, b)
  everyone = np.ones((1, len(dataset)))
  observed = _gap(everyone, first, second)
  exchanged = _exchanged(first, second, permutations)
  resampled = None
  if intervals.degrees(dataset) >= 1:
    resampled = _gap(intervals.draws(dataset, resamples), first, second)
  scores = {
    name: {
      "difference": float(observed[name][0]),
      "interval": intervals.ends(resampled[name], dataset, level) if resampled else None,
      "p": _two_sided(float(observed[name][0]), exchanged[name], len(dataset)),
    }
    for name in single_class.SCORES
  }
  return {"scores": scores, "mcnemar": mcnemar(a, b)}


def mcnemar(a: ClipTable, b: ClipTable) -> dict[str, Any] | None:
  """McNemar's exact test on the clips of two runs of one seed each; None for more seeds.

  Under the hypothesis that both are right equally often, each clip that only one of them has right
  is that of either with probability 1/2. McNemar, Psychometrika 12, 1947. That holds of clips of
  different people; where either run had its own luck with each person, this test called 15 to 17 %
  of simulated pairs of equal runs different at 5 %, the exchange of subjects 2 to 5 %.
  """
  if len(a.seeds) != 1 or len(b.seeds) != 1:
    return None
  right_a, right_b = a.prediction[0] == a.label, b.prediction[0] == b.label
  a_only, b_only = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
  n = a_only + b_only
  tail = sum(math.comb(n, i) for i in range(min(a_only, b_only) + 1))
  # Whole numbers to the end: 2^n leaves the floats at a thousand clips.
  p = min(2 * tail, 2**n) / 2**n
  return {"a_only": a_only, "b_only": b_only, "p": p}


def holm(p: Sequence[float]) -> list[float]:
  """p-values [n] of n comparisons, corrected for their number. Holm, Scand. J. Stat. 6, 1979."""
  order = np.argsort(p, kind="stable")
  corrected = np.empty(len(p))
  steps = np.asarray(p)[order] * np.arange(len(p), 0, -1)
  corrected[order] = np.minimum(np.maximum.accumulate(steps), 1)
  return corrected.tolist()


def _matched(a: ClipTable, b: ClipTable) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """str [F], and the counts of either run, [L, F, K, K], with as many columns for seeds.

  Seeds are repeated up to the least common multiple, which leaves the mean over them as it is.
  """
  reference, other = by_subject(a), by_subject(b)
  columns = math.lcm(len(a.seeds), len(b.seeds))
  first, second = (
    np.tile(part.confusions, (columns // len(part.confusions), 1, 1, 1))
    for part in (reference, other)
  )
  return reference.dataset, first, second


def _gap(weights: np.ndarray, first: np.ndarray, second: np.ndarray) -> dict[str, np.ndarray]:
  """The scores of `second` minus those of `first`, [R], for R weightings of the subjects."""
  reference, other = intervals.pooled(weights, first), intervals.pooled(weights, second)
  return {name: other[name] - reference[name] for name in single_class.SCORES}


def _exchanged(first: np.ndarray, second: np.ndarray, permutations: int) -> dict[str, np.ndarray]:
  """The difference [R] after the runs exchanged their predictions for some of the subjects."""
  f = first.shape[1]
  if f < 63 and 2**f <= permutations:
    swaps = np.array(list(itertools.product((0.0, 1.0), repeat=f)))
  else:
    swaps = np.random.default_rng(0).integers(0, 2, (permutations, f)).astype(np.float64)
  both = np.concatenate([first, second], axis=1)
  return _gap(np.concatenate([swaps, 1 - swaps], axis=1), both, np.roll(both, f, axis=1))


def _two_sided(observed: float, exchanged: np.ndarray, subjects: int) -> float:
  reached = int((np.abs(exchanged) >= abs(observed) - TIE).sum())
  if len(exchanged) == 2**subjects:  # all there are, the runs as they are among them
    return reached / len(exchanged)
  return (1 + reached) / (1 + len(exchanged))
