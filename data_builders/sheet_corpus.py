"""A corpus that is a tree of clips and a coding sheet with a row for each of them."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from data_builders import annotate, apex_table, choice, sheets, span, tree
from data_builders.build_report import BuildReport
from data_builders.choice import Key
from data_builders.frame_error import FrameError
from data_builders.frames import Frame, Source, key_frames, list_frames
from data_builders.options import Options
from data_builders.record import Record
from mer_jax.errors import DataError

RETIMED = "If the clips were cut and re-timed to another number of frames, say so with --retimed."


@dataclasses.dataclass(frozen=True)
class SheetCorpus:
  """How the tree and the sheet of one corpus are read.

  Attributes:
    dataset: its name.
    expected: what the tree should look like, for messages.
    fps: frames per second of the camera.
    emotions: its own labels in canonical form.
    subject, clip: regular expressions of folder names, see `tree.find_trees`.
    required, optional: columns of the sheet, see `sheets.read_rows`.
    row_key: the key of a row; raises ValueError where it names no clip.
    clip_key: the key of a clip on disk.
    offset: (name, row, onset, frames, report) -> frame number of the offset.
    rows: (rows, report) -> those that count; all of them by default.
    objective_classes: (workbooks, report) -> {key: "I" to "VII"} from a file of their own.
  """

  dataset: str
  expected: str
  fps: float
  emotions: tuple[str, ...]
  subject: str
  clip: str
  required: Mapping[str, Sequence[str]]
  optional: Mapping[str, Sequence[str]]
  row_key: Callable[[sheets.Row], Key]
  clip_key: Callable[[tree.Clip], Key]
  offset: Callable[[str, sheets.Row, int, Mapping[int, Frame], BuildReport], int]
  rows: Callable[[list[sheets.Row], BuildReport], list[sheets.Row]] = lambda rows, _: rows
  objective_classes: Callable[[list[pathlib.Path], BuildReport], Mapping[Key, str]] = (
    lambda _, report: {}
  )


def read(
  corpus: SheetCorpus, manual_dir: pathlib.Path, config: str, options: Options
) -> tuple[list[Record], BuildReport]:
  """Finds the clips of the corpus and repairs or refuses what is wrong with them.

  Args:
    corpus: what is to be read.
    manual_dir: holds the corpus as its owners distribute it, or is the tree or a part of it.
    config: name of the builder config, for the report.
    options: see `Options`.

  Returns:
    Records sorted by key, and the report so far (damaged images are refused when they are decoded).

  Raises:
    DataError: tree or sheet absent or unreadable, a column of the sheet is missing, or the clips
      were re-timed and `options` does not say so.
  """
  manual_dir = tree.require_folder(manual_dir, corpus.expected)
  described = options.described(sheet=str(options.sheet or "newest"))
  report = BuildReport(corpus.dataset, config, options=described)
  trees = tree.find_trees(manual_dir, corpus.subject, corpus.clip)
  choice.require(trees, manual_dir, corpus.expected, report)
  workbooks = tree.find_sheets(manual_dir, trees[0].root)
  coding, rows = _coding(corpus, options, workbooks, trees, manual_dir, report)
  copy = choice.choose_tree(trees, corpus.clip_key, rows, report)
  folders = annotate.clip_folders(copy, corpus.clip_key, rows, corpus.dataset, report)
  classes = corpus.objective_classes(workbooks, report)
  apexes = apex_table.read(options.apex, corpus.row_key, rows, report)
  cropping = annotate.cropping(options.crop, copy, report)
  records, lengths = [], []
  for key in annotate.matched(rows, folders, corpus.dataset, report):
    row = _with(rows[key], apexes.get(key), classes.get(key))
    try:
      frames = _frames(folders[key], report)
      lengths.append((frames, row))
      records.append(_record(corpus, key, row, frames, options.retimed, report))
    except FrameError as error:
      report.refuse("/".join((corpus.dataset, *key)), str(error))
  if not options.retimed:
    _check_timing(lengths)
  records = [dataclasses.replace(record, crop=cropping) for record in records]
  own = [p for p in workbooks if str(p) == report.source.get("objective classes")]
  apex = [options.apex] if options.apex else []
  annotate.close(records, copy, [coding, *own, *apex], report)
  return records, report


def _coding(
  corpus: SheetCorpus,
  options: Options,
  workbooks: Sequence[pathlib.Path],
  trees: Sequence[tree.Tree],
  manual_dir: pathlib.Path,
  report: BuildReport,
) -> tuple[pathlib.Path, dict[Key, sheets.Row]]:
  """The sheet that is read, and its rows."""
  contents = {"emotion": lambda text: annotate.is_emotion(text, corpus.emotions)}

  def rows_of(path: pathlib.Path) -> list[sheets.Row]:
    return sheets.read_rows(path, corpus.required, corpus.optional, contents)

  fit = choice.fit_of(
    corpus.row_key,
    lambda row: annotate.is_emotion(row.text("emotion"), corpus.emotions),
    {corpus.clip_key(clip) for copy in trees for clip in copy.clips},
  )
  candidates = [p for p in workbooks if "objective" not in p.name.lower()]
  coding = options.sheet or choice.choose_sheet(
    candidates, rows_of, fit, corpus.row_key, manual_dir, corpus.expected, report
  )
  report.source["sheet"] = str(coding)
  rows = rows_of(coding)
  for name, header in (rows[0].guessed if rows else {}).items():
    report.note(f"the column {header!r} is read as the {name}, which its cells are")
  counted = corpus.rows(rows, report)
  return coding, annotate.keyed(counted, corpus.row_key, corpus.dataset, report)


def _with(row: sheets.Row, apex: int | None, objective_class: str | None) -> sheets.Row:
  cells = dict(row.cells)
  if apex is not None:
    cells["apex"] = apex
  if objective_class and not row.text("objective_class"):
    cells["objective_class"] = objective_class
  return sheets.Row(row.number, cells)


def _record(
  corpus: SheetCorpus,
  key: Key,
  row: sheets.Row,
  clip: "_ClipFrames",
  retimed: bool,
  report: BuildReport,
) -> Record:
  emotion = annotate.emotion(row.text("emotion"), corpus.emotions)
  part, rate = _span("/".join((corpus.dataset, *key)), corpus, row, clip, retimed, report)
  return Record(
    dataset=corpus.dataset,
    subject=key[0],
    clip=key[1],
    emotion=emotion,
    frames=part.frames,
    numbers=part.numbers,
    onset=0,
    apex=part.apex,
    offset=len(part.frames) - 1,
    apex_missing=part.apex_missing,
    fps=corpus.fps * rate,
    crop=False,
    action_units=annotate.action_units(row.text("action_units")),
    objective_class=annotate.objective_class(row.text("objective_class"), report),
  )


def _span(
  name: str,
  corpus: SheetCorpus,
  row: sheets.Row,
  clip: "_ClipFrames",
  retimed: bool,
  report: BuildReport,
) -> tuple[span.Span, float]:
  """The part of a clip that is kept, and its frames per frame of the camera."""
  onset, apex = row.integer("onset"), row.integer("apex")
  if onset is None:
    raise FrameError(f"its onset is {row.text('onset')!r}, not a frame number")
  if not clip.words and not retimed:
    offset = corpus.offset(name, row, onset, clip.frames, report)
    return span.cut(name, clip.frames, onset, offset, apex, row.text("apex"), report), 1.0
  offset = row.integer("offset")
  if offset is None or offset < onset:
    raise FrameError(f"its offset is {row.text('offset')!r}, no frame number behind {onset}")
  if clip.words:
    return span.of_key_frames(name, clip.words, (onset, apex, offset), report), 1.0
  part = span.retimed(name, clip.frames, (onset, apex, offset), report)
  return part, (len(part.frames) - 1) / max(1, offset - onset) or 1.0


class _ClipFrames(NamedTuple):
  """The frames of a clip by number, or by the words onset, apex and offset."""

  frames: dict[int, Frame]
  words: dict[str, pathlib.Path]


def _frames(source: Source, report: BuildReport) -> _ClipFrames:
  words = key_frames(source)
  if words:
    return _ClipFrames({}, words)
  frames, stray = list_frames(source)
  annotate.note_stray(source, stray, report)
  if not frames:
    raise FrameError("its folder holds no frame")
  return _ClipFrames(frames, {})


def _check_timing(clips: Sequence[tuple[_ClipFrames, sheets.Row]]) -> None:
  """Raises DataError where the clips hold the same number of frames, which no recording does."""
  numbered = [(list(clip.frames), row) for clip, row in clips if clip.frames]
  shapes = {(len(n), n[0], n[-1]) for n, _ in numbered}
  if len(numbered) < 3 or len(shapes) > 1:
    return
  length, first, last = shapes.pop()
  offsets = [row.integer("offset") or 0 for _, row in numbered]
  spans = {
    o - (row.integer("onset") or 0) + 1 for o, (_, row) in zip(offsets, numbered, strict=True)
  }
  whole = length > 1 and first in (0, 1) and last - first + 1 == length
  beyond = sum(offset > last for offset in offsets)
  if whole and spans != {length} and 2 * beyond >= len(numbered):
    raise DataError(
      f"All {len(numbered)} clips hold {length} frames, numbered from {first}, and the sheet has"
      f" offsets up to {max(offsets)}: its numbers are not those of these files. {RETIMED}"
      " Otherwise get the frames as they were recorded."
    )
