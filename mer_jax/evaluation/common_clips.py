"""The clips that several runs have in common."""

from collections.abc import Sequence

import numpy as np

from mer_jax.errors import DataError
from mer_jax.evaluation.clip_table import ClipTable, rows
from mer_jax.targets.single_class import NO_PREDICTION

_NAMED = 5  # clips that are named where two runs differ


def check(name: str, table: ClipTable, other_name: str, other: ClipTable) -> None:
  """Raises DataError unless two runs are over the same clips, labels and classes; names some.

  `name` and `other_name` stand for the runs in the message.
  """
  if table.class_names != other.class_names:
    raise DataError(
      f"The runs name other classes: {name} has {', '.join(table.class_names)}; {other_name} has"
      f" {', '.join(other.class_names)}. Compare runs of one protocol."
    )
  labels, others = _labels(table), _labels(other)
  differs = {
    f"in {name} only": [key for key in labels if key not in others],
    f"in {other_name} only": [key for key in others if key not in labels],
    "labelled otherwise": [key for key in labels if others.get(key, labels[key]) != labels[key]],
  }
  differences = [
    f"{len(keys)} {what} ({', '.join(keys[:_NAMED])}{', ...' * (len(keys) > _NAMED)})"
    for what, keys in differs.items()
    if keys
  ]
  if differences:
    raise DataError(
      f"{name} and {other_name} are not over the same clips and labels: of {len(labels)} and"
      f" {len(others)} clips, {'; '.join(differences)}. Compare runs of one protocol on the"
      " same data."
    )


def select(names: Sequence[str], tables: Sequence[ClipTable]) -> list[ClipTable]:
  """The tables of runs over the same clips, without the clips that some seed did not predict.

  Raises:
    DataError: no clip is left.
  """
  predicted = np.all([(table.prediction != NO_PREDICTION).all(axis=0) for table in tables], axis=0)
  if not predicted.any():
    raise DataError(
      f"No clip was predicted by every seed of {', '.join(names)}: too many folds were stopped."
    )
  return [rows(table, predicted) for table in tables]


def _labels(clips: ClipTable) -> dict[str, int]:
  keys = zip(clips.dataset, clips.subject, clips.clip, strict=True)
  return dict(zip(("/".join(key) for key in keys), clips.label.tolist(), strict=True))
