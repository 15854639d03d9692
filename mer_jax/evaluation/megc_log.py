"""The text log in which MEGC2019 took submissions and STSTNet and CapsuleNet published theirs."""

import codecs
import os
import pathlib
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mer_jax.errors import DataError
from mer_jax.evaluation import megc_names
from mer_jax.evaluation.predictions import LARGEST, Predictions, check, made, order, select
from mer_jax.protocols.megc2019_labels import CLASS_NAMES
from mer_jax.runtime import atomic, regular_files

_SEPARATORS = re.compile(r"[\s,;]+")
_INDEX = re.compile(r"([0-9]{1,4})(?:\.0*)?")

Line = tuple[str, str, str, int, int, int]  # dataset, subject, clip, label, prediction, number


class Log(NamedTuple):
  """R lines of a log as they stand there: a clip may be missing, doubled or under another subject.

  Attributes:
    dataset, subject, clip: str [R] in canonical form where the corpus is one of MEGC2019; as
      written otherwise.
    label, prediction: int64 [R], 0..K-1.
    line: int64 [R], the number of the line, from 1.
    class_names: the K names.
    remarks: what the reader had to make good.
    names_clips: False where `clip` only counts, for lists of predictions name none.
  """

  dataset: np.ndarray
  subject: np.ndarray
  clip: np.ndarray
  label: np.ndarray
  prediction: np.ndarray
  line: np.ndarray
  class_names: tuple[str, ...]
  remarks: tuple[str, ...] = ()
  names_clips: bool = True


def write_megc_logs(folder: str | os.PathLike[str], predictions: Predictions) -> list[pathlib.Path]:
  """Writes `folder/megc2019_seed<seed>.log` for every seed that predicted; returns the paths."""
  paths = []
  for seed in np.unique(predictions.seed[made(predictions)]):
    path = pathlib.Path(folder) / f"megc2019_seed{seed}.log"
    write_megc_log(path, select(predictions, predictions.seed == seed))
    paths.append(path)
  return paths


def write_megc_log(path: str | os.PathLike[str], predictions: Predictions) -> None:
  """Writes the predictions of one seed, atomically.

  One block per held-out subject: "<dataset> <subject>", then a line "<clip> <truth> <prediction>"
  for each clip, classes as indices; a blank line between blocks. Blanks, commas and semicolons
  within a name become "_", for the format separates by them. It has no way to write a clip without
  a prediction, so such a clip is left out.

  Raises:
    DataError: the predictions contradict each other, come from several seeds, or there are none.
  """
  check(predictions)
  if len(np.unique(predictions.seed)) > 1:
    raise DataError("A log of MEGC2019 holds one seed; use write_megc_logs for several.")
  predictions = select(predictions, made(predictions))
  if len(predictions.clip) == 0:
    raise DataError("No clip has a prediction, so a log of MEGC2019 would be empty.")
  blocks: dict[tuple[str, str], list[str]] = {}
  for row in zip(*select(predictions, order(predictions))[1:6], strict=True):
    dataset, subject, clip, label, prediction = row
    lines = blocks.setdefault((dataset, subject), [f"{_word(dataset)} {_word(subject)}"])
    lines.append(f"{_word(clip)} {label} {prediction}")
  atomic.write_text(path, "\n\n".join("\n".join(lines) for lines in blocks.values()) + "\n")


def read_megc_log(
  path: str | os.PathLike[str], class_names: Sequence[str] = CLASS_NAMES, corpus: str = ""
) -> Log:
  """Reads a log in the format of MEGC2019, in the shapes in which such logs are found.

  A line of two words, "<dataset> <subject>", begins a fold; "<clip> <truth> <prediction>" is a
  clip. Blank lines mean nothing, nor do lines of separators alone. Words may be separated by
  blanks, tabs, commas or semicolons; line ends may be those of any system; subjects and clips may
  be unpadded; corpora may be called "CASME II" or "SMIC-HS"; classes may be names. Names that are
  unlike those of their corpus stay as they are: to judge them is the auditor's part.

  Args:
    path: the log.
    class_names: the K classes, by which names are understood and indices are checked.
    corpus: of all clips, in a log whose folds are begun by the subject alone; "" for others.

  Raises:
    DataError: the file cannot be read, is no text, holds no clip, or a line (named) is neither of
      the two.
  """
  path = pathlib.Path(path)
  lines = text_lines(path)
  rows: list[Line] = []
  headers: dict[tuple[str, str], int] = {}
  remarks: list[str] = []
  fold: tuple[str, str] | None = None
  corpus = megc_names.dataset(corpus) or corpus
  for number, text in enumerate(lines, 1):
    words = [word for word in _SEPARATORS.split(text) if word]
    try:
      if (header := _header(words, corpus)) is not None:
        fold = header
        if (first := headers.setdefault(fold, number)) != number:
          remarks.append(f"line {number}: {' '.join(fold)} began in line {first} already.")
      elif words:
        rows.append((*_clip(words, fold, class_names), number))
    except ValueError as error:
      raise DataError(
        f"{path}, line {number}: {error} (the line is {text.strip()[:80]!r})."
      ) from error
  if not rows:
    raise DataError(
      f"{path} holds no clip; expected lines '<dataset> <subject>' and, below each of them, lines"
      " '<clip> <truth> <prediction>'."
    )
  remarks += _empty_folds(headers, rows)
  return log_of_lines(rows, class_names, remarks)


