"""Published numbers, each with its source and what is doubtful about it.

They are data, one JSON file for each published table, and never enter anything that is computed
here: a report shows them beside what was measured, in a column of their own.
"""

import json
import pathlib
from typing import NamedTuple

from mer_jax.errors import ConfigError, unknown

_FOLDER = pathlib.Path(__file__).parent


class Number(NamedTuple):
  """One published accuracy.

  Attributes:
    accuracy: as printed, 0..1.
    clips: that the publication says it is over.
    correct: the only whole number of clips that gives `accuracy` as printed; None where there is
      none, and then the number is not a pooled accuracy of so many clips.
  """

  accuracy: float
  clips: int
  correct: int | None


class Published(NamedTuple):
  """A published table.

  Attributes:
    source: the publication.
    doubts: what a reader must know before comparing anything with it, a sentence each.
    rows: by the name of the row: system and setting as printed.
    numbers: by (row, dataset).
  """

  source: str
  doubts: tuple[str, ...]
  rows: dict[str, tuple[str, str]]
  numbers: dict[tuple[str, str], Number]


def load(name: str) -> Published:
  """The published table `name`: "table2", that of the paper this project starts from.

  Raises:
    ConfigError: there is no such table.
  """
  file = _FOLDER / f"{name}.json"
  if not file.is_file():
    known = [path.stem for path in _FOLDER.glob("*.json")]
    raise ConfigError(unknown("table of published numbers", name, known))
  content = json.loads(file.read_text(encoding="utf-8"))
  clips = content["clips"]
  return Published(
    source=content["source"],
    doubts=tuple(content["doubts"]),
    rows={row["row"]: (row["system"], row["setting"]) for row in content["rows"]},
    numbers={
      (row["row"], dataset): Number(printed, clips[dataset], _correct(printed, clips[dataset]))
      for row in content["rows"]
      for dataset, printed in row["accuracy"].items()
    },
  )


def _correct(accuracy: float, clips: int) -> int | None:
  nearest = round(accuracy * clips)
  return nearest if round(nearest / clips, 3) == accuracy else None
