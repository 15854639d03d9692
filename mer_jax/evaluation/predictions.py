"""predictions.csv: what every model said about every clip while it was held out."""

import csv
import io
import os
import pathlib
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from mer_jax import atomic
from mer_jax.errors import DataError
from mer_jax.protocols import Split

COLUMNS = ("seed", "dataset", "subject", "clip", "label", "prediction")
PROBABILITY_PREFIX = "p_"
# The prediction of a clip whose fold was stopped; its probabilities are NaN.
NO_PREDICTION = -1

_INTEGER = re.compile(r"-?[0-9]{1,18}")
# float32 probabilities of a softmax may leave [0, 1] by rounding, never by more than this.
_TOLERANCE = 1e-4


class Predictions(NamedTuple):
  """R predictions: one for each clip and seed, made by the fold that held the clip's subject out.

  A clip whose fold was stopped keeps its row, with prediction -1 and NaN as every probability.

  Attributes:
    seed: int64 [R], the seed of the run that predicted.
    dataset, subject, clip: str [R], together the key of the clip.
    label: int64 [R], the true class, 0..K-1.
    prediction: int64 [R], the predicted class, 0..K-1; `NO_PREDICTION` where there is none.
    probabilities: float32 [R, K], of each class, 0..1; NaN where there is no prediction.
    class_names: the K names, in the order of the indices.
  """

  seed: np.ndarray
  dataset: np.ndarray
  subject: np.ndarray
  clip: np.ndarray
  label: np.ndarray
  prediction: np.ndarray
  probabilities: np.ndarray
  class_names: tuple[str, ...]


