"""metrics.json: every score of a run, computed from its predictions alone."""

import json
import os
from typing import Any

import numpy as np

from mer_jax import atomic
from mer_jax.errors import DataError
from mer_jax.evaluation import metrics
from mer_jax.evaluation.predictions import Predictions, check, order, select


def summarise(predictions: Predictions) -> dict[str, Any]:
  """All scores of a run as one dict that `json` can write.

  Returns:
    classes, clips, folds, seeds: the class names, the number of clips and of held-out subjects,
      the seeds.
    pooled: scores over the clips of all folds together (the headline), as MEGC2019 defines them.
      With several seeds each score is the mean over the seeds of that seed's pooled score, `std`
      its sample standard deviation over the seeds (None with one seed), `confusion` the sum over
      the seeds. `per_class` maps a class name to precision, recall, f1 (means over the seeds) and
      support (clips). `clips` counts the clips.
    per_dataset: dataset -> the same, of the same predictions restricted to that dataset.
    fold_mean: convention -> scores averaged over the folds of a seed, then over seeds, with `std`;
      the conventions (metrics.CONVENTIONS) say what a class absent from a fold counts as.
    per_seed: seed -> that seed's pooled scores, confusion, and its own `fold_mean`.
    majority: what naming the most frequent class for every clip would get; `class` says which.
      Every entry of per_dataset has its own.

  Raises:
    DataError: the predictions contradict each other, or the seeds predicted different clips.
  """
  check(predictions)
  predictions = select(predictions, order(predictions))
  seeds = np.unique(predictions.seed)
  parts = [select(predictions, predictions.seed == seed) for seed in seeds]
  _check_same_clips(parts)
  names, first = predictions.class_names, parts[0]
  fold_means = [metrics.fold_means(_fold_confusions(part)) for part in parts]
  confusions = [_confusion(part) for part in parts]
  return {
    "classes": list(names),
    "clips": len(first.clip),
    "folds": int(fold_ids(first).max()) + 1,
    "seeds": [int(seed) for seed in seeds],
    "pooled": _table(confusions, names),
    "majority": _majority(confusions[0], names),
    "fold_mean": {
      convention: _over_seeds([means[convention] for means in fold_means])
      for convention in metrics.CONVENTIONS
    },
    "per_dataset": {
      str(dataset): _dataset_table(parts, str(dataset)) for dataset in np.unique(first.dataset)
    },
    "per_seed": {
      str(seed): {
        **metrics.scores(counts),
        "confusion": counts.tolist(),
        "fold_mean": means,
      }
      for seed, counts, means in zip(seeds, confusions, fold_means, strict=True)
    },
  }


def write_json(path: str | os.PathLike[str], summary: dict[str, Any]) -> None:
  """Writes `summary` atomically as indented JSON; numbers keep every digit."""
  atomic.write_text(path, json.dumps(summary, indent=2, allow_nan=False) + "\n")


def fold_ids(predictions: Predictions) -> np.ndarray:
  """int64 [R]: which held-out subject each row belongs to, 0..F-1 in sorted order.

  A subject's name is unique only within its dataset.
  """
  keys = np.stack([predictions.dataset, predictions.subject])
  return np.unique(keys, axis=1, return_inverse=True)[1].reshape(-1)


def _check_same_clips(parts: list[Predictions]) -> None:
  first = parts[0]
  for part in parts[1:]:
    for name in ("dataset", "subject", "clip", "label"):
      if not np.array_equal(getattr(first, name), getattr(part, name)):
        raise DataError(
          f"The seeds {first.seed[0]} and {part.seed[0]} predicted different clips or labels"
          f" ({len(first.clip)} and {len(part.clip)} rows; they differ in {name}). Every seed must"
          " predict every clip once: finish the run before its scores are computed."
        )


def _confusion(predictions: Predictions) -> np.ndarray:
  return metrics.confusion(predictions.label, predictions.prediction, len(predictions.class_names))


def _fold_confusions(predictions: Predictions) -> np.ndarray:
  folds = fold_ids(predictions)
  return np.stack([_confusion(select(predictions, folds == f)) for f in range(folds.max() + 1)])


def _dataset_table(parts: list[Predictions], dataset: str) -> dict[str, Any]:
  confusions = [_confusion(select(part, part.dataset == dataset)) for part in parts]
  names = parts[0].class_names
  return {**_table(confusions, names), "majority": _majority(confusions[0], names)}


def _table(confusions: list[np.ndarray], names: tuple[str, ...]) -> dict[str, Any]:
  by_class = metrics.per_class(np.stack(confusions))
  return {
    "clips": int(confusions[0].sum()),
    **_over_seeds([metrics.scores(counts) for counts in confusions]),
    "confusion": np.sum(confusions, axis=0).tolist(),
    "per_class": {
      name: {
        "precision": float(by_class.precision[:, k].mean()),
        "recall": float(by_class.recall[:, k].mean()),
        "f1": float(by_class.f1[:, k].mean()),
        "support": int(by_class.support[0, k]),
      }
      for k, name in enumerate(names)
    },
  }


def _over_seeds(rows: list[dict[str, float]]) -> dict[str, Any]:
  std = (
    {name: float(np.std([row[name] for row in rows], ddof=1)) for name in metrics.SCORES}
    if (len(rows) > 1)
    else None
  )
  return {**metrics.mean(rows), "std": std}


def _majority(counts: np.ndarray, names: tuple[str, ...]) -> dict[str, Any]:
  support = counts.sum(axis=1)
  k = int(np.argmax(support))
  constant = np.zeros_like(counts)
  constant[:, k] = support
  return {"class": names[k], **metrics.scores(constant)}
