"""The lines of predictions.csv: the columns, and the values that each may hold."""

import pathlib
import re
from collections.abc import Iterable
from typing import NamedTuple

from mer_jax.errors import DataError
from mer_jax.targets import single_class

# What names a prediction; the columns of the target follow.
KEY_COLUMNS = ("seed", "dataset", "subject", "clip")
# Stands behind the clip, where folds are no subjects.
FOLD = "fold"
# float32 probabilities of a softmax may leave [0, 1] by rounding, never by more than this.
TOLERANCE = 1e-4

# The probabilities of a line may have been rounded, to two digits for instance, by no more.
SUM_TOLERANCE = 0.05
# Of emotions or the like. What compares runs counts each pair of classes, for each of its draws.
MOST_CLASSES = 100

_INTEGER = re.compile(r"-?[0-9]{1,18}")


class Layout(NamedTuple):
  """The columns of a file: whether one names the fold, and the K classes of the probabilities."""

  fold: bool
  class_names: tuple[str, ...]

  @property
  def header(self) -> list[str]:
    """The first line."""
    fold = (FOLD,) if self.fold else ()
    return [*KEY_COLUMNS, *fold, *single_class.columns(self.class_names)]


class Row(NamedTuple):
  """One line; `fold` is "dataset/subject" where there is no such column."""

  seed: int
  dataset: str
  subject: str
  clip: str
  fold: str
  label: int
  prediction: int
  probabilities: list[float]


def layout(path: pathlib.Path, header: list[str]) -> Layout:
  """The columns of the file `path`, of which `header` is the first line.

  Raises:
    DataError: they are not those of predictions.csv.
  """
  with_fold = header[len(KEY_COLUMNS) : len(KEY_COLUMNS) + 1] == [FOLD]
  class_names = single_class.class_names_of(header[len(KEY_COLUMNS) + with_fold :])
  columns = Layout(with_fold, class_names)
  if columns.header != header or not class_names:
    expected = ",".join([*KEY_COLUMNS, *single_class.columns(("<class>",))])
    raise DataError(
      f"{path}, line 1: the header is {','.join(header)!r}; expected {expected}... with one column"
      f" per class, and perhaps {FOLD} behind {KEY_COLUMNS[-1]}."
    )
  check_names(class_names)
  return columns


def rows(path: pathlib.Path, reader, columns: Layout) -> list[Row]:
  """The lines that the csv `reader` of the file `path` gives after the first.

  Raises:
    DataError: a line, which is named, is not like `columns`, or about the clip of another one.
  """
  parsed, lines = [], {}
  for fields in reader:
    try:
      row = _row(fields, columns)
      if (first := lines.setdefault(row[: len(KEY_COLUMNS)], reader.line_num)) != reader.line_num:
        raise ValueError(f"this clip and seed already stand in line {first}")
    except ValueError as error:
      raise DataError(f"{path}, line {reader.line_num}: {error}.") from error
    parsed.append(row)
  return parsed


def check_names(class_names: tuple[str, ...]) -> None:
  """Raises DataError unless the names of the classes differ, fit on a line and are not too many."""
  if len(class_names) > MOST_CLASSES:
    raise DataError(
      f"There are {len(class_names):,} classes ({class_names[0]!r}, {class_names[1]!r} ...); at"
      f" most {MOST_CLASSES} are scored. Name fewer, or map them onto fewer."
    )
  check_one_line(class_names)
  if len(set(class_names)) != len(class_names):
    raise DataError(f"Two classes share a name: {', '.join(class_names)}.")


def check_one_line(names: Iterable[str]) -> None:
  """Raises DataError where a name holds a line break."""
  for name in names:
    if "\n" in name or "\r" in name:
      raise DataError(f"The name {str(name)!r} holds a line break; a csv line could not hold it.")


def _row(fields: list[str], columns: Layout) -> Row:
  expected, k = len(columns.header), len(columns.class_names)
  if len(fields) != expected:
    raise ValueError(f"{len(fields)} fields; expected {expected}")
  seed, dataset, subject, clip, *rest = fields
  fold = rest.pop(0) if columns.fold else f"{dataset}/{subject}"
  if not fold:
    raise ValueError("the fold is ''; expected the name of the fold that held the clip out")
  label, prediction, *probabilities = rest
  key = (_integer(seed, "seed"), dataset, subject, clip, fold, _class(label, "label", k))
  if not prediction and not any(probabilities):  # the fold was stopped
    return Row(*key, single_class.NO_PREDICTION, [float("nan")] * k)
  values = [_probability(text) for text in probabilities]
  if abs(sum(values) - 1) > SUM_TOLERANCE:
    raise ValueError(f"the probabilities sum to {sum(values):.4g}; expected 1")
  return Row(*key, _class(prediction, "prediction", k), values)


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
  if not -TOLERANCE <= value <= 1 + TOLERANCE:  # also false for NaN
    raise ValueError(f"a probability is {text!r}; expected a number within 0..1")
  return value
