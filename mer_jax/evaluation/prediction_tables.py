"""Predictions as others write them: tables with columns of any order, and printed lists."""

import csv
import io
import pathlib
import re
from collections.abc import Sequence

from mer_jax.errors import DataError
from mer_jax.evaluation import megc_log, megc_names
from mer_jax.evaluation.megc_log import Log

# Headers without case, blanks and signs.
_COLUMNS = {
  "seed": ("seed", "run"),
  "dataset": ("dataset", "corpus", "database", "db"),
  "subject": ("subject", "sub", "person"),
  "clip": ("clip", "filename", "file", "video", "sample", "name"),
  "label": ("label", "truth", "groundtruth", "gt", "true", "ytrue", "target", "actual"),
  "prediction": ("prediction", "pred", "predicted", "predictedlabel", "ypred", "output"),
}
_LIST = re.compile(
  r"(?P<truth>(?:ground[ _-]?truth|\btruth|y_?true|\b(?:true )?labels?|\btargets?)\w*)?"
  r"(?(truth)|(?P<prediction>\b(?:y_)?pred\w*))[^\[\]\n]{0,20}\[(?P<values>[^\[\]]*)\]",
  re.IGNORECASE,
)
_SUBJECT = re.compile(r"^\s*(?:subject|sub)\b[ :=]*(\S+)\s*$", re.IGNORECASE | re.MULTILINE)


def read_table(
  path: pathlib.Path, class_names: Sequence[str], corpus: str = ""
) -> dict[int, Log] | None:
  """Reads a table of predictions whose first line names its columns.

  Args:
    path: the file, delimited by comma, semicolon or tab.
    class_names: the K classes, by which names are understood and indices are checked.
    corpus: of all clips, where no column says it.

  Returns:
    {seed: its log}, 0 where no column names the seed; None where the first line names no columns.

  Raises:
    DataError: the file cannot be read, a column is missing, or a line cannot be understood.
  """
  text = "\n".join(megc_log.text_lines(path))
  first = text.split("\n", 1)[0]
  delimiter = max(",;\t", key=first.count)
  rows = csv.reader(io.StringIO(text), delimiter=delimiter)
  columns = _columns(next(rows, []))
  if not {"label", "prediction"} <= set(columns):
    return None
  missing = {"subject", "clip"} - set(columns)
  if missing or not ("dataset" in columns or corpus):
    absent = ", ".join(sorted(missing)) or "dataset; name the corpus with --corpus"
    raise DataError(f"{path}, line 1: no column {absent}. Columns found: {', '.join(columns)}.")
  logs: dict[int, list[megc_log.Line]] = {}
  for cells in rows:
    if not any(cell.strip() for cell in cells):
      continue
    try:
      row = {name: cells[at].strip() for name, at in columns.items()}
      seed = int(row.get("seed") or 0)
      logs.setdefault(seed, []).append(_line(row, corpus, class_names, rows.line_num))
    except (ValueError, IndexError) as error:
      why = "too few cells" if isinstance(error, IndexError) else error
      raise DataError(f"{path}, line {rows.line_num}: {why}.") from error
  if not logs:
    raise DataError(f"{path} holds a header and no prediction.")
  return {seed: megc_log.log_of_lines(lines, class_names) for seed, lines in logs.items()}


def read_lists(path: pathlib.Path, class_names: Sequence[str], corpus: str = "") -> Log | None:
  """Reads lists of predictions and of truths, as programs print them, which name no clip.

  A line "Subject: 006" says whose the lists below it are.

  Returns:
    The log, whose clips are numbered; None where the file holds no such lists.

  Raises:
    DataError: the file cannot be read, there are not as many lists of one kind as of the other, two
      of them differ in length, or a value is no class.
  """
  text = "\n".join(megc_log.text_lines(path))
  lists = list(_LIST.finditer(text))
  if not lists:
    return None
  truths = [m for m in lists if m["truth"]]
  predictions = [m for m in lists if not m["truth"]]
  if len(truths) != len(predictions):
    raise DataError(
      f"{path} holds {len(predictions)} lists of predictions and {len(truths)} of truths."
    )
  subjects = list(_SUBJECT.finditer(text))
  lines: list[megc_log.Line] = []
  for number, (truth, prediction) in enumerate(zip(truths, predictions, strict=True), 1):
    pairs = _values(truth), _values(prediction)
    line = text.count("\n", 0, truth.start()) + 1
    if len(pairs[0]) != len(pairs[1]):
      raise DataError(
        f"{path}, line {line}: {len(pairs[0])} truths and {len(pairs[1])} predictions."
      )
    above = [m[1] for m in subjects if m.start() < min(truth.start(), prediction.start())]
    subject = above[-1] if above else f"list{number}"
    for label, predicted in zip(*pairs, strict=True):
      try:
        classes = megc_log.class_of(label, class_names), megc_log.class_of(predicted, class_names)
      except ValueError as error:
        raise DataError(f"{path}, line {line}: {error}.") from error
      lines.append((corpus or "unknown", subject, f"number{len(lines) + 1}", *classes, line))
  if not lines:
    raise DataError(f"{path}: the lists of predictions are empty.")
  remark = "Lists name no clips, so no clip was checked: neither which they are nor their labels."
  log = megc_log.log_of_lines(lines, class_names, [remark])
  return log._replace(names_clips=False)


def _columns(header: Sequence[str]) -> dict[str, int]:
  plain = [re.sub(r"[^a-z0-9]", "", cell.lower()) for cell in header]
  return {
    name: plain.index(header)
    for name, headers in _COLUMNS.items()
    for header in [next((h for h in headers if h in plain), None)]
    if header is not None
  }


def _line(
  row: dict[str, str], corpus: str, class_names: Sequence[str], number: int
) -> megc_log.Line:
  written = row.get("dataset") or corpus
  dataset = megc_names.dataset(written) or written
  subject = megc_names.subject(dataset, row["subject"])
  clip = megc_names.clip(dataset, row["clip"]).clip
  label, prediction = (
    megc_log.class_of(row[name], class_names) for name in ("label", "prediction")
  )
  return dataset, subject, clip, label, prediction, number


def _values(found: re.Match[str]) -> list[str]:
  return [value.strip("'\"") for value in re.split(r"[\s,;]+", found["values"]) if value]
