"""Folders of frames of one's own, as clips: what a trained model predicts without a corpus."""

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from data_builders import frames, sheets, span
from data_builders.build_report import BuildReport
from data_builders.examples import decoded
from data_builders.options import Options
from data_builders.record import Record, example
from mer_jax.clips import Clips, stack
from mer_jax.errors import DataError

DATASET = "own"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # first signs; the names go into predictions.csv
_HEADERS = {"clip": ("clip", "folder", "path")}
_FURTHER = {
  name: (name, f"{name} frame", f"{name}frame") for name in ("onset", "apex", "offset", "subject")
}


class KeyFrames(NamedTuple):
  """Numbers of frames as they stand in the names of their files; None: not given.

  Attributes:
    onset: where the motion begins; the first frame if it is not given.
    apex: its peak; spotted if it is not given.
    offset: where it ends; the last frame if it is not given.
    subject: whose face it is; the name of the folder above if it is empty.
  """

  onset: int | None = None
  apex: int | None = None
  offset: int | None = None
  subject: str = ""


NOT_GIVEN = KeyFrames()


def read(
  folders: Sequence[str | os.PathLike[str]],
  key_frames: Mapping[str, KeyFrames],
  *,
  size: int = 128,
  crop: str = "face",
) -> tuple[Clips, BuildReport]:
  """The clips in `folders`: each holds the frames of a clip, or folders that do.

  Args:
    folders: where frames lie.
    key_frames: of clips by the name of their folder; "" stands for all others.
    size: height and width of the frames read, pixels.
    crop: how the face is cut out: "face", by a box found on the onset frame; "landmarks", by those
      of the onset frame; "as_is", not at all, for the frames show it alone.

  Returns:
    The clips in the order of their keys, and what was repaired and refused.

  Raises:
    ConfigError: landmarks are asked for and not installed.
    DataError: there are no frames, no clip can be read, or two clips have one key.
  """
  Options(crop=crop)  # checks it
  report = BuildReport(DATASET, f"frames{size}")
  report.source["folders"] = ", ".join(map(str, folders))
  records = [
    record
    for root in map(pathlib.Path, folders)
    for folder in _clip_folders(root)
    if (record := _record(folder, key_frames, crop != "as_is", report)) is not None
  ]
  names = {record.clip for record in records}
  for name in sorted({*key_frames} - {"", *names}):
    report.refuse(f"{DATASET}/{name}", "key frames are given, but there is no such clip folder")
  clips = decoded(records, report, size, by_landmarks=crop == "landmarks")
  examples = [example(record, pixels, synthetic=False) for record, pixels in clips]
  report.check(strict=False)
  return stack(sorted(examples, key=lambda e: (e["subject"], e["clip"]))), report


def read_key_frames(path: str | os.PathLike[str]) -> dict[str, KeyFrames]:
  """Key frames by clip from a csv file or workbook: columns clip, onset, apex, offset, subject.

  All but the first may be absent, and cells empty.

  Raises:
    DataError: the file cannot be read, names a clip twice, or has a cell that is no frame number.
  """
  by_clip: dict[str, KeyFrames] = {}
  for row in sheets.read_rows(pathlib.Path(path).expanduser(), _HEADERS, _FURTHER):
    clip = pathlib.PurePath(row.text("clip")).name
    if clip in by_clip:
      raise DataError(f"{path}: row {row.number} names the clip {clip!r} again. Leave one row.")
    onset, apex, offset = (_number(path, row, name) for name in frames.KEY_FRAMES)
    by_clip[clip] = KeyFrames(onset, apex, offset, row.text("subject"))
  return by_clip


def _number(path: str | os.PathLike[str], row: sheets.Row, name: str) -> int | None:
  number, text = row.integer(name), row.text(name)
  if number is None and text:
    raise DataError(
      f"{path}: row {row.number} has the {name} {text[:40]!r}, which is no frame number. Write the"
      " number, or leave the cell empty."
    )
  return number


def _clip_folders(root: pathlib.Path) -> list[pathlib.Path]:
  """Folders with frames in or below `root`, sorted; raises DataError if there is none."""
  inside = [root, *(path for path in sorted(root.rglob("*")) if path.is_dir())]
  folders = [folder for folder in inside if _holds_frames(folder)]
  if not folders:
    raise DataError(
      f"{root} holds no frames: expected images named by number ({', '.join(frames.SUFFIXES)}) in"
      " it, or in folders below it, one for each clip."
    )
  return folders


def _holds_frames(folder: pathlib.Path) -> bool:
  return any(path.suffix.lower() in frames.SUFFIXES for path in folder.iterdir())


def _record(
  folder: pathlib.Path, key_frames: Mapping[str, KeyFrames], crop: bool, report: BuildReport
) -> Record | None:
  """The clip in `folder`; None where it is refused."""
  folder = folder.resolve()
  given = key_frames.get(folder.name, key_frames.get("", NOT_GIVEN))
  subject = given.subject or folder.parent.name or "unknown"
  name = f"{DATASET}/{subject}/{folder.name}"
  try:
    if any(text.startswith(_FORMULA) for text in (subject, folder.name)):
      raise frames.FrameError("its name or subject is a formula to a spreadsheet; rename it")
    files, stray = frames.list_frames(folder)
    if stray:
      report.note(f"{name}: {len(stray)} files that are no frames: {', '.join(stray[:3])}")
    if not files:
      raise frames.FrameError("none of its images has a number in its name")
    onset = min(files) if given.onset is None else given.onset
    offset = max(files) if given.offset is None else given.offset
    cut = span.cut(name, files, onset, offset, given.apex, None, report)
  except frames.FrameError as error:
    report.refuse(name, str(error))
    return None
  return Record(
    dataset=DATASET,
    subject=subject,
    clip=folder.name,
    emotion="",
    frames=cut.frames,
    numbers=cut.numbers,
    onset=0,
    apex=cut.apex,
    offset=len(cut.frames) - 1,
    apex_missing=cut.apex_missing,
    fps=0.0,
    crop=crop,
  )
