"""The audit of a log: its clips, every number that follows from it, and the claims about it."""

import os
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mer_jax import protocols
from mer_jax.errors import ConfigError, DataError, unknown
from mer_jax.evaluation import (
  audit_claims,
  audit_coverage,
  audit_formulas,
  folds,
  megc_log,
  prediction_tables,
  remarks,
)
from mer_jax.evaluation.audit_claims import Verdict
from mer_jax.evaluation.audit_coverage import Coverage
from mer_jax.evaluation.audit_formulas import FULL, Value
from mer_jax.evaluation.megc_log import Log
from mer_jax.evaluation.predictions import made, read_csv, select
from mer_jax.protocols import completeness
from mer_jax.runtime import regular_files

COVERAGE_WRONG, CLAIM_UNEXPLAINED, CLAIM_MISNAMED = 8, 9, 10


class Audit(NamedTuple):
  """What was found about one log.

  Attributes:
    name: of the log.
    logs: one for each seed; one alone for a log.
    coverage: of the clips, which are the same for every seed.
    values: every number with its formula.
    verdicts: on the claims, in their order.
    remarks: what else must be said.
  """

  name: str
  logs: tuple[Log, ...]
  coverage: Coverage
  values: tuple[Value, ...]
  verdicts: tuple[Verdict, ...]
  remarks: tuple[str, ...]

  @property
  def exit_code(self) -> int:
    """0, or the lowest of the codes above that holds."""
    verdicts = {verdict.verdict for verdict in self.verdicts}
    if self.coverage.problems:
      return COVERAGE_WRONG
    if audit_claims.UNEXPLAINED in verdicts:
      return CLAIM_UNEXPLAINED
    return CLAIM_MISNAMED if audit_claims.MISNAMED in verdicts else 0


def audit(
  paths: Sequence[str | os.PathLike[str]],
  *,
  protocol: str = "megc2019",
  claimed: str = "",
  split: protocols.Split | None = None,
  pool: bool = False,
  corpus: str = "",
) -> list[Audit]:
  """Audits logs.

  Args:
    paths: logs, predictions.csv files or workdirs.
    protocol: what the logs claim to have followed, a key of mer_jax.protocols.PROTOCOLS.
    claimed: numbers that are printed about each of the logs, see audit_claims.parse.
    split: that protocol carried out on the prepared corpora, to compare clip by clip.
    pool: whether the logs are parts of one submission, as one for each corpus.
    corpus: of the clips, where a log or a table does not name it.

  Returns:
    One audit for each log, or one for all with `pool`.

  Raises:
    ConfigError: the protocol or a claim cannot be used, or there is no log.
    DataError: a log cannot be read.
  """
  if protocol not in protocols.PROTOCOLS:
    raise ConfigError(unknown("protocol", protocol, protocols.PROTOCOLS))
  if not paths:
    raise ConfigError("There is no log to audit; name one, or several.")
  claims = audit_claims.parse(claimed)
  read = [(str(path), *_read(pathlib.Path(path), protocol, split, corpus)) for path in paths]
  if pool:
    if any(len(logs) > 1 for _, logs, _ in read):
      raise ConfigError("--pool takes logs of one seed each; these predictions have several.")
    parts = [logs[0] for _, logs, _ in read]
    notes = _pooled_notes(read)
    read = [(" + ".join(name for name, *_ in read), [megc_log.pooled(parts)], notes)]
  return [_audit(name, logs, notes, protocol, claims, split) for name, logs, notes in read]


def _pooled_notes(read: Sequence[tuple[str, list[Log], list[str]]]) -> list[str]:
  """What has to be said about logs together; that all clips are drawn only where they are."""
  notes = list(dict.fromkeys(note for *_, own in read for note in own))
  drawn = [name for name, _, own in read if completeness.SYNTHETIC_REMARK in own]
  if 0 < len(drawn) < len(read):
    notes.remove(completeness.SYNTHETIC_REMARK)
    notes.append(f"Drawn and recorded clips are mixed: those of {', '.join(drawn)} are synthetic.")
  return notes


