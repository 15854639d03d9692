"""Which formula, if any, gives the numbers that a paper prints about its log."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from mer_jax.errors import ConfigError, unknown
from mer_jax.evaluation import megc_names
from mer_jax.evaluation.audit_formulas import FULL, Value

RIGHT, MISNAMED, UNEXPLAINED = "right", "misnamed", "unexplained"
_ALIASES = {
  **dict.fromkeys(("uf1", "f1", "macro_f1"), "uf1"),
  **dict.fromkeys(("uar", "recall", "macro_recall", "balanced_accuracy"), "uar"),
  **dict.fromkeys(("accuracy", "acc", "war"), "accuracy"),
  **dict.fromkeys(("precision", "macro_precision"), "precision"),
  **dict.fromkeys(("weighted_f1", "wf1"), "weighted_f1"),
  "micro_f1": "micro_f1",
}
_NUMBER = re.compile(r"([0-9]*)(?:\.([0-9]*))?(%?)")
# Numbers with fewer decimals are met by one formula or another too easily.
_FEW = 3


class Claim(NamedTuple):
  """A number that is printed somewhere.

  Attributes:
    text: as given, "casme2.uf1=.8382".
    name: a key of audit_formulas.OFFICIAL.
    over: `FULL` or a corpus.
    value: 0..1.
    decimals: digits behind the point of the value in 0..1, at least 2.
  """

  text: str
  name: str
  over: str
  value: float
  decimals: int


class Verdict(NamedTuple):
  """What became of a claim.

  Attributes:
    claim: the claim.
    verdict: `RIGHT` where its own formula gives it; `MISNAMED` where only others do; `UNEXPLAINED`
      where none does.
    value: what its own formula gives.
    produced_by: the other values that it might be, those over the same clips first; empty for
      `RIGHT`.
  """

  claim: Claim
  verdict: str
  value: float
  produced_by: tuple[Value, ...]


def parse(text: str) -> list[Claim]:
  """Claims from "uf1=.7353,uar=.7605,casme2.uf1=83.82%".

  Names are those of audit_formulas.OFFICIAL and the usual others (f1, acc, ...), behind the name of
  a corpus and a point where a claim is about one. Numbers above 1, and with %, are percent.

  Raises:
    ConfigError: a claim is of another form, about another score, or has too few digits.
  """
  return [_claim(part.strip()) for part in text.split(",") if part.strip()]


def judge(claims: Sequence[Claim], values: Sequence[Value]) -> list[Verdict]:
  """Looks for each claim among `values`.

  A claim is met by a number that differs from it by no more than half a unit of its last digit.

  Raises:
    ConfigError: a claim is about a corpus that the log has no clip of.
  """
  return [_judge(claim, values) for claim in claims]


def remarks(verdicts: Sequence[Verdict]) -> list[str]:
  """What must be said beside the verdicts."""
  few = [v.claim.text for v in verdicts if v.claim.decimals < _FEW and v.verdict == MISNAMED]
  return [
    f"{', '.join(few)}: so few digits are met by some formula by chance; give more if you can."
  ] * bool(few) + [
    "Whether the epoch or anything else was chosen on the held-out subjects cannot be seen in a"
    " log: a score of the best epoch is that of the predictions of that epoch."
  ]


def _claim(text: str) -> Claim:
  key, sign, number = (part.strip() for part in text.partition("="))
  over, _, name = key.rpartition(".")
  match = _NUMBER.fullmatch(number)
  if not sign or not match or not (match[1] or match[2]):
    raise ConfigError(f"The claim {text!r} is not like uf1=.7353, uar=76.05% or casme2.uf1=.8382.")
  folded = re.sub(r"[\W_]+", "_", name.casefold())
  if folded not in _ALIASES:
    raise ConfigError(unknown("score in a claim", name, _ALIASES))
  value, decimals = float(f"{match[1] or 0}.{match[2] or 0}"), len(match[2] or "")
  if match[3] or value > 1:
    value, decimals = value / 100, decimals + 2
  if value > 1 or decimals < 2:
    raise ConfigError(
      f"The claim {text!r} must be a number within 0..1 with at least two digits behind the point,"
      " or a percentage."
    )
  full = over.casefold() in ("", FULL)
  corpus = FULL if full else megc_names.dataset(over) or over
  return Claim(text, _ALIASES[folded], corpus, value, decimals)


def _judge(claim: Claim, values: Sequence[Value]) -> Verdict:
  own = [value for value in values if value.over == claim.over and claim.name in value.names]
  if not own:
    known = {value.over for value in values}
    raise ConfigError(unknown(f"corpus in the claim {claim.text!r}:", claim.over, known))
  if _meets(claim, own[0].value):
    return Verdict(claim, RIGHT, own[0].value, ())
  others = [value for value in values if _meets(claim, value.value)]
  others.sort(key=lambda value: value.over != claim.over)
  return Verdict(claim, MISNAMED if others else UNEXPLAINED, own[0].value, tuple(others))


def _meets(claim: Claim, value: float) -> bool:
  # A value right between two numbers may be printed as either; the rest is for binary fractions.
  return abs(value - claim.value) <= 0.5 * 10.0**-claim.decimals + 1e-12
