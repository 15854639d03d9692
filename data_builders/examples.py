"""From records to TFDS examples: decodes clip by clip and closes the build report."""

import os
from collections.abc import Iterator, Sequence

import numpy as np

from data_builders import face_crop, frames, landmark_crop
from data_builders.build_report import BuildReport
from data_builders.parallel import ordered
from data_builders.record import Record, example
from mer_jax.runtime.progress import progress


def generate(
  records: Sequence[Record],
  report: BuildReport,
  size: int,
  folder: str | os.PathLike[str],
  strict: bool,
  *,
  by_landmarks: bool = False,
) -> Iterator[tuple[str, dict]]:
  """Yields (key, example) of every clip that can be decoded; key = "dataset/subject/clip".

  Args:
    records: of the clips, from `parse` of a corpus.
    report: the report of `parse`; refusals of damaged clips are added to it.
    size: height and width of the frames, in pixels.
    folder: where the finished report is written: the folder TFDS is filling, so that data and
      report appear together or not at all.
    strict: any repair or refusal is an error.
    by_landmarks: whether faces are cut out by their landmarks, instead of a detector's box.

  Raises:
    DataError: see `BuildReport.check`; TFDS then removes the folder.
  """
  still = []
  for record, pixels in decoded(records, report, size, by_landmarks=by_landmarks):
    if len(pixels) > 1 and (pixels == pixels[0]).all():
      still.append(record.name)
    yield record.name, example(record, pixels, report.synthetic)
  if still:
    report.note(
      f"{len(still)} clips show the same image in every frame, so there is no motion in them:"
      f" {', '.join(still[:4])}{', ...' if len(still) > 4 else ''}"
    )
  report.check(strict)
  report.write(folder)


def decoded(
  records: Sequence[Record], report: BuildReport, size: int, *, by_landmarks: bool
) -> Iterator[tuple[Record, np.ndarray]]:
  """Yields (record, uint8 [T, size, size, 1]) of every clip that can be decoded, with a bar.

  Others are refused in `report`; arguments are those of `generate`.
  """
  cuts = (landmark_crop.transforms if by_landmarks else face_crop.boxes)(records, report)

  def decode(record: Record) -> np.ndarray | frames.FrameError:
    try:
      return frames.read_clip(record.frames, size, cuts.get(record.name))
    except frames.FrameError as error:
      return error

  with progress(len(records), f"{report.dataset}/{report.config}", "clip") as bar:
    for record, pixels in zip(records, ordered(decode, records), strict=True):
      bar.update()
      if isinstance(pixels, frames.FrameError):
        report.refuse(record.name, str(pixels))
      else:
        report.keep(record)
        yield record, pixels
