"""Reads clips of one's own into records; touches no pixel.

The table may be a stranger's. Names that end in predictions.csv and on pages hold letters, digits
and a few signs, so that none is a formula, a path or markup; paths stay below the folder.
"""

import collections
import math
import pathlib
import re
from collections.abc import Sequence

from data_builders import annotate, apex_table, sheets, span, tree
from data_builders.build_report import BuildReport
from data_builders.choice import Key
from data_builders.frame_error import FrameError
from data_builders.frames import Frame, key_frames, list_frames
from data_builders.listing import files, table
from data_builders.options import Options
from data_builders.record import Record
from mer_jax.errors import ConfigError

NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
_MISSING = ("nan", "none", "null")  # what data frames write for a cell without content
_TEXT = re.compile(r"[^\W_](?:[\w .()-]{0,98}[\w)])?")


def parse(
  manual_dir: pathlib.Path, config: str, options: Options
) -> tuple[list[Record], BuildReport]:
  """Finds the clips that the table, or the pattern for folders, names.

  Args:
    manual_dir: the folder of the table and of everything that it names.
    config: name of the builder config, for the report.
    options: see `Options`; `name` is that of the data set.

  Returns:
    Records sorted by key, and the report so far.

  Raises:
    ConfigError: the frames are to be re-timed, which rows without onset and offset say themselves.
    DataError: no table, one that cannot be read, or no clip.
  """
  if options.retimed:
    raise ConfigError("--retimed: leave onset and offset out of the table instead.")
  manual_dir = tree.require_folder(manual_dir, table.EXPECTED)
  report = BuildReport(options.name or "listing", config, options=options.described())
  report.synthetic = tree.is_synthetic(manual_dir, manual_dir)
  report.source["folder"] = str(manual_dir)
  rows, sheets_read = _rows(manual_dir, options, report)
  report.listed = 0 if options.pattern else len(rows)
  named = _named(rows, manual_dir, report)
  apexes = apex_table.read(options.apex, _apex_key, [key[1:] for key in named], report)
  cropped = bool(rows) and all("crop" in row.text("path").lower() for row in rows)
  copy = tree.Tree(manual_dir, (), cropped or "crop" in manual_dir.name.lower())
  cropping = annotate.cropping(options.crop, copy, report)
  records = []
  for key, (row, path) in named.items():
    try:
      records.append(_record(key, row, path, apexes.get(key[1:]), cropping, report))
    except FrameError as error:
      report.refuse("/".join(key), str(error))
  if not options.pattern:  # whose own words about them have been printed
    _note_others(manual_dir, rows, report)
  sheets_read += [options.apex] if options.apex else []
  annotate.close(records, copy, sheets_read, report)
  return records, report


def _rows(
  manual_dir: pathlib.Path, options: Options, report: BuildReport
) -> tuple[list[sheets.Row], list[pathlib.Path]]:
  """The rows, and the files that they are from."""
  if options.pattern:
    understood = table.from_folders(manual_dir, options.pattern)
    if understood.others:
      report.note(f"left alone, not like the pattern: {table.some(understood.others)}")
    if not understood.rows:
      report.note(f"no name below the folder is like {options.pattern}")
    return list(understood.rows), []
  path = table.find(manual_dir, options.sheet, report)
  report.source["table"] = str(path)
  return sheets.read_rows(path, table.REQUIRED, table.OPTIONAL), [path]


def _named(
  rows: Sequence[sheets.Row], manual_dir: pathlib.Path, report: BuildReport
) -> dict[tuple[str, str, str], tuple[sheets.Row, pathlib.Path]]:
  """{(dataset, subject, clip): row and path}; of rows with one key all are refused."""
  spellings: dict[str, str] = {}
  found = []
  for row in rows:
    try:
      path = files.inside(manual_dir, row.text("path"))
      dataset = row.text("dataset") or report.dataset
      if not NAME.fullmatch(dataset):
        raise FrameError(f"its dataset {dataset!r} is not like my_study")
      found.append((dataset, _subject(row, spellings, report), row, path))
    except FrameError as error:
      report.refuse(f"{report.dataset}/row {row.number}", str(error))
  names = _clip_names(found, report)
  keys = [(d, s, names[row.number]) for d, s, row, _ in found]
  twice = {key for key, count in collections.Counter(keys).items() if count > 1}
  named = {}
  for key, (*_, row, path) in zip(keys, found, strict=True):
    if key in twice:
      report.refuse(
        f"{report.dataset}/row {row.number}",
        f"several rows are {'/'.join(key)}; name them apart in the column clip",
      )
    elif not _TEXT.fullmatch(key[2]):
      report.refuse(f"{report.dataset}/row {row.number}", _unlike("clip", key[2]))
    else:
      named[key] = row, path
  return named


def _subject(row: sheets.Row, spellings: dict[str, str], report: BuildReport) -> str:
  """The subject, as it was first written: "1" and "01" would be two people in two folds."""
  text = row.text("subject")
  if not _TEXT.fullmatch(text) or text.casefold() in _MISSING:
    raise FrameError(_unlike("subject", text))
  plain = re.sub(r"(?<!\d)0+(?=\d)", "", text.casefold())
  first = spellings.setdefault(plain, text)
  if first != text:
    report.note(f"row {row.number}: subject {text!r} is read as {first!r}, written so above")
  return first


