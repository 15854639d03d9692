"""predictions.csv: the prediction of every clip by the model of the fold that held it out."""

import csv
import io
import os
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mer_jax.errors import DataError
from mer_jax.evaluation import folds, prediction_rows
from mer_jax.protocols import Split
from mer_jax.runtime import atomic, regular_files
from mer_jax.targets import single_class
from mer_jax.targets.single_class import NO_PREDICTION

LARGEST = 2**28  # bytes of a table; a million predictions of five classes have half of them


class Predictions(NamedTuple):
  """R predictions: one for each clip and seed, made by the fold that held the clip out.

  A clip whose fold was stopped keeps its row, with prediction -1 and NaN as every probability.

  Attributes:
    seed: int64 [R], the seed of the run that predicted.
    dataset, subject, clip: str [R], together the key of the clip.
    label: int64 [R], the true class, 0..K-1.
    prediction: int64 [R], the predicted class, 0..K-1; `NO_PREDICTION` where there is none.
    probabilities: float32 [R, K], of each class, 0..1; NaN where there is no prediction.
    class_names: the K names, in the order of the indices.
    fold: str [R], the name of the fold that held the clip out, as "casme2" where corpora are held
      out; None where subjects are, the name then being "dataset/subject".
  """

  seed: np.ndarray
  dataset: np.ndarray
  subject: np.ndarray
  clip: np.ndarray
  label: np.ndarray
  prediction: np.ndarray
  probabilities: np.ndarray
  class_names: tuple[str, ...]
  fold: np.ndarray | None = None


def predictions_of(seeds: Sequence[int], split: Split, probabilities: np.ndarray) -> Predictions:
  """Predictions from the probabilities that the folds give the clips they hold out.

  Args:
    seeds: the S seeds.
    split: the N clips, K classes and the folds.
    probabilities: float32 [S, N, K], of clip n from the fold that held it out; NaN throughout where
      that fold was stopped.

  Returns:
    S * N predictions, each the most probable class (the first among equals), or none.

  Raises:
    DataError: the shape of `probabilities` is another one.
  """
  expected = (len(seeds), len(split.labels), len(split.class_names))
  if np.shape(probabilities) != expected:
    raise DataError(
      f"The probabilities have the shape {np.shape(probabilities)}; expected {expected}: seeds,"
      " clips, classes."
    )
  clips, n = split.clips, len(split.labels)
  flat = np.asarray(probabilities, np.float32).reshape(-1, expected[2])
  fold = folds.unless_subjects(clips.dataset, clips.subject, folds.of_split(split))
  return Predictions(
    seed=np.repeat(np.asarray(seeds, np.int64), n),
    dataset=np.tile(clips.dataset, len(seeds)),
    subject=np.tile(clips.subject, len(seeds)),
    clip=np.tile(clips.clip, len(seeds)),
    label=np.tile(split.labels.astype(np.int64), len(seeds)),
    prediction=single_class.predicted(flat),
    probabilities=flat,
    class_names=tuple(split.class_names),
    fold=None if fold is None else np.tile(fold, len(seeds)),
  )


def write_csv(path: str | os.PathLike[str], predictions: Predictions) -> None:
  """Writes predictions.csv atomically, its rows sorted by (seed, dataset, subject, clip).

  The header is `seed,dataset,subject,clip,label,prediction,p_<class>...`; where folds are no
  subjects, `fold` stands behind `clip`. Classes are written as their index, as the logs of MEGC2019
  do; probabilities with the nine digits that bring back every float32 exactly. Without a
  prediction, it and the probabilities are empty.

  Raises:
    DataError: the arrays contradict each other (see `check`).
  """
  check(predictions)
  ordered = select(predictions, order(predictions))
  fold = folds.unless_subjects(ordered.dataset, ordered.subject, ordered.fold)
  keys = [*ordered[:4], *([] if fold is None else [fold])]
  text = io.StringIO()
  writer = csv.writer(text, lineterminator="\n")
  writer.writerow(prediction_rows.Layout(fold is not None, ordered.class_names).header)
  target = map(single_class.cells, ordered.label, ordered.prediction, ordered.probabilities)
  for *key, cells in zip(*keys, target, strict=True):
    writer.writerow([*key, *cells])
  atomic.write_text(path, text.getvalue())


def read_csv(path: str | os.PathLike[str]) -> Predictions:
  """Reads what `write_csv` wrote.

  Raises:
    DataError: the file is absent, or one of its lines (named) is not what `write_csv` writes.
  """
  path = pathlib.Path(path)
  try:
    # utf-8-sig: a spreadsheet that saved the file put a byte order mark in front.
    text = regular_files.read_bytes(path, LARGEST).decode("utf-8-sig")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    layout = prediction_rows.layout(path, next(reader, []))
    rows = prediction_rows.rows(path, reader, layout)
  except OSError as error:
    raise DataError(f"Cannot read the predictions in {path}: {error.strerror or error}.") from error
  except (UnicodeDecodeError, csv.Error) as error:
    raise DataError(f"{path} is not a csv file in UTF-8: {error}.") from error
  if not rows:
    raise DataError(f"{path} holds a header and no prediction. Run the experiment again.")
  seed, dataset, subject, clip, fold, label, prediction, probabilities = zip(*rows, strict=True)
  dataset, subject = np.array(dataset, np.str_), np.array(subject, np.str_)
  return Predictions(
    seed=np.array(seed, np.int64),
    dataset=dataset,
    subject=subject,
    clip=np.array(clip, np.str_),
    label=np.array(label, np.int64),
    prediction=np.array(prediction, np.int64),
    probabilities=np.array(probabilities, np.float32),
    class_names=layout.class_names,
    fold=folds.unless_subjects(dataset, subject, np.array(fold, np.str_)),
  )


