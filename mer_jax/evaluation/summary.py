"""metrics.json: every score of a run, computed from its predictions alone."""

import collections
import json
import os
from typing import Any

import numpy as np

from mer_jax.errors import DataError
from mer_jax.evaluation import folds, intervals
from mer_jax.evaluation.clip_table import (
  BySubject,
  by_subject,
  check_same_clips,
  clip_table,
  fold_ids,
  scored,
)
from mer_jax.evaluation.predictions import Predictions, check, made, order, select
from mer_jax.runtime import atomic
from mer_jax.targets import single_class


def summarise(predictions: Predictions) -> dict[str, Any]:
  """All scores of a run as one dict that `json` can write.

  Scores are over the clips that have a prediction. Where folds were stopped, `missing` and the
  counts beside the scores say over how many of how many clips that is.

  Returns:
    classes, clips, folds, seeds: the class names, the number of clips and of folds, which are
      held-out subjects, the seeds; all of them, whether predicted or not.
    held_out: only where folds are no subjects: "dataset", each holds out a corpus; or "fold".
    seeds_scored: the seeds with a prediction. Means and deviations are over these.
    missing: the gap, a list of {seed, dataset, subject, clips}: how many clips of a held-out
      subject have no prediction; empty in a complete run. Where folds are no subjects, `fold`
      besides: the one that was stopped.
    pooled: scores over the clips of all folds together (the headline), as MEGC2019 defines them.
      With several seeds each score is the mean over the seeds of that seed's pooled score, `std`
      its sample standard deviation over the seeds (None with one seed), `confusion` the sum over
      the seeds. `per_class` maps a class name to precision, recall, f1 (means over the seeds) and
      support (clips). `clips` counts the clips that some seed predicted, `clips_in_all` also the
      others, `clips_missing` maps each seed to its clips without a prediction. `interval` maps each
      score to its [low, high], see `intervals`, and says `level` (0..1), `resamples` and over how
      many `subjects`; None where there are too few of these.
    ensemble: the same of the mean over seeds of each clip's probabilities, where there are several.
    per_dataset: dataset -> the same, of the same predictions restricted to that dataset; the scores
      are None where no clip of the dataset has a prediction.
    fold_mean: convention -> scores averaged over the folds of a seed that predicted, then over
      seeds, with `std`; the conventions (single_class.CONVENTIONS) say what a class absent from a
      fold counts as.
    per_seed: seed of seeds_scored -> that seed's pooled scores, confusion, and its own `fold_mean`.
    majority: what naming the most frequent class for each of `pooled`'s `clips` would get; `class`
      says which. Every entry of per_dataset has its own.

  Raises:
    DataError: the predictions contradict each other, the seeds predicted different clips, or no
      clip has a prediction.
  """
  check(predictions)
  predictions = select(predictions, order(predictions))
  seeds = np.unique(predictions.seed)
  parts = [select(predictions, predictions.seed == seed) for seed in seeds]
  check_same_clips(parts)
  names, first = predictions.class_names, parts[0]
  scored_parts = [part for part in parts if made(part).any()]
  if not scored_parts:
    raise DataError(
      f"None of the {len(first.clip)} clips has a prediction: every fold was stopped before it"
      " ended. There is nothing to score; history.jsonl says where each fold stopped."
    )
  fold_means = [single_class.fold_means(_fold_confusions(part)) for part in scored_parts]
  subjects = by_subject(scored(clip_table(predictions)))
  return {
    "classes": list(names),
    "clips": len(first.clip),
    "folds": int(fold_ids(first).max()) + 1,
    **_other_folds(first),
    "seeds": [int(seed) for seed in seeds],
    "seeds_scored": [int(part.seed[0]) for part in scored_parts],
    "missing": _missing(predictions),
    "pooled": _table(parts, subjects),
    **_ensemble(parts),
    "majority": _majority(parts),
    "fold_mean": {
      convention: _over_seeds([means[convention] for means in fold_means])
      for convention in single_class.CONVENTIONS
    },
    "per_dataset": {
      str(dataset): _dataset_table(parts, subjects, str(dataset))
      for dataset in np.unique(first.dataset)
    },
    "per_seed": {
      str(part.seed[0]): {
        **single_class.scores(counts),
        "confusion": counts.tolist(),
        "fold_mean": means,
      }
      for part, counts, means in zip(
        scored_parts, map(_confusion, scored_parts), fold_means, strict=True
      )
    },
  }


def write_json(path: str | os.PathLike[str], summary: dict[str, Any]) -> None:
  """Writes `summary` atomically as indented JSON; numbers keep every digit."""
  atomic.write_text(path, json.dumps(summary, indent=2, allow_nan=False) + "\n")


def stopped(summary: dict[str, Any]) -> list[tuple[int, str]]:
  """The (seed, fold) that were stopped: (0, "casme2/sub01"), or (0, "casme2") of a whole corpus."""
  named = ((e["seed"], e.get("fold", f"{e['dataset']}/{e['subject']}")) for e in summary["missing"])
  return list(dict.fromkeys(named))