def log_of(predictions: Predictions) -> Log:
  """The clips of one seed that have a prediction, as a log; `line` counts them from 1."""
  predicted = select(predictions, made(predictions))
  return Log(
    *(np.asarray(field) for field in predicted[1:6]),
    line=np.arange(1, len(predicted.clip) + 1),
    class_names=predicted.class_names,
  )


def pooled(logs: Sequence[Log]) -> Log:
  """Several logs, the parts of one submission, as one; `line` is that of each part.

  Raises:
    DataError: there is none, or the classes differ.
  """
  if not logs:
    raise DataError("There is no log.")
  if len({log.class_names for log in logs}) > 1:
    raise DataError("The logs have different classes, so they are not parts of one submission.")
  return Log(
    *(np.concatenate(arrays) for arrays in zip(*(log[:6] for log in logs), strict=True)),
    class_names=logs[0].class_names,
    remarks=tuple(remark for log in logs for remark in log.remarks),
    names_clips=all(log.names_clips for log in logs),
  )


def _word(name: str) -> str:
  return _SEPARATORS.sub("_", str(name).strip()) or "_"


def text_lines(path: pathlib.Path) -> list[str]:
  """The lines of a text file in UTF-8 or UTF-16.

  Raises:
    DataError: it cannot be read, or is no text.
  """
  try:
    data = regular_files.read_bytes(path, LARGEST)
  except OSError as error:
    raise DataError(f"Cannot read the log {path}: {error.strerror or error}.") from error
  except ValueError as error:  # a name that no file can have
    raise DataError(f"Cannot read the log {str(path)!r}: {error}.") from error
  utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
  try:
    text = data.decode("utf-16" if utf16 else "utf-8-sig")
  except UnicodeDecodeError as error:
    number = data[: error.start].count(b"\n") + 1
    raise DataError(f"{path}, line {number}: {error}; expected a text file in UTF-8.") from error
  if "\0" in text:
    number = text[: text.index("\0")].count("\n") + 1
    raise DataError(f"{path}, line {number}: a zero byte; expected a text file.")
  # Not str.splitlines: editors do not count its rarer line ends.
  return re.split(r"\r\n|\n|\r", text)


def _header(words: list[str], corpus: str) -> tuple[str, str] | None:
  """(dataset, subject) of a line that begins a fold; None for every other."""
  alone = "".join(words)
  if corpus and len(words) in (1, 2) and megc_names.is_subject_name(alone):
    return corpus, megc_names.subject(corpus, alone)
  if len(words) == 1 and megc_names.is_subject_name(alone):
    raise ValueError(
      f"{alone!r} alone; expected '<dataset> <subject>'. If all clips are of one corpus, name it"
      " with --corpus"
    )
  # "CASME II sub01" has as many words as a clip, "CASME II sub 01" one more.
  for cut in range(len(words) - 1, 0, -1):
    known = megc_names.dataset("".join(words[:cut]))
    if known and len(words) - cut <= 2:
      subject = "".join(words[cut:])
      return known, megc_names.subject(known, subject)
  if len(words) != 2:
    return None
  if megc_names.is_clip(words[0]):
    raise ValueError(f"the clip {words[0]!r} with one class; expected its truth and its prediction")
  return words[0], words[1]


def _clip(
  words: list[str], fold: tuple[str, str] | None, class_names: Sequence[str]
) -> tuple[str, str, str, int, int]:
  expected = "'<dataset> <subject>' or '<clip> <truth> <prediction>'"
  if len(words) != 3:
    raise ValueError(f"{len(words)} words; expected {expected}")
  label, prediction = (class_of(word, class_names) for word in words[1:])
  if fold is None:
    raise ValueError("a clip before any line '<dataset> <subject>' that says whose it is")
  name = megc_names.clip(fold[0], words[0])
  # "sub02_EP01_11f" below "casme2 sub01": its canonical form would hide the contradiction.
  clip = name.clip if name.subject in ("", fold[1]) else words[0]
  return *fold, clip, label, prediction


def class_of(word: str, class_names: Sequence[str]) -> int:
  """The index of a class given by name or index.

  Raises:
    ValueError: it is unknown.
  """
  names = [name.casefold() for name in class_names]
  match = _INDEX.fullmatch(word)
  if word.casefold() in names:
    return names.index(word.casefold())
  if match and int(match[1]) < len(names):
    return int(match[1])
  known = ", ".join(f"{k} ({name})" for k, name in enumerate(class_names))
  raise ValueError(f"the class {word!r} is unknown; expected one of {known}")


def _empty_folds(headers: dict[tuple[str, str], int], rows: Sequence[Line]) -> list[str]:
  predicted = {row[:2] for row in rows}
  return [
    f"line {line}: {' '.join(fold)} has no clip."
    for fold, line in headers.items()
    if fold not in predicted
  ]


def log_of_lines(
  rows: Sequence[Line], class_names: Sequence[str], remarks: Sequence[str] = ()
) -> Log:
  """The Log of at least one line."""
  dataset, subject, clip, label, prediction, line = zip(*rows, strict=True)
  return Log(
    dataset=np.array(dataset, np.str_),
    subject=np.array(subject, np.str_),
    clip=np.array(clip, np.str_),
    label=np.array(label, np.int64),
    prediction=np.array(prediction, np.int64),
    line=np.array(line, np.int64),
    class_names=tuple(class_names),
    remarks=tuple(remarks),
  )
