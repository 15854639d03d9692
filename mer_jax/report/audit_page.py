"""audit.html: what an audit found, as a page like that of a run."""

import os
import pathlib
from collections.abc import Sequence
from typing import Any

from mer_jax.evaluation import audit_formulas, audit_intervals, intervals, remarks
from mer_jax.evaluation.audit import Audit
from mer_jax.protocols import completeness
from mer_jax.report import audit as report
from mer_jax.report import score_table
from mer_jax.report.score_table import Row
from mer_jax.report.templates import template
from mer_jax.runtime import atomic


def write(folder: str | os.PathLike[str], audits: Sequence[Audit]) -> pathlib.Path:
  """Writes audit.html, atomically.

  Args:
    folder: where audit.json and audit.csv are.
    audits: at least one.

  Returns:
    The path of audit.html.

  Raises:
    WorkdirError: the folder cannot be written.
  """
  path = pathlib.Path(folder) / "audit.html"
  title = "1 log" if len(audits) == 1 else f"{len(audits)} logs"
  page = template("audit.html").render(
    title=f"Audit of {title}",
    remarks=_warnings(audits),
    columns=score_table.COLUMNS,
    audits=[_content(audit) for audit in audits],
    level=score_table.percent(intervals.LEVEL),
    resamples=intervals.RESAMPLES,
  )
  atomic.write_text(path, page)
  return path


def _warnings(audits: Sequence[Audit]) -> list[str]:
  """What is said of some log that must be read before its numbers: that its clips were drawn."""
  drawn = [audit.name for audit in audits if completeness.SYNTHETIC_REMARK in audit.remarks]
  return remarks.synthetic_among(drawn, len(audits))


def _content(audit: Audit) -> dict[str, Any]:
  scopes = audit_formulas.scopes(audit.logs[0])
  return {
    "name": audit.name,
    "heading": report.heading(audit),
    "problems": audit.coverage.problems,
    "coverage": audit.coverage.remarks,
    "rows": [row for over in scopes for row in _rows(audit, over)],
    "claims": [report.claim_cells(verdict) for verdict in audit.verdicts],
    "confusions": [report.confusion_rows(audit, over) for over in scopes],
    "remarks": [text for text in audit.remarks if text != completeness.SYNTHETIC_REMARK],
  }


def _rows(audit: Audit, over: str) -> list[Row]:
  """The official scores over all clips or a corpus, and below them their intervals."""
  own = {name: v.value for v in audit.values if v.over == over for name in v.names}
  clips = str(int(audit_formulas.confusion(audit.logs[0], over).sum()))
  kind = "pooled" if over == audit_formulas.FULL else "dataset"
  cells = [score_table.number(own[name]) for name in score_table.COLUMNS]
  spans = audit_intervals.of(audit.logs, over)
  shown = [score_table.span(spans[name]) if spans else "–" for name in score_table.COLUMNS]
  level = f"{score_table.percent(intervals.LEVEL)} interval"
  return [Row(over, kind, clips, cells), Row(level, "interval", "", shown)]