def _other_folds(part: Predictions) -> dict[str, str]:
  held_out = folds.held_out(part.dataset, part.subject, part.fold)
  return {} if held_out == folds.SUBJECT else {"held_out": held_out}


def _missing(predictions: Predictions) -> list[dict[str, Any]]:
  gap = select(predictions, ~made(predictions))
  other = bool(_other_folds(predictions))
  fold = folds.names(gap.dataset, gap.subject, gap.fold)
  counts = collections.Counter(zip(gap.seed, gap.dataset, gap.subject, fold, strict=True))
  return [
    {
      "seed": int(seed),
      "dataset": str(dataset),
      "subject": str(subject),
      "clips": clips,
      **({"fold": str(name)} if other else {}),
    }
    for (seed, dataset, subject, name), clips in counts.items()
  ]


def _confusion(predictions: Predictions) -> np.ndarray:
  predicted = select(predictions, made(predictions))
  return single_class.confusion(predicted.label, predicted.prediction, len(predicted.class_names))


def _fold_confusions(predictions: Predictions) -> np.ndarray:
  """int64 [F, K, K] of the folds with a prediction."""
  owner = fold_ids(predictions)
  finished = np.unique(owner[made(predictions)])
  return np.stack([_confusion(select(predictions, owner == fold)) for fold in finished])


def _dataset_table(parts: list[Predictions], subjects: BySubject, dataset: str) -> dict[str, Any]:
  inside = [select(part, part.dataset == dataset) for part in parts]
  inside_dataset = subjects.dataset == dataset
  own = BySubject(subjects.dataset[inside_dataset], subjects.confusions[:, inside_dataset])
  return {**_table(inside, own), "majority": _majority(inside)}


def _table(parts: list[Predictions], subjects: BySubject) -> dict[str, Any]:
  """Scores of the same clips, predicted by each seed (or not); `subjects` are those of the clips.

  Only subjects with a prediction are among them.
  """
  names = parts[0].class_names
  confusions = [counts for counts in map(_confusion, parts) if counts.any()]
  support = _support(parts)
  rows = single_class.per_class(np.stack(confusions)) if confusions else None
  return {
    "clips": int(support.sum()),
    "clips_in_all": len(parts[0].clip),
    "clips_missing": {str(part.seed[0]): int((~made(part)).sum()) for part in parts},
    **_over_seeds([single_class.scores(counts) for counts in confusions]),
    "interval": _interval(subjects),
    "confusion": np.sum(confusions or [np.zeros((len(names),) * 2, int)], axis=0).tolist(),
    "per_class": {
      name: {
        "precision": float(rows.precision[:, k].mean()) if rows else None,
        "recall": float(rows.recall[:, k].mean()) if rows else None,
        "f1": float(rows.f1[:, k].mean()) if rows else None,
        "support": int(support[k]),
      }
      for k, name in enumerate(names)
    },
  }


def _ensemble(parts: list[Predictions]) -> dict[str, Any]:
  """{"ensemble": scores of the seeds together}; empty for one seed, or with a gap.

  The keys are those of `pooled`, `clips_missing` empty. A clip's class is the one with the highest
  probability, as a mean over the seeds.
  """
  if len(parts) < 2 or not all(made(part).all() for part in parts):
    return {}
  mean = np.mean([part.probabilities.astype(np.float64) for part in parts], axis=0)
  together = parts[0]._replace(prediction=single_class.predicted(mean), probabilities=mean)
  table = _table([together], by_subject(clip_table(together)))
  return {"ensemble": {**table, "clips_missing": {}}}


def _interval(subjects: BySubject) -> dict[str, Any] | None:
  scores = intervals.intervals(subjects) if len(subjects.dataset) else None
  if scores is None:
    return None
  facts = {"resamples": intervals.RESAMPLES, "subjects": len(subjects.dataset)}
  return {**scores, "level": intervals.LEVEL, **facts}


def _support(parts: list[Predictions]) -> np.ndarray:
  """int64 [K]: the clips of each class that some seed predicted."""
  predicted = np.any([made(part) for part in parts], axis=0)
  return np.bincount(parts[0].label[predicted], minlength=len(parts[0].class_names))


def _over_seeds(rows: list[dict[str, float]]) -> dict[str, Any]:
  if not rows:
    return {**dict.fromkeys(single_class.SCORES), "std": None}
  std = (
    {name: float(np.std([row[name] for row in rows], ddof=1)) for name in single_class.SCORES}
    if (len(rows) > 1)
    else None
  )
  return {**single_class.mean(rows), "std": std}


def _majority(parts: list[Predictions]) -> dict[str, Any]:
  names, support = parts[0].class_names, _support(parts)
  k = int(np.argmax(support))
  constant = np.zeros((len(names),) * 2, np.int64)
  constant[:, k] = support
  scores = single_class.scores(constant) if support.any() else dict.fromkeys(single_class.SCORES)
  return {"class": names[k] if support.any() else None, **scores}
