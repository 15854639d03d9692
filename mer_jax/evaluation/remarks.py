"""remarks.json: what must be read before the numbers of a run, kept beside its predictions.csv."""

import json
import os
import pathlib
from collections.abc import Sequence

from mer_jax.protocols import completeness
from mer_jax.recognizer.provenance import LEAKY_WEIGHTS
from mer_jax.runtime import atomic, regular_files

FILE = "remarks.json"


def write(folder: str | os.PathLike[str], remarks: Sequence[str]) -> None:
  """Writes the remarks of the run in `folder`, atomically.

  Raises:
    WorkdirError: the folder cannot be written.
  """
  text = json.dumps(list(remarks), indent=2, ensure_ascii=False) + "\n"
  atomic.write_text(pathlib.Path(folder) / FILE, text)


def read(predictions: str | os.PathLike[str]) -> list[str]:
  """The remarks that the run of the file `predictions` left beside it.

  Empty where there is no such file, as beside a predictions.csv that came alone, or where it cannot
  be read: no number depends on it.
  """
  try:
    content = json.loads(regular_files.read_text(pathlib.Path(predictions).parent / FILE))
  except (OSError, ValueError, RecursionError):
    return []
  return [text for text in content if isinstance(text, str)] if isinstance(content, list) else []


def synthetic_among(drawn: Sequence[str], count: int) -> list[str]:
  """The warning that clips were drawn; it names those of `count` runs or logs, if not all are.

  Args:
    drawn: names of the runs or logs whose clips were drawn.
    count: of all that are shown together.
  """
  if not drawn:
    return []
  which = "" if len(drawn) == count else f"{', '.join(drawn)}: "
  return [which + completeness.SYNTHETIC_REMARK]


def synthetic(predictions: str | os.PathLike[str]) -> str:
  """The warning that the clips of the file `predictions` were drawn; "" where none is known."""
  warning = completeness.SYNTHETIC_REMARK
  return warning if warning in read(predictions) else ""


def leaky(predictions: str | os.PathLike[str]) -> list[str]:
  """The remarks that the run of the file `predictions` looked at those whom it is scored on."""
  return [text for text in read(predictions) if text.startswith(LEAKY_WEIGHTS)]
