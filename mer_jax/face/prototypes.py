"""Which facial muscles an emotion moves: prototypes in action units (AUs) of FACS.

The prototypes follow FACS and its emotion tables (Ekman, Friesen and Hager, FACS Investigator's
Guide, 2002, and EMFACS), restricted to what micro-expression corpora report:

- happiness: 12 (zygomatic major pulls the lip corners), with the cheeks raised (6) in a felt smile.
- surprise: 1 + 2 (the whole frontalis), often 5 (lids), sometimes lips or jaw apart (25, 26).
- disgust: 9 or 10 (nose wrinkled, upper lip raised), with the 4 and 7 that CASME II codes as often.
- anger: 4 with 5 or 7, lips tightened or pressed (23, 24).
- sadness: 1 (+ 4), corners down (15), chin raised (17).
- fear: 1 + 2 + 4 with 5, lips stretched (20) or parted.
- contempt: 14, on one side only.
- repression (CASME II): lip control, 14, 15, 17, 23 or 24, sometimes over a leaking 12.
- others: what no prototype covers, mostly single 4, 7 or 14, in changing company.

Micro-expressions are fragments: each clip shows a random part of its prototype.
"""

import dataclasses

import numpy as np

# SMIC only tells three classes apart; each is a mixture of the emotions it was elicited as.
_MIXTURES = {
  "negative": (("disgust", 0.5), ("sadness", 0.2), ("fear", 0.15), ("anger", 0.15)),
  "positive": (("happiness", 1.0),),
}
# Probability of each AU; of the AUs in a tuple, exactly one is taken.
PROTOTYPES: dict[str, tuple[tuple[int | tuple[int, ...], float], ...]] = {
  "happiness": ((12, 1.0), (6, 0.65), (25, 0.12), (14, 0.06)),
  "surprise": (((1, 2), 1.0), (1, 0.7), (2, 0.75), (5, 0.45), ((25, 26), 0.4)),
  "disgust": (((9, 10), 0.7), (4, 0.65), (7, 0.45), (17, 0.15)),
  "anger": ((4, 0.85), ((5, 7), 0.6), ((23, 24), 0.5), (17, 0.1)),
  "sadness": ((1, 0.7), (4, 0.5), (15, 0.75), (17, 0.4)),
  "fear": (((1, 2), 1.0), (4, 0.7), (5, 0.6), ((20, 25), 0.7)),
  "contempt": ((14, 1.0), (12, 0.2), (4, 0.1)),
  "repression": (((14, 15, 17, 24), 1.0), (15, 0.35), (17, 0.4), (23, 0.25), (12, 0.15)),
  "others": (((4, 4, 4, 7, 14, 2, 12, 1, 10), 1.0), (7, 0.3), (4, 0.25), (17, 0.15), (5, 0.1)),
}
CENTRAL = (17, 25, 26)  # muscles of the midline have no one-sided form
ONE_SIDED = 0.15  # share of AUs seen on one side only


@dataclasses.dataclass(frozen=True)
class ActionUnit:
  """One AU of one clip.

  Attributes:
    number: FACS number.
    left: weight of the person's left side (right in the picture), 0 where it does not move.
    right: weight of the person's right side.
  """

  number: int
  left: float
  right: float

  def __str__(self) -> str:
    """ "12", "L12" or "R12", as coders write it."""
    side = "" if self.left and self.right else "L" if self.left else "R"
    return f"{side}{self.number}"


def choose(emotion: str, rng: np.random.Generator) -> tuple[ActionUnit, ...]:
  """Draws the AUs of one clip of `emotion` (any spelling of a native label), sorted by number."""
  name = emotion.strip().lower()
  name = "others" if name == "other" else name
  if name in _MIXTURES:
    names, shares = zip(*_MIXTURES[name], strict=True)
    name = str(rng.choice(names, p=shares))
  numbers: set[int] = set()
  for unit, probability in PROTOTYPES[name]:
    if rng.random() < probability:
      numbers.add(unit if isinstance(unit, int) else int(rng.choice(unit)))
  if not numbers:  # the prototypes of disgust, anger and sadness have no compulsory member
    first = PROTOTYPES[name][0][0]
    numbers.add(first if isinstance(first, int) else int(rng.choice(first)))
  return tuple(_action_unit(number, name, rng) for number in sorted(numbers))


def _action_unit(number: int, emotion: str, rng: np.random.Generator) -> ActionUnit:
  strength = float(np.exp(rng.normal(0.0, 0.3)))
  if number in CENTRAL:
    return ActionUnit(number, strength, strength)
  asymmetry = float(rng.normal(0.0, 0.25))
  left, right = strength * np.exp(asymmetry), strength * np.exp(-asymmetry)
  one_sided = emotion == "contempt" or rng.random() < ONE_SIDED
  if one_sided and rng.random() < 0.5:
    left = 0.0
  elif one_sided:
    right = 0.0
  return ActionUnit(number, float(left), float(right))


def written(units: tuple[ActionUnit, ...]) -> str:
  """The AUs as one cell of a coding sheet: "R2+15"."""
  return "+".join(map(str, units))


def objective_class(units: tuple[ActionUnit, ...]) -> str:
  """Class "I" to "VII" of an AU set; sides are ignored and what matches no row is VII.

  Davison, Merghani and Yap, "Objective Classes for Micro-Facial Expression Recognition", J.
  Imaging 4(10), 2018, Table 1.
  """
  return _OBJECTIVE.get("+".join(str(unit.number) for unit in units), "VII")


_OBJECTIVE = {
  units: name
  for name, row in {
    "I": "6 12 6+12 6+7+12 7+12",
    "II": "1+2 5 25 1+2+25 25+26 5+24",
    "III": "23 4 4+7 4+5 4+5+7 17+24 4+6+7 4+38",
    "IV": "10 9 4+9 4+40 4+5+40 4+7+9 4+9+17 4+7+10 4+5+7+9 7+10",
    "V": "1 15 1+4 6+15 15+17",
    "VI": "1+2+4 20",
  }.items()
  for units in row.split()
}
