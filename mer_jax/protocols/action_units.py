"""Reads the action units that a coding sheet writes in one cell: "4+L7", "R12", "AU4", "4 or 5".

Sides (L, R, A for left, right, asymmetric; T, B for top and bottom lip), intensities (A to E) and
words ("soft focus") are passed over. An "or", which a slash between two numbers is too, leaves open
which of the units is shown. "(k)" marks a unit that the coders were not sure of.
"""

import re
from typing import NamedTuple

from mer_jax.errors import DataError

_JOINED = re.compile(r"[+,;&，＋；]")
_UNCERTAIN = re.compile(r"\(\s*k\s*\)", re.IGNORECASE)
_OR = re.compile(r"\bor\b|/", re.IGNORECASE)
# What a spreadsheet adds to a number that it takes for a decimal fraction.
_DECIMAL = re.compile(r"(?<=\d)\.0*(?!\d)")


class ActionUnits(NamedTuple):
  """What a cell says.

  Attributes:
    certain: numbers of the units that are shown.
    open: alternatives of which one is shown, a set of numbers for each "or".
    uncertain: numbers of the units marked with "(k)".
  """

  certain: frozenset[int]
  open: tuple[frozenset[int], ...] = ()
  uncertain: frozenset[int] = frozenset()


def parse(cell: str) -> ActionUnits:
  """The action units of `cell`; none for an empty cell and for "?".

  Raises:
    DataError: it holds numbers that are no action units, or several without a sign between them.
  """
  certain: set[int] = set()
  uncertain: set[int] = set()
  alternatives = []
  for part in _JOINED.split(_UNCERTAIN.sub(" k ", cell)):
    numbers_in_part = [_unit(text, cell) for text in _OR.split(part)]
    units = frozenset(unit for unit in numbers_in_part if unit is not None)
    if re.search(r"(?<!\w)k(?!\w)", part):
      uncertain |= units
    elif len(units) > 1:
      alternatives.append(units)
    else:
      certain |= units
  return ActionUnits(frozenset(certain), tuple(alternatives), frozenset(uncertain))


def _unit(text: str, cell: str) -> int | None:
  """The one number of `text`, None where it has none ("A" of "A/L12", "soft focus")."""
  numbers = re.findall(r"\d[\d.]*", _DECIMAL.sub("", text))
  if len(numbers) > 1 or not all(re.fullmatch(r"\d{1,2}", number) for number in numbers):
    raise DataError(
      f"The action units {cell!r} cannot be read at {text.strip()!r}; expected numbers of at most"
      " two digits, joined by +, as in 4+L7, R12, AU4 or 4 or 5. Correct the sheet and build again."
    )
  return int(numbers[0]) if numbers else None
