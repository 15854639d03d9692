"""The text log in which MEGC2019 took submissions and STSTNet and CapsuleNet published theirs."""

import os
import pathlib

import numpy as np

from mer_jax import atomic
from mer_jax.errors import DataError
from mer_jax.evaluation.predictions import Predictions, check, made, order, select


def write_megc_logs(folder: str | os.PathLike[str], predictions: Predictions) -> list[pathlib.Path]:
  """Writes `folder/megc2019_seed<seed>.log` for every seed that predicted; returns the paths."""
  paths = []
  for seed in np.unique(predictions.seed[made(predictions)]):
    path = pathlib.Path(folder) / f"megc2019_seed{seed}.log"
    write_megc_log(path, select(predictions, predictions.seed == seed))
    paths.append(path)
  return paths


def write_megc_log(path: str | os.PathLike[str], predictions: Predictions) -> None:
  """Writes the predictions of one seed, atomically.

  One block per held-out subject: "<dataset> <subject>", then a line "<clip> <truth> <prediction>"
  for each clip, classes as indices; a blank line between blocks. Blanks within a name become "_",
  for the format separates by blanks. It has no way to write a clip without a prediction, so such a
  clip is left out.

  Raises:
    DataError: the predictions contradict each other, come from several seeds, or there are none.
  """
  check(predictions)
  if len(np.unique(predictions.seed)) > 1:
    raise DataError("A log of MEGC2019 holds one seed; use write_megc_logs for several.")
  predictions = select(predictions, made(predictions))
  if len(predictions.clip) == 0:
    raise DataError("No clip has a prediction, so a log of MEGC2019 would be empty.")
  blocks: dict[tuple[str, str], list[str]] = {}
  for row in zip(*select(predictions, order(predictions))[1:6], strict=True):
    dataset, subject, clip, label, prediction = row
    lines = blocks.setdefault((dataset, subject), [f"{_word(dataset)} {_word(subject)}"])
    lines.append(f"{_word(clip)} {label} {prediction}")
  atomic.write_text(path, "\n\n".join("\n".join(lines) for lines in blocks.values()) + "\n")


def _word(name: str) -> str:
  return "_".join(str(name).split())