def _clip_names(
  found: Sequence[tuple[str, str, sheets.Row, pathlib.Path]], report: BuildReport
) -> dict[int, str]:
  """{number of the row: name of the clip}.

  It is the one in the table, or the last part of the path. Where a subject has several clips of one
  name, their emotions stand behind it, and of those without a name in the table the path instead.
  """
  short = {row.number: row.text("clip") or _stem(path) for _, _, row, path in found}
  counts = collections.Counter((d, s, short[row.number]) for d, s, row, _ in found)
  paths = collections.Counter(row.text("path") for _, _, row, _ in found)
  names = {}
  for dataset, subject, row, _ in found:
    name = short[row.number]
    if counts[dataset, subject, name] > 1 and row.text("clip"):
      name = f"{name}_{'_'.join(row.text('emotion').lower().split())}"
    elif counts[dataset, subject, name] > 1:
      parts = pathlib.PurePosixPath(row.text("path").replace("\\", "/")).with_suffix("").parts
      spans = [row.text(column) for column in ("onset", "offset") if row.text(column)]
      name = "_".join([*parts, *(spans if paths[row.text("path")] > 1 else [])])
    names[row.number] = name
  renamed = sum(names[number] != name for number, name in short.items())
  if renamed:
    report.note(
      f"{renamed} clips of a subject share a name with another and got longer ones, such as"
      f" {next(n for number, n in names.items() if n != short[number])}"
    )
  return names


def _stem(path: pathlib.Path) -> str:
  return path.name if path.is_dir() else path.stem


def _record(
  key: tuple[str, str, str],
  row: sheets.Row,
  path: pathlib.Path,
  apex: int | None,
  crop: bool,
  report: BuildReport,
) -> Record:
  name = "/".join(key)
  emotion = " ".join(row.text("emotion").lower().split())
  emotion = "others" if emotion == "other" else emotion
  if emotion.isdigit():
    raise FrameError(f"its emotion {emotion!r} is a number; the name of the emotion is expected")
  if not _TEXT.fullmatch(emotion) or emotion in _MISSING:
    raise FrameError(_unlike("emotion", row.text("emotion")))
  split = row.text("split").lower()
  if split and not _TEXT.fullmatch(split):
    raise FrameError(_unlike("split", split))
  part = _span(name, row, path, apex, report)
  return Record(
    dataset=key[0],
    subject=key[1],
    clip=key[2],
    emotion=emotion,
    frames=part.frames,
    numbers=part.numbers,
    onset=0,
    apex=part.apex,
    offset=len(part.frames) - 1,
    apex_missing=part.apex_missing,
    fps=_rate(row),
    crop=crop,
    action_units=annotate.action_units(row.text("action_units")),
    split=split,
  )


def _span(
  name: str, row: sheets.Row, path: pathlib.Path, apex: int | None, report: BuildReport
) -> span.Span:
  if files.is_image(path) and not path.is_dir():
    return span.Span((path,), (1,), 0, False)
  words = key_frames(path)
  if words:
    return span.of_key_frames(name, words, (0, 1, 2), report)
  frames, stray = list_frames(path)
  annotate.note_stray(path, stray, report)
  if not frames:
    raise FrameError("its folder holds no frame")
  onset = _end(name, "onset", row, min(frames), frames, report)
  offset = _end(name, "offset", row, max(frames), frames, report)
  apex_text = None if apex is None and not row.text("apex") else row.text("apex")
  apex = row.integer("apex") if apex is None else apex
  return span.cut(name, frames, onset, offset, apex, apex_text, report)


def _end(
  name: str,
  column: str,
  row: sheets.Row,
  otherwise: int,
  frames: dict[int, Frame],
  report: BuildReport,
) -> int:
  text, number = row.text(column), row.integer(column)
  if text and number is None:
    report.repair(name, f"{column} {text!r}", f"frame {otherwise}", "it is no frame number")
  return otherwise if number is None else number


def _rate(row: sheets.Row) -> float:
  """Frames per second; 0 where they are not known."""
  try:
    rate = float(row.text("fps").replace(",", ".") or 0)
  except ValueError:
    raise FrameError(f"its fps {row.text('fps')!r} is no number") from None
  if not 0 <= rate < math.inf:
    raise FrameError(f"its fps {row.text('fps')!r} is no rate")
  return rate


def _apex_key(row: sheets.Row) -> Key:
  return row.text("subject"), row.text("filename")


def _note_others(manual_dir: pathlib.Path, rows: Sequence[sheets.Row], report: BuildReport) -> None:
  """Notes folders of images and videos that no row names."""
  taken = {manual_dir / row.text("path").replace("\\", "/") for row in rows}
  others = [
    path.relative_to(manual_dir).as_posix()
    for path in files.candidates(manual_dir)
    if not files.is_image(path) and path not in taken and not taken & set(path.parents)
    if not any(path in one.parents for one in taken)
  ]
  if others:
    report.note(f"left alone, in no row of the table: {table.some(others)}")


def _unlike(what: str, text: str) -> str:
  if text.casefold() in ("", *_MISSING):
    return f"its {what} is empty"
  return (
    f"its {what} {text[:60]!r} is no name: letters, digits, blanks and _ . - ( ) make one, if a"
    " letter or digit comes first"
  )
