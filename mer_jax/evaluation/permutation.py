"""What scores labels would get that have nothing to do with the predictions: the level of chance.

The predictions stay as they are and the labels change places, in one of two ways:

- "clips": among all clips of a dataset. That keeps how many clips a dataset has of each class, and
  its mean is what is usually called chance. As a test it takes clips for independent, which those
  of one person are not: where both the labels and the predictions of a person are alike, for
  reasons that have nothing to do with each other, it calls 12 to 23 % of simulated experiments
  significant at 5 %.
- "subjects": among the clips of each subject. That keeps, beside, what every person showed, so
  whatever tells people apart is not mistaken for recognising expressions. This test is exact
  whatever the clips of a person have in common: 2 to 7 % of the same experiments. Subjects who
  showed one class say nothing in it. With predictions that hold as much of the truth as finds 71 %
  of experiments of 24 subjects, and 96 % of those of 68, by the first way, it finds 57 and 94 %.

To exchange the labels of whole subjects would be the third. Subjects differ in their number of
clips, so it has to cut their labels to fit; the variant that lays them end to end called 8 to 12 %
of the same experiments significant.
"""

from typing import Any

import numpy as np

from mer_jax.errors import ConfigError, DataError
from mer_jax.evaluation.clip_table import ClipTable, scored, subject_ids
from mer_jax.targets import single_class

SCHEMES = ("clips", "subjects")
# The share of shuffled labels whose score lies below the reported quantile.
QUANTILE = 0.95
# Numbers that one block of permutations may hold.
_BLOCK = 1 << 21
# Scores that differ by less are equal but for rounding.
TIE = 1e-9


def chance(table: ClipTable, permutations: int = 1000) -> dict[str, dict[str, Any]]:
  """The scores of shuffled labels, and how seldom they reach those of the labels as they are.

  Every permutation is the same for all seeds; a score is the mean over the seeds.

  Args:
    table: over the clips that some seed predicted.
    permutations: R, how often the labels are shuffled.

  Returns:
    For each of `SCHEMES`, for each of `single_class.SCORES`: `observed`; `mean` and `quantile` (the
    `QUANTILE`) of the shuffled labels' scores; `p`, one-sided, (1 + those that reach the observed
    score) / (1 + R).

  Raises:
    ConfigError: `permutations` is below 1.
    DataError: no clip has a prediction.
  """
  if permutations < 1:
    raise ConfigError(f"permutations is {permutations}; it must be at least 1.")
  table = scored(table)
  if not len(table.clip):
    raise DataError("No clip has a prediction, so there is nothing to test.")
  observed = _scores(table, table.label[None])
  groups = {
    "clips": np.unique(table.dataset, return_inverse=True)[1],
    "subjects": subject_ids(table),
  }
  chance_scores = {}
  for scheme in SCHEMES:
    shuffled = _shuffled(table, groups[scheme], permutations)
    chance_scores[scheme] = {
      name: _against(float(observed[name][0]), shuffled[name]) for name in single_class.SCORES
    }
  return chance_scores


def _against(observed: float, shuffled: np.ndarray) -> dict[str, float]:
  reached = int((shuffled >= observed - TIE).sum())
  return {
    "observed": observed,
    "mean": float(shuffled.mean()),
    "quantile": float(np.quantile(shuffled, QUANTILE)),
    "p": (1 + reached) / (1 + len(shuffled)),
  }


def _shuffled(table: ClipTable, group: np.ndarray, permutations: int) -> dict[str, np.ndarray]:
  """The scores, [R] each, of labels that changed places within the groups, int [N], ascending."""
  random = np.random.default_rng(0)
  n, width = len(group), table.prediction.shape[0] * len(table.class_names) ** 2
  size = max(1, _BLOCK // max(n, width))
  parts = []
  for start in range(0, permutations, size):
    # The clips of a group stand together, so sorting these exchanges places within groups only.
    keys = group + random.random((min(size, permutations - start), n))
    parts.append(_scores(table, table.label[np.argsort(keys, axis=1)]))
  return {name: np.concatenate([part[name] for part in parts]) for name in single_class.SCORES}


def _scores(table: ClipTable, labels: np.ndarray) -> dict[str, np.ndarray]:
  """The pooled scores, float64 [R], mean over the seeds, were the labels `labels`, int [R, N]."""
  k, (s, n) = len(table.class_names), table.prediction.shape
  # [N, S, K]; a clip without a prediction is no class. float32 counts clips exactly to 2^24.
  predicted = (table.prediction.T[:, :, None] == np.arange(k)).astype(np.float32).reshape(n, -1)
  truth = (labels == np.arange(k)[:, None, None]).astype(np.float32)
  counts = np.einsum("krn,nc->rkc", truth, predicted, optimize=True).reshape(-1, k, s, k)
  values = single_class.score_arrays(counts.swapaxes(1, 2))
  return {name: each.mean(axis=1) for name, each in values.items()}
