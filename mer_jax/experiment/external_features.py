"""Features from anywhere, scored: leave-one-subject-out with an SVM, and all that a run leaves."""

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ml_collections import config_dict

from mer_jax.errors import ConfigError, unknown
from mer_jax.experiment.feature_table import FeatureTable, collect

__all__ = ["run"]

NOT_CALIBRATED = (
  "The columns p_ are the softmax of the SVM's decision values: they order the classes of a clip,"
  " and are not calibrated."
)


def run(
  features: np.ndarray | Mapping[str, np.ndarray],
  labels: Sequence[Any] | np.ndarray,
  subjects: Sequence[Any] | np.ndarray,
  workdir_path: str | os.PathLike[str],
  *,
  datasets: Sequence[Any] | np.ndarray | None = None,
  clips: Sequence[Any] | np.ndarray | None = None,
  class_names: Sequence[Any] | np.ndarray | None = None,
  quiet: bool = False,
  **options: Any,
) -> dict[str, Any]:
  """Leaves the scores of an SVM, leave-one-subject-out, in a workdir like that of a run.

  Args:
    features: real [N, ...], or a dict of one such array; flattened to [N, D].
    labels: [N], whole numbers or text. With class_names, indices into them or some of them.
    subjects: [N], whole numbers or text: who is held out together.
    workdir_path: a new folder, or that of the same features and options.
    datasets: [N], whole numbers or text; "features" throughout by default. A subject is one of its
      dataset.
    clips: [N], unique for a subject; by default the number of the row, from 0.
    class_names: K names; by default the labels that occur, sorted.
    quiet: print nothing.
    **options: kernel, cost, gamma, degree, coef0, balance, scale, seed: see `mer_jax.svm.Machine`.

  Returns:
    The content of metrics.json, see evaluation.summarise.

  Raises:
    ConfigError: an unknown option, or a value that is not allowed.
    DataError: the arrays contradict each other or are not what is said above; says which row.
    WorkdirError: the folder holds something else, or cannot be written.
  """
  # Here, so that a mistake in the flags needs none of these.
  from mer_jax import evaluation, svm
  from mer_jax import report as reports
  from mer_jax.evaluation.predictions import check
  from mer_jax.experiment import workdir
  from mer_jax.protocols.split import classes_of_one_fold

  emit = (lambda *_: None) if quiet else print
  for option in options:
    if option not in svm.Machine._fields:
      raise ConfigError(unknown("option of an SVM", option, svm.Machine._fields))
  machine = svm.Machine(**options)
  table = collect(features, labels, subjects, datasets, clips, class_names)
  config = _config(table, machine._asdict(), svm.cost_of(machine))
  path = pathlib.Path(workdir_path).expanduser()
  workdir.examine(path, config)
  fold_names, fold = np.unique(table.keys, return_inverse=True)
  held_out = fold == np.arange(len(fold_names))[:, None]
  classes = len(table.class_names)
  emit(_announcement(table, len(fold_names), config))
  scores = svm.loso(table.rows, table.labels, held_out, classes, machine, shown=not quiet)
  predictions = evaluation.Predictions(
    seed=np.full(len(fold), machine.seed, np.int64),
    dataset=table.datasets,
    subject=table.subjects,
    clip=table.clips,
    label=table.labels,
    prediction=scores.prediction,
    probabilities=scores.probabilities,
    class_names=table.class_names,
  )
  check(predictions)  # a mistake leaves no workdir behind that would refuse the corrected file
  workdir.claim(path, config, workdir.Origin(table.fingerprint(), ["cpu"], {}))
  evaluation.write_csv(path / "predictions.csv", predictions)
  summary = evaluation.summarise(predictions)
  evaluation.write_json(path / "metrics.json", summary)
  evaluation.write_megc_logs(path, predictions)
  lacking = classes_of_one_fold("subject", table.labels, table.class_names, table.keys)
  remarks = [*lacking, NOT_CALIBRATED]
  page = reports.write(path, remarks=remarks, title=_title(config))
  emit("\n" + reports.console(summary, table.class_names, remarks))
  emit(f"\nReport {page}\nPredictions {path / 'predictions.csv'}")
  return summary


def _config(table: FeatureTable, machine: dict[str, Any], cost: float) -> config_dict.ConfigDict:
  """What config.json says, in the sections of a run."""
  seed = machine.pop("seed")
  return config_dict.ConfigDict(
    {
      "seed": seed,
      "data": {
        "datasets": tuple(sorted(set(table.datasets.tolist()))),
        "clips": len(table.labels),
        "features": table.rows.shape[1],
      },
      "model": {"name": "svm", **machine, "cost": float(cost)},
    }
  )


def _announcement(table: FeatureTable, folds: int, config: config_dict.ConfigDict) -> str:
  counts = np.bincount(table.labels)
  classes = ", ".join(f"{n} {name}" for n, name in zip(counts, table.class_names, strict=True))
  return (
    f"{len(table.labels)} clips of {folds} held-out subjects: {classes};"
    f" {table.rows.shape[1]} features a clip. {_title(config)}, balance {config.model.balance},"
    f" scale {config.model.scale}."
  )


def _title(config: config_dict.ConfigDict) -> str:
  datasets = " + ".join(config.data.datasets)
  return f"SVM ({config.model.kernel}, C = {config.model.cost:g}) on {datasets}"