def predictions_of(seeds: Sequence[int], split: Split, probabilities: np.ndarray) -> Predictions:
  """Puts what the held-out folds said together with the clips they said it about.

  Args:
    seeds: the S seeds.
    split: the N clips and K classes.
    probabilities: float32 [S, N, K], of clip n from the fold that held its subject out; NaN
      throughout where that fold was stopped.

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
  return Predictions(
    seed=np.repeat(np.asarray(seeds, np.int64), n),
    dataset=np.tile(clips.dataset, len(seeds)),
    subject=np.tile(clips.subject, len(seeds)),
    clip=np.tile(clips.clip, len(seeds)),
    label=np.tile(split.labels.astype(np.int64), len(seeds)),
    prediction=np.where(np.isnan(flat).all(axis=1), NO_PREDICTION, flat.argmax(axis=1)),
    probabilities=flat,
    class_names=tuple(split.class_names),
  )


def write_csv(path: str | os.PathLike[str], predictions: Predictions) -> None:
  """Writes predictions.csv atomically, its rows sorted by (seed, dataset, subject, clip).

  The header is `seed,dataset,subject,clip,label,prediction,p_<class>...`. Classes are written as
  their index, as the logs of MEGC2019 do; probabilities with the nine digits that bring back
  every float32 exactly. Without a prediction, it and the probabilities are empty.

  Raises:
    DataError: the arrays contradict each other (see `check`).
  """
  check(predictions)
  ordered = select(predictions, order(predictions))
  text = io.StringIO()
  writer = csv.writer(text, lineterminator="\n")
  writer.writerow([*COLUMNS, *(PROBABILITY_PREFIX + name for name in ordered.class_names)])
  for *fields, prediction, probabilities in zip(*ordered[:7], strict=True):
    if prediction == NO_PREDICTION:
      writer.writerow([*fields, "", *("" for _ in probabilities)])
    else:
      writer.writerow([*fields, prediction, *(f"{p:.9g}" for p in probabilities)])
  atomic.write_text(path, text.getvalue())


def read_csv(path: str | os.PathLike[str]) -> Predictions:
  """Reads what `write_csv` wrote.

  Raises:
    DataError: the file is absent, or one of its lines (named) is not what `write_csv` writes.
  """
  path = pathlib.Path(path)
  try:
    # utf-8-sig: a spreadsheet that saved the file put a byte order mark in front.
    with open(path, encoding="utf-8-sig", newline="") as file:
      reader = csv.reader(file, strict=True)
      class_names = _header(path, next(reader, []))
      rows = _rows(path, reader, len(class_names))
  except OSError as error:
    raise DataError(f"Cannot read the predictions in {path}: {error.strerror or error}.") from error
  except (UnicodeDecodeError, csv.Error) as error:
    raise DataError(f"{path} is not a csv file in UTF-8: {error}.") from error
  if not rows:
    raise DataError(f"{path} holds a header and no prediction. Run the experiment again.")
  seed, dataset, subject, clip, label, prediction, probabilities = zip(*rows, strict=True)
  return Predictions(
    seed=np.array(seed, np.int64),
    dataset=np.array(dataset, np.str_),
    subject=np.array(subject, np.str_),
    clip=np.array(clip, np.str_),
    label=np.array(label, np.int64),
    prediction=np.array(prediction, np.int64),
    probabilities=np.array(probabilities, np.float32),
    class_names=class_names,
  )


def select(predictions: Predictions, rows: np.ndarray) -> Predictions:
  """The rows at `rows` (int [n] or bool [R]) as new Predictions."""
  arrays = [np.asarray(field)[rows] for field in predictions[:7]]
  return Predictions(*arrays, class_names=predictions.class_names)


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
  _check_names(predictions.class_names)
  for field in predictions[1:4]:
    _check_one_line(np.unique(field))
  classes = f"one of 0..{k - 1}"
  _check_rows(predictions, "label", _is_class(predictions.label, k), classes)
  known = _is_class(predictions.prediction, k)
  none = np.asarray(predictions.prediction) == NO_PREDICTION
  _check_rows(predictions, "prediction", known | none, classes)
  p = np.asarray(predictions.probabilities, np.float64)
  inside = np.all((p >= -_TOLERANCE) & (p <= 1 + _TOLERANCE), axis=1)
  _check_rows(predictions, "probabilities", none | inside, "finite and within 0..1")
  absent = np.all(np.isnan(p), axis=1)
  _check_rows(predictions, "probabilities", known | absent, "NaN only, for a clip not predicted")
  _check_keys(predictions)


def _check_names(class_names: tuple[str, ...]) -> None:
  _check_one_line(class_names)
  if len(set(class_names)) != len(class_names):
    raise DataError(f"Two classes share a name: {', '.join(class_names)}.")


def _check_one_line(names: Iterable[str]) -> None:
  for name in names:
    if "\n" in name or "\r" in name:
      raise DataError(f"The name {str(name)!r} holds a line break; a csv line could not hold it.")


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
      f" {np.asarray(getattr(predictions, name))[n].tolist()}; expected {expected}."
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


def _header(path: pathlib.Path, header: list[str]) -> tuple[str, ...]:
  fixed, probabilities = tuple(header[: len(COLUMNS)]), header[len(COLUMNS) :]
  named = all(column.startswith(PROBABILITY_PREFIX) for column in probabilities)
  if fixed != COLUMNS or not probabilities or not named:
    raise DataError(
      f"{path}, line 1: the header is {','.join(header)!r}; expected"
      f" {','.join(COLUMNS)},p_<class>... with one column per class."
    )
  class_names = tuple(column.removeprefix(PROBABILITY_PREFIX) for column in probabilities)
  _check_names(class_names)
  return class_names


def _rows(path: pathlib.Path, reader, k: int) -> list[tuple]:
  rows, lines = [], {}
  for fields in reader:
    try:
      row = _row(fields, k)
      if (first := lines.setdefault(row[:4], reader.line_num)) != reader.line_num:
        raise ValueError(f"this clip and seed already stand in line {first}")
    except ValueError as error:
      raise DataError(f"{path}, line {reader.line_num}: {error}.") from error
    rows.append(row)
  return rows


def _row(fields: list[str], k: int) -> tuple:
  if len(fields) != len(COLUMNS) + k:
    raise ValueError(f"{len(fields)} fields; expected {len(COLUMNS) + k}")
  seed, dataset, subject, clip, label, prediction, *probabilities = fields
  key = (_integer(seed, "seed"), dataset, subject, clip, _class(label, "label", k))
  if not prediction and not any(probabilities):  # the fold was stopped
    return (*key, NO_PREDICTION, [float("nan")] * k)
  values = [_probability(text) for text in probabilities]
  return (*key, _class(prediction, "prediction", k), values)


def _class(text: str, name: str, k: int) -> int:
  value = _integer(text, name)
  if not 0 <= value < k:
    raise ValueError(f"{name} is {value}; expected one of 0..{k - 1}")
  return value


def _integer(text: str, name: str) -> int:
  if not _INTEGER.fullmatch(text):
    raise ValueError(f"{name} is {text!r}; expected a whole number")
  return int(text)


def _probability(text: str) -> float:
  try:
    value = float(text)
  except ValueError:
    value = float("nan")
  if not -_TOLERANCE <= value <= 1 + _TOLERANCE:  # also false for NaN
    raise ValueError(f"a probability is {text!r}; expected a number within 0..1")
  return value
