"""Intervals of the official scores of a log, by the bootstrap over its subjects."""

from collections.abc import Sequence

import numpy as np

from mer_jax.evaluation import intervals
from mer_jax.evaluation.audit_formulas import FULL
from mer_jax.evaluation.clip_table import BySubject
from mer_jax.evaluation.megc_log import Log
from mer_jax.targets import single_class


def of(logs: Sequence[Log], over: str = FULL) -> dict[str, list[float]] | None:
  """The interval of each pooled score of the corpus `over`, mean over the logs of the seeds.

  Args:
    logs: at least one; those of several seeds have the same classes, and may lack some clips.
    over: `FULL`, or a corpus that a log has clips of.

  Returns:
    What `intervals.intervals` returns.
  """
  inside = [(log.dataset == over) | (over == FULL) for log in logs]
  owners = [
    np.stack([log.dataset[rows], log.subject[rows]]) for log, rows in zip(logs, inside, strict=True)
  ]
  people, owner = np.unique(np.concatenate(owners, axis=1), axis=1, return_inverse=True)
  parts = np.split(owner.reshape(-1), np.cumsum([rows.sum() for rows in inside])[:-1])
  k = len(logs[0].class_names)
  counts = np.zeros((len(logs), people.shape[1], k, k), np.int64)
  for seed, (log, rows, own) in enumerate(zip(logs, inside, parts, strict=True)):
    np.add.at(counts[seed], (own, log.label[rows], log.prediction[rows]), 1)
  spans = intervals.intervals(BySubject(people[0], counts))
  return {name: spans[name] for name in single_class.SCORES} if spans else None
