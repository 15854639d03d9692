"""What an audit found, as text, as audit.json and as audit.csv; what the page shows of it."""

import csv
import io
import json
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from mer_jax.evaluation import audit_claims, audit_formulas
from mer_jax.evaluation.audit import Audit
from mer_jax.evaluation.audit_claims import Verdict
from mer_jax.evaluation.audit_formulas import Value
from mer_jax.report import score_table
from mer_jax.runtime import atomic

_SHOWN = 6  # clips that are named one by one on the console; audit.json has them all
_SCORES = ("accuracy", "precision", "uar", "uf1", "weighted_f1")


def console(audit: Audit) -> str:
  """What was found, as lines of plain text."""
  log, claims = audit.logs[0], [_claim_text(verdict) for verdict in audit.verdicts]
  problems = [
    f"WRONG: {problem.text}{': ' * bool(problem.clips)}{_some(problem.clips)}."
    for problem in audit.coverage.problems
  ]
  verdict = [] if problems else ["Clips: nothing is wrong, as far as was checked."]
  sections = [
    heading(audit),
    "\n".join([*problems, *verdict, *(f"Clips: {remark}" for remark in audit.coverage.remarks)]),
    score_table.aligned(_score_rows(audit)),
    *(score_table.aligned(confusion_rows(audit, over)) for over in audit_formulas.scopes(log)),
    *(["\n".join(claims)] if claims else []),
    "\n".join(f"Note: {remark}" for remark in audit.remarks),
  ]
  return "\n\n".join(section for section in sections if section)


def heading(audit: Audit) -> str:
  """What was audited: "ststnet.log: 442 clips, 68 subjects"."""
  log = audit.logs[0]
  seeds = f", {len(audit.logs)} seeds (scores are means over them)" if len(audit.logs) > 1 else ""
  subjects = len(set(zip(log.dataset.tolist(), log.subject.tolist(), strict=True)))
  return f"{audit.name}: {len(log.clip)} clips, {subjects} subjects{seeds}"


def claim_cells(verdict: Verdict) -> dict[str, str]:
  """A claim for a table: its text, the verdict, its own formula with the value, what gives it."""
  claim = verdict.claim
  own = f"{audit_formulas.OFFICIAL[claim.name]} {_number(verdict.value, claim.decimals)}"
  right = verdict.verdict == audit_claims.RIGHT
  by = "its own formula" if right else _some(_sources(verdict), " or ") or "no formula tried"
  return {"text": claim.text, "verdict": verdict.verdict, "own": own, "by": by}


def as_json(audit: Audit) -> dict[str, Any]:
  """Everything of an audit as a dict that `json` can write."""
  return {
    "log": audit.name,
    "exit_code": audit.exit_code,
    "classes": list(audit.logs[0].class_names),
    "clips": len(audit.logs[0].clip),
    "problems": [problem._asdict() for problem in audit.coverage.problems],
    "coverage": list(audit.coverage.remarks),
    "confusion": {
      over: _confusion(audit, over).tolist() for over in audit_formulas.scopes(audit.logs[0])
    },
    "values": [value._asdict() for value in audit.values],
    "claims": [
      {
        **verdict.claim._asdict(),
        "verdict": verdict.verdict,
        "own_formula_gives": verdict.value,
        "produced_by": [value._asdict() for value in verdict.produced_by],
      }
      for verdict in audit.verdicts
    ],
    "remarks": list(audit.remarks),
  }


def write(folder: str | os.PathLike[str], audits: Sequence[Audit]) -> None:
  """Writes audit.json and audit.csv (log, over, formula, value, claims) atomically.

  Raises:
    WorkdirError: the folder cannot be written.
  """
  text = json.dumps([as_json(audit) for audit in audits], indent=2, allow_nan=False)
  atomic.write_text(pathlib.Path(folder) / "audit.json", text + "\n")
  lines = io.StringIO()
  writer = csv.writer(lines, lineterminator="\n")
  writer.writerow(["log", "over", "formula", "value", "claims"])
  for audit in audits:
    for value in audit.values:
      met = [v.claim.text for v in audit.verdicts if _is_met_by(v, value)]
      writer.writerow([audit.name, value.over, value.formula, repr(value.value), " ".join(met)])
  atomic.write_text(pathlib.Path(folder) / "audit.csv", lines.getvalue())


def _score_rows(audit: Audit) -> list[list[str]]:
  own = {(v.over, name): v.value for v in audit.values for name in v.names}
  rows = [["official", "clips", *_SCORES]]
  for over in audit_formulas.scopes(audit.logs[0]):
    clips = int(audit_formulas.confusion(audit.logs[0], over).sum())
    rows.append([over, str(clips), *(_number(own[over, name]) for name in _SCORES)])
  return rows


def confusion_rows(audit: Audit, over: str) -> list[list[str]]:
  """The counts over `FULL` or a corpus, with a head that says so; summed over the seeds."""
  names = audit.logs[0].class_names
  counts = _confusion(audit, over)
  return [
    [f"{over}: truth \\ prediction", *names],
    *([name, *map(str, line)] for name, line in zip(names, counts.tolist(), strict=True)),
  ]


def _confusion(audit: Audit, over: str) -> np.ndarray:
  return np.sum([audit_formulas.confusion(log, over) for log in audit.logs], axis=0)


def _claim_text(verdict: Verdict) -> str:
  claim, own = verdict.claim, audit_formulas.OFFICIAL[verdict.claim.name]
  gives = f"the {own} is {_number(verdict.value, claim.decimals)}"
  if verdict.verdict == audit_claims.RIGHT:
    return f"RIGHT: {claim.text}: {gives}."
  if verdict.verdict == audit_claims.UNEXPLAINED:
    return f"UNEXPLAINED: {claim.text}: {gives}, and no formula tried gives the claim."
  by = _some(_sources(verdict), " or the ")
  return f"MISNAMED: {claim.text}: it is the {by}; {gives}."


def _sources(verdict: Verdict) -> list[str]:
  """The formulas that give a claim, with the clips they are over where those are others."""
  return [
    value.formula + (f" of {value.over}" if value.over != verdict.claim.over else "")
    for value in verdict.produced_by
  ]


def _is_met_by(verdict: Verdict, value: Value) -> bool:
  own = value.over == verdict.claim.over and verdict.claim.name in value.names
  return value in verdict.produced_by or (own and verdict.verdict == audit_claims.RIGHT)


def _some(items: Sequence[str], between: str = ", ") -> str:
  more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
  return between.join(items[:_SHOWN]) + more


def _number(value: float, decimals: int = 4) -> str:
  text = f"{value:.{max(decimals, 4)}f}"
  return text.removeprefix("0") if value < 1 else text