def select(predictions: Predictions, rows: np.ndarray) -> Predictions:
  """The rows at `rows` (int [n] or bool [R]) as new Predictions."""
  arrays = [np.asarray(field)[rows] for field in predictions[:7]]
  fold = None if predictions.fold is None else np.asarray(predictions.fold)[rows]
  return Predictions(*arrays, class_names=predictions.class_names, fold=fold)


def order(predictions: Predictions) -> np.ndarray:
  """int64 [R]: the rows sorted by (seed, dataset, subject, clip)."""
  # lexsort takes its last key first
  return np.lexsort((predictions.clip, predictions.subject, predictions.dataset, predictions.seed))


def made(predictions: Predictions) -> np.ndarray:
  """bool [R]: True where there is a prediction."""
  return np.asarray(predictions.prediction) != NO_PREDICTION


def check(predictions: Predictions) -> None:
  """Raises DataError unless the arrays agree, classes exist and every clip occurs once a seed.

  Prediction and probabilities of a row are there both, or neither.
  """
  r, k = len(predictions.clip), len(predictions.class_names)
  for name, field in zip(predictions._fields[:6], predictions[:6], strict=True):
    if np.shape(field) != (r,):
      raise DataError(f"Predictions.{name} has the shape {np.shape(field)}; expected ({r},).")
  if np.shape(predictions.probabilities) != (r, k):
    raise DataError(
      f"Predictions.probabilities has the shape {np.shape(predictions.probabilities)}; expected"
      f" ({r}, {k}): one row per prediction, one column per class."
    )
  if r == 0:
    raise DataError("There are no predictions to evaluate.")
  prediction_rows.check_names(predictions.class_names)
  for field in predictions[1:4]:
    prediction_rows.check_one_line(np.unique(field))
  _check_folds(predictions)
  classes = f"one of 0..{k - 1}"
  _check_rows(predictions, "label", _is_class(predictions.label, k), classes)
  known = _is_class(predictions.prediction, k)
  none = np.asarray(predictions.prediction) == NO_PREDICTION
  _check_rows(predictions, "prediction", known | none, classes)
  p = np.asarray(predictions.probabilities, np.float64)
  tolerance = prediction_rows.TOLERANCE
  inside = np.all((p >= -tolerance) & (p <= 1 + tolerance), axis=1)
  _check_rows(predictions, "probabilities", none | inside, "finite and within 0..1")
  absent = np.all(np.isnan(p), axis=1)
  _check_rows(predictions, "probabilities", known | absent, "NaN only, for a clip not predicted")
  _check_keys(predictions)


def _check_folds(predictions: Predictions) -> None:
  if predictions.fold is None:
    return
  if np.shape(predictions.fold) != np.shape(predictions.clip):
    raise DataError(
      f"Predictions.fold has the shape {np.shape(predictions.fold)}; expected"
      f" {np.shape(predictions.clip)}."
    )
  prediction_rows.check_one_line(np.unique(predictions.fold))
  named = np.asarray(predictions.fold) != ""
  _check_rows(predictions, "fold", named, "the name of the fold that held the clip out")


def _is_class(values: np.ndarray, k: int) -> np.ndarray:
  values = np.asarray(values)
  if not np.issubdtype(values.dtype, np.integer):
    raise DataError(f"Classes are given as integer indices; got an array of {values.dtype}.")
  return (values >= 0) & (values < k)


def _check_rows(predictions: Predictions, name: str, good: np.ndarray, expected: str) -> None:
  if not np.all(good):
    n = int(np.argmin(good))
    raise DataError(
      f"Predictions.{name} of {_key(predictions, n)} is"
      f" {np.asarray(getattr(predictions, name))[n].tolist()!r}; expected {expected}."
    )


def _check_keys(predictions: Predictions) -> None:
  rows = order(predictions)
  keys = [np.asarray(field)[rows] for field in predictions[:4]]
  same = np.all([key[1:] == key[:-1] for key in keys], axis=0)
  if np.any(same):
    n = int(rows[int(np.argmax(same))])
    raise DataError(f"There are two predictions for {_key(predictions, n)}; expected one.")


def _key(predictions: Predictions, n: int) -> str:
  dataset, subject, clip = (np.asarray(field)[n] for field in predictions[1:4])
  return f"{dataset}/{subject}/{clip} (seed {np.asarray(predictions.seed)[n]})"
