"""Features with their labels and subjects, as they come from a file or from Python, checked."""

import hashlib
import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mer_jax.errors import DataError, shown, unknown
from mer_jax.runtime import regular_files
from mer_jax.svm.features import flat

REQUIRED = ("features", "labels", "subjects")
OPTIONAL = ("datasets", "clips", "class_names")


class FeatureTable(NamedTuple):
  """N clips with their features, sorted by (dataset, subject, clip).

  Attributes:
    rows: float64 [N, D].
    labels: int64 [N] in 0..K-1.
    datasets, subjects, clips: str [N].
    class_names: K names.
  """

  rows: np.ndarray
  labels: np.ndarray
  datasets: np.ndarray
  subjects: np.ndarray
  clips: np.ndarray
  class_names: tuple[str, ...]

  @property
  def keys(self) -> np.ndarray:
    """str [N], "dataset/subject": subjects of different datasets are different people."""
    pairs = zip(self.datasets, self.subjects, strict=True)
    return np.array([f"{dataset}/{subject}" for dataset, subject in pairs])

  def fingerprint(self) -> str:
    """sha256 of everything the scores depend on, in hexadecimal."""
    digest = hashlib.sha256(f"{self.rows.shape}".encode())
    digest.update(np.ascontiguousarray(self.rows, "<f8").data)
    digest.update(self.labels.astype("<i8").tobytes())
    for names in (self.datasets, self.subjects, self.clips, self.class_names):
      digest.update(shown("\x1f".join(names)).encode() + b"\x1e")
    return digest.hexdigest()


def read(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
  """The arrays of FEATURES.npz by name.

  Raises:
    DataError: no such file, no .npz, an array that is missing, unknown or made of Python objects.
  """
  try:
    with regular_files.opened(path) as stream:  # by numpy, a damaged file would stay open
      if stream.peek(2).startswith(b"PK"):
        regular_files.check_unpacked(stream)
      file = np.load(stream, allow_pickle=False)
      if not isinstance(file, np.lib.npyio.NpzFile):
        raise DataError(f"{path} holds one array. {_EXPECTED}")
      arrays = {name: _array(path, file, name) for name in file.files}
  except OSError as error:
    raise DataError(f"Cannot read {path}: {error.strerror or error}. {_EXPECTED}") from error
  except _DAMAGE as error:
    raise DataError(f"{path} is no .npz file of numpy ({error}). {_EXPECTED}") from error
  missing = [name for name in REQUIRED if name not in arrays]
  if missing:
    held = ", ".join(arrays) or "nothing"
    raise DataError(f"{path} lacks {', '.join(missing)}; it holds {held}. {_EXPECTED}")
  for name in arrays:
    if name not in (*REQUIRED, *OPTIONAL):
      raise DataError(f"{path}: {unknown('array', name, (*REQUIRED, *OPTIONAL))}")
  return arrays


# What numpy and zipfile raise for one bit or another that is not as it was.
_DAMAGE = (
  *(ValueError, EOFError, LookupError, RuntimeError, SyntaxError, ArithmeticError, MemoryError),
  *(zipfile.BadZipFile, zlib.error),
)
_EXPECTED = (
  "Write it with numpy.savez(FILE, features=..., labels=..., subjects=...); datasets, clips and"
  " class_names may stand beside them."
)


def _array(path: str | os.PathLike[str], file: Any, name: str) -> np.ndarray:
  try:
    return file[name]
  except ValueError as error:
    if "allow_pickle" not in str(error):
      raise
    raise DataError(
      f"{path}: {name} is an array of Python objects, which is not read because it could run any"
      f" code ({error}). Store numbers, or text as numpy.array(..., dtype=str)."
    ) from error


def collect(
  features: np.ndarray | Mapping[str, np.ndarray],
  labels: Sequence[Any] | np.ndarray,
  subjects: Sequence[Any] | np.ndarray,
  datasets: Sequence[Any] | np.ndarray | None = None,
  clips: Sequence[Any] | np.ndarray | None = None,
  class_names: Sequence[Any] | np.ndarray | None = None,
) -> FeatureTable:
  """The clips in order, checked; arguments and errors are those of `run`."""
  rows = flat(features)
  n = len(rows)
  subject = _names("subjects", subjects, n)
  dataset = _names("datasets", np.full(n, "features") if datasets is None else datasets, n)
  width = len(str(n - 1))
  numbered = [f"{row:0{width}d}" for row in range(n)]
  clip = _names("clips", numbered if clips is None else clips, n)
  label, names = _labels(labels, class_names, n)
  order = np.lexsort((clip, subject, dataset))
  table = FeatureTable(
    rows[order], label[order], dataset[order], subject[order], clip[order], names
  )
  if len(set(table.keys)) < 2:
    raise DataError(
      f"Leave-one-subject-out needs at least two subjects; all {n} clips are of {table.keys[0]}."
    )
  return table


def _names(what: str, values: Sequence[Any] | np.ndarray, n: int | None) -> np.ndarray:
  """str [N] of whole numbers or text."""
  array = np.asarray(values)
  if array.dtype.kind == "S":
    try:
      array = np.char.decode(array, "utf-8")
    except UnicodeDecodeError as error:
      raise DataError(f"{what} is not text in UTF-8: {error}.") from error
  if array.dtype.kind not in "iuU":
    raise DataError(f"{what} must be whole numbers or text; got an array of {array.dtype}.")
  if array.ndim != 1 or (n is not None and len(array) != n):
    wanted = "[K]" if n is None else f"({n},), one for each row of features"
    raise DataError(f"{what} has the shape {array.shape}; expected {wanted}.")
  names = array.astype(np.str_)
  empty = np.flatnonzero(np.char.strip(names) == "")
  if len(empty):
    raise DataError(f"{what} is empty in row {empty[0]} (counted from 0). Give it a name.")
  return names


def _labels(
  labels: Sequence[Any] | np.ndarray, class_names: Sequence[Any] | np.ndarray | None, n: int
) -> tuple[np.ndarray, tuple[str, ...]]:
  """int64 [N] and the K names they count."""
  text = _names("labels", labels, n)
  values = np.asarray(labels)
  numbers = values.dtype.kind in "iu"
  if class_names is None:
    occur, indices = np.unique(values if numbers else text, return_inverse=True)
    names = tuple(map(str, occur))
  else:
    names = tuple(_names("class_names", class_names, None).tolist())
    known = {str(k) if numbers else name: k for k, name in enumerate(names)}
    strange = [row for row, name in enumerate(text.tolist()) if name not in known]
    if strange:
      wanted = f"0..{len(names) - 1}" if numbers else ", ".join(names)
      raise DataError(
        f"labels is {str(text[strange[0]])!r} in row {strange[0]} (counted from 0); by class_names"
        f" it must be one of {wanted}."
      )
    indices = np.array([known[name] for name in text])
  counts = np.bincount(indices, minlength=len(names))
  if len(names) < 2 or not counts.all():
    present = ", ".join(f"{count} {name}" for count, name in zip(counts, names, strict=True))
    raise DataError(f"There must be two classes at least and a clip of each; found {present}.")
  return indices.astype(np.int64), names