def _read(
  path: pathlib.Path, protocol: str, split: protocols.Split | None, corpus: str
) -> tuple[list[Log], list[str]]:
  """The log of every seed, and what has to be said about them."""
  path = path.expanduser()
  path = path / "predictions.csv" if path.is_dir() else path
  drawn = remarks.synthetic(path)
  if not _is_ours(path):
    logs = _foreign(path, protocol, split, corpus)
    return logs, [*([drawn] if drawn else []), *logs[0].remarks]
  predictions = read_csv(path)
  predicted = made(predictions)
  if not predicted.any():
    raise DataError(f"No clip in {path} has a prediction, so there is nothing to audit.")
  notes = [drawn] if drawn else []
  if not predicted.all():
    notes.append(f"{int((~predicted).sum())} rows without a prediction are left out.")
  if folds.held_out(predictions.dataset, predictions.subject, predictions.fold) != folds.SUBJECT:
    notes.append(
      "Its folds are no subjects; those of a log are: a mean over folds is one over subjects here."
    )
  seeds = np.unique(predictions.seed[predicted])
  return [megc_log.log_of(select(predictions, predictions.seed == seed)) for seed in seeds], notes


def _foreign(
  path: pathlib.Path, protocol: str, split: protocols.Split | None, corpus: str
) -> list[Log]:
  """The log of every seed of a file that is no predictions.csv."""
  if split is not None:
    names: Sequence[str] = split.class_names
  elif protocol in protocols.OFFICIAL:
    names = _class_names(path, protocol, corpus)
  else:
    raise ConfigError(
      f"A log has no names of its classes, and those of the protocol {protocol} depend on the"
      " clips. Give --data_dir, or predictions.csv."
    )
  return _foreign_with(path, names, corpus)


def _foreign_with(path: pathlib.Path, names: Sequence[str], corpus: str) -> list[Log]:
  table = prediction_tables.read_table(path, names, corpus)
  if table is not None:
    return [table[seed] for seed in sorted(table)]
  lists = prediction_tables.read_lists(path, names, corpus)
  return [lists or megc_log.read_megc_log(path, names, corpus)]


def _is_ours(path: pathlib.Path) -> bool:
  """Whether the first line is that of a predictions.csv with probabilities."""
  try:
    with regular_files.opened(path) as file:
      first = file.readline(65536).removeprefix(b"\xef\xbb\xbf")
  except (OSError, ValueError) as error:  # ValueError: a name that no file can have
    reason = getattr(error, "strerror", None) or error
    raise DataError(f"Cannot read the log {str(path)!r}: {reason}.") from error
  # A damaged line of ours is named by its own reader.
  return first.startswith(b"seed,") and (b",p_" in first or b",prediction" not in first)


def _class_names(path: pathlib.Path, protocol: str, corpus: str) -> tuple[str, ...]:
  """The classes of a protocol, which for some depend on the corpus that the log begins with."""
  official = protocols.OFFICIAL[protocol]
  selections = {tuple(versions[0].counts) for versions in official.values()}
  if len(selections) == 1:
    return selections.pop()
  every = list(dict.fromkeys(name for names in sorted(selections) for name in names))
  first = _foreign_with(path, every, corpus)[0].dataset[0]
  if first not in official:
    raise DataError(f"{path}: " + unknown(f"corpus in {protocol}", str(first), official))
  return tuple(official[first][0].counts)


def _audit(
  name: str,
  logs: Sequence[Log],
  notes: Sequence[str],
  protocol: str,
  claims: Sequence[audit_claims.Claim],
  split: protocols.Split | None,
) -> Audit:
  corpora = np.unique(logs[0].dataset).tolist()
  if len(corpora) == 1:  # there, the scores of the one corpus are those of all clips
    claims = [c._replace(over=FULL) if c.over == corpora[0] else c for c in claims]
  values = audit_formulas.values(logs)
  verdicts = audit_claims.judge(claims, values)
  notes = [*notes, *audit_claims.remarks(verdicts)]
  drawn = completeness.SYNTHETIC_REMARK in notes
  if logs[0].names_clips:
    coverage = audit_coverage.examine(logs[0], protocol, split, drawn=drawn)
  else:
    coverage = Coverage((), ("They were not compared: the file names none.",))
  return Audit(name, tuple(logs), coverage, tuple(values), tuple(verdicts), tuple(notes))
