"""Every number that papers are known to print about a log, each with the formula it comes from."""

from collections.abc import Sequence, Set
from typing import NamedTuple

import numpy as np

from mer_jax.evaluation.megc_log import Log
from mer_jax.targets import single_class

FULL = "full"  # all clips together, beside the names of the corpora
# The claims that can be examined -> what the challenge means by them.
OFFICIAL = {
  "uf1": "pooled macro F1",
  "uar": "pooled macro recall",
  "accuracy": "pooled accuracy",
  "precision": "pooled macro precision",
  "weighted_f1": "pooled F1 weighted by the clips of each class",
  "micro_f1": "pooled micro F1",
}
_ABSENT = {
  "absent_as_0": "absent class = 0",
  "absent_skipped": "absent class skipped",
  "absent_as_1": "absent class = 1",
}
_LONG = {"uf1": "macro F1", "uar": "macro recall", "precision": "macro precision"}


class Value(NamedTuple):
  """A number.

  Attributes:
    over: `FULL`, or the corpus that the clips are of.
    formula: what it is, in words; unique within `over`.
    value: 0..1.
    names: the claims (keys of `OFFICIAL`) that it is the right answer to.
  """

  over: str
  formula: str
  value: float
  names: tuple[str, ...] = ()


def values(logs: Sequence[Log]) -> list[Value]:
  """All numbers of the log of one run, or the means over the logs of the seeds of one.

  Of several seeds, each seed's own pooled scores follow, named by the place of its log from 1.
  """
  # Where one seed lacks a class, what skipping it gives is asked of all of them.
  skipping = {over for log in logs for over in scopes(log) if _lacks_a_class(confusion(log, over))}
  tables = [_of_one(log, skipping) for log in logs]
  by_formula = [{(row.over, row.formula): row for row in table} for table in tables]
  means = [
    row._replace(value=float(np.mean([rows[key].value for rows in by_formula])))
    for key, row in by_formula[0].items()
    if all(key in rows for rows in by_formula)  # a seed may lack a corpus
  ]
  if len(tables) == 1:
    return means
  return means + [
    Value(row.over, f"{row.formula}, seed {number} of {len(tables)} alone", row.value)
    for number, table in enumerate(tables, 1)
    for row in table
    if row.names
  ]


def confusion(log: Log, over: str = FULL) -> np.ndarray:
  """int64 [K, K], rows truth: the clips of the corpus `over`, or all of them."""
  rows = np.ones(len(log.clip), bool) if over == FULL else log.dataset == over
  return single_class.confusion(log.label[rows], log.prediction[rows], len(log.class_names))


def scopes(log: Log) -> list[str]:
  """`FULL`, and the corpora where there are several."""
  corpora = [str(dataset) for dataset in np.unique(log.dataset)]
  return [FULL, *(corpora if len(corpora) > 1 else [])]


def official(confusion: np.ndarray) -> dict[str, float]:
  """The keys of `OFFICIAL` for counts [K, K] of at least one clip."""
  counts = np.asarray(confusion, np.int64)
  pooled = single_class.scores(counts)
  by_class = single_class.per_class(counts)
  share = by_class.support / counts.sum()
  return {
    **{name: pooled[name] for name in ("uf1", "uar", "accuracy", "precision")},
    "weighted_f1": float(share @ by_class.f1),
    # One label a clip: every false positive is another class' false negative.
    "micro_f1": pooled["accuracy"],
  }


def _lacks_a_class(counts: np.ndarray) -> bool:
  return bool((counts.sum(axis=1) == 0).any() or (counts.sum(axis=0) == 0).any())


def _of_one(log: Log, skipping: Set[str]) -> list[Value]:
  table = []
  for over in scopes(log):
    table += _pooled(over, confusion(log, over), over in skipping) + _fold_means(over, log)
  corpora = scopes(log)[1:]
  if corpora:
    each = [official(confusion(log, corpus)) for corpus in corpora]
    table += [
      Value(FULL, f"mean over the corpora of the {OFFICIAL[name]}", _mean(each, name))
      for name in ("uf1", "uar", "accuracy", "precision", "weighted_f1")
    ]
  return table


def _pooled(over: str, counts: np.ndarray, skipping: bool) -> list[Value]:
  scores = official(counts)
  by_class = single_class.per_class(counts)
  share = by_class.support / counts.sum()
  precision, recall = scores["precision"], scores["uar"]
  present = single_class.scores(counts, absent=float("nan"))
  table = [
    Value(over, OFFICIAL[name], scores[name], (name,))
    for name in ("uf1", "uar", "precision", "weighted_f1")
  ]
  table.append(
    Value(over, "pooled accuracy (= micro F1)", scores["accuracy"], ("accuracy", "micro_f1"))
  )
  table.append(Value(over, "pooled weighted precision", float(share @ by_class.precision)))
  harmonic = 2 * precision * recall / max(precision + recall, 1e-300)
  table.append(Value(over, "harmonic mean of macro precision and macro recall", harmonic))
  if skipping:
    table += [
      Value(over, f"pooled {long}, absent class skipped", present[name])
      for name, long in _LONG.items()
    ]
  return table


def _fold_means(over: str, log: Log) -> list[Value]:
  """Means over held-out subjects, which the challenge does not ask for."""
  keys = np.stack([log.dataset, log.subject])
  owner = np.unique(keys, axis=1, return_inverse=True)[1].reshape(-1)
  inside = np.ones(len(owner), bool) if over == FULL else log.dataset == over
  k = len(log.class_names)
  folds = np.stack(
    [
      single_class.confusion(log.label[owner == f], log.prediction[owner == f], k)
      for f in np.unique(owner[inside])
    ]
  )
  means = single_class.fold_means(folds)
  weighted = float(np.mean([official(fold)["weighted_f1"] for fold in folds]))
  accuracy = next(iter(means.values()))["accuracy"]
  return [
    *(
      Value(over, f"mean over folds of the {long}, {_ABSENT[convention]}", table[name])
      for name, long in _LONG.items()
      for convention, table in means.items()
    ),
    Value(over, "mean over folds of the accuracy", accuracy),
    Value(over, "mean over folds of the weighted F1", weighted),
  ]


def _mean(rows: Sequence[dict[str, float]], name: str) -> float:
  return float(np.mean([row[name] for row in rows]))
