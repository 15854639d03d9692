"""The columns that each corpus has in the table of a grid."""

from typing import NamedTuple


class Column(NamedTuple):
  """One column.

  Attributes:
    name: its head.
    kind: "measured", "leaky" (chosen by the held-out clips themselves), "published" or "time".
    score: which of the scores of a run it shows, "" where it shows none.
  """

  name: str
  kind: str
  score: str = ""


ACCURACY = Column("accuracy", "measured", "accuracy")
UF1 = Column("UF1", "measured", "uf1")
UAR = Column("UAR", "measured", "uar")
PUBLISHED = Column("published", "published")
LEAKY = Column("leaky_test_best", "leaky", "uf1")
TIME = Column("time", "time")


def columns(score: str, *, leaky: bool, published: bool) -> tuple[Column, ...]:
  """The columns beside published numbers that are a `score`, "accuracy" or "uf1".

  With `leaky` a column follows UF1 that shows what the held-out clips themselves would choose; with
  `published` one follows the score for the published numbers.
  """
  uf1 = (UF1, LEAKY) if leaky else (UF1,)
  printed = (PUBLISHED,) if published else ()
  if score == "uf1":
    return (*uf1, *printed, UAR, ACCURACY, TIME)
  return (ACCURACY, *printed, *uf1, UAR, TIME)
