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
  """One published score.

  Attributes:
    value: as printed, 0..1.
    clips: that the publication says it is over.
    correct: of an accuracy the only whole number of clips that gives it as printed; None where
      there is none, and then the number is not a pooled accuracy of so many clips.
  """

  value: float
  clips: int
  correct: int | None


class Published(NamedTuple):
  """A published table.

  Attributes:
    source: the publication.
    doubts: what a reader must know before comparing anything with it, a sentence each.
    rows: by the name of the row: system and setting as printed.
    numbers: by (row, dataset).
    score: what they are, "accuracy" or "uf1".
    notes: where the rows differ in that, the source of each, by which rule its epoch was selected,
      and what is doubtful about it.
  """

  source: str
  doubts: tuple[str, ...]
  rows: dict[str, tuple[str, str]]
  numbers: dict[tuple[str, str], Number]
  score: str = "accuracy"
  notes: tuple[str, ...] = ()


def load(name: str) -> Published:
  """The published table `name`.

  "table2" is that of the paper this project starts from, "table1" what the systems report that it
  reviews, "composite" what peers on MEGC2019's composite do.

  Raises:
    ConfigError: there is no such table.
  """
  file = _FOLDER / f"{name}.json"
  if not file.is_file():
    known = [path.stem for path in _FOLDER.glob("*.json")]
    raise ConfigError(unknown("table of published numbers", name, known))
  content = json.loads(file.read_text(encoding="utf-8"))
  clips, score = content["clips"], content.get("score", "accuracy")
  return Published(
    source=content["source"],
    doubts=tuple(content["doubts"]),
    rows={row["row"]: (row["system"], row["setting"]) for row in content["rows"]},
    numbers={
      (row["row"], dataset): Number(
        printed,
        clips[dataset],
        _correct(printed, clips[dataset]) if score == "accuracy" else None,
      )
      for row in content["rows"]
      for dataset, printed in row[score].items()
    },
    score=score,
    notes=tuple(
      f"{row['system']} {row['setting']}".strip() + f": {row['source']} {row['selection']}"
      for row in content["rows"]
      if "selection" in row
    ),
  )


def _correct(accuracy: float, clips: int) -> int | None:
  nearest = round(accuracy * clips)
  return nearest if round(nearest / clips, 3) == accuracy else None
