"""Onset, apex and offset: from frame numbers in a sheet to indices into the frames that exist."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

from data_builders.build_report import BuildReport
from data_builders.frame_error import FrameError
from data_builders.frames import KEY_FRAMES, Frame

AT_THE_HEAD = "absent at the head"  # ends the reason of a repair that moves the onset


@dataclasses.dataclass(frozen=True)
class Span:
  """The part of a clip between onset and offset.

  Attributes:
    frames: T paths, in the order of their numbers.
    numbers: T frame numbers.
    apex: index into `frames`; onset is 0 and offset T - 1.
    apex_missing: `apex` is the midpoint, because the sheet gives none that can be used.
  """

  frames: tuple[Frame, ...]
  numbers: tuple[int, ...]
  apex: int
  apex_missing: bool


def cut(
  name: str,
  frames: Mapping[int, Frame],
  onset: int,
  offset: int,
  apex: int | None,
  apex_text: str | None,
  report: BuildReport,
) -> Span:
  """Keeps the frames numbered within [onset, offset] that exist, and places the apex.

  Args:
    name: the clip, for the report.
    frames: {number: path} in increasing order; at least one.
    onset, offset: frame numbers of the sheet.
    apex: frame number of the sheet, or None where it gives no number.
    apex_text: the apex cell as text; None where none is to be expected, which is no repair.
    report: repairs are added to it.

  Raises:
    FrameError: offset before onset, or no frame within.
  """
  if offset < onset:
    raise FrameError(f"its offset {offset} lies before its onset {onset}")
  shift = _renumbered(frames, onset, offset)
  if shift:
    report.repair(
      name, "frame numbers", f"the sheet's minus {shift}", f"files are numbered from {min(frames)}"
    )
    onset, offset, apex = onset - shift, offset - shift, None if apex is None else apex - shift
  numbers = tuple(number for number in frames if onset <= number <= offset)
  if not numbers:
    raise FrameError(
      f"none of its frames ({min(frames)} to {max(frames)}) lies within onset {onset} and offset"
      f" {offset}"
    )
  _report_absent(name, numbers, onset, offset, report)
  index, missing = _place_apex(name, numbers, onset, offset, apex, apex_text, report)
  return Span(tuple(frames[n] for n in numbers), numbers, index, missing)


def of_key_frames(
  name: str,
  words: Mapping[str, Frame],
  numbers: tuple[int, int | None, int],
  report: BuildReport,
) -> Span:
  """The span of a clip of which only key frames are there, named by words.

  Args:
    name: the clip, for the report.
    words: {"onset", "apex" or "offset": image}; at least one.
    numbers: of onset, apex and offset in the sheet.
    report: repairs are added to it.
  """
  onset, apex, offset = numbers
  apex = (onset + offset) // 2 if apex is None else apex
  present = [word for word in KEY_FRAMES if word in words]
  why = "the images are named by words"
  if "onset" not in words:
    why += f", and the onset is {AT_THE_HEAD}"
  report.repair(name, "frames", f"the key frames alone: {', '.join(present)}", why)
  of_word = dict(zip(KEY_FRAMES, (onset, apex, offset), strict=True))
  written = [of_word[word] for word in present]
  if sorted(set(written)) != written:
    written = list(range(len(present)))
  middle = (len(present) - 1) // 2
  index = present.index("apex") if "apex" in words else middle
  return Span(tuple(words[w] for w in present), tuple(written), index, "apex" not in words)


def retimed(
  name: str,
  frames: Mapping[int, Frame],
  numbers: tuple[int, int | None, int],
  report: BuildReport,
) -> Span:
  """The span of a clip whose frames run evenly from onset to offset, as those of TIM do.

  Args:
    name: the clip, for the report.
    frames: {number: path} in increasing order; at least one.
    numbers: of onset, apex and offset in the sheet, which place the apex.
    report: repairs are added to it.
  """
  onset, apex, offset = numbers
  last = len(frames) - 1
  index, missing = last // 2, True
  if apex is not None and onset < apex <= offset:
    index, missing = round((apex - onset) / (offset - onset) * last), False
  else:
    report.repair(name, f"apex {apex}", "the midpoint", "it is not behind the onset")
  return Span(tuple(frames.values()), tuple(frames), index, missing)


def report_gaps(name: str, numbers: tuple[int, ...], report: BuildReport) -> None:
  """Notes frames that are absent between the first and the last as a repair."""
  # Never a list of all numbers in between: two names may be far apart.
  gaps = [(a + 1, b - 1) for a, b in itertools.pairwise(numbers) if b > a + 1]
  if gaps:
    absent = sum(last - first + 1 for first, last in gaps)
    report.repair(
      name,
      "frames",
      f"the {len(numbers)} that exist, as if consecutive",
      f"{absent} absent in between: {_ranges(gaps)}",
    )


def _renumbered(frames: Mapping[int, Frame], onset: int, offset: int) -> int:
  # Copies of a corpus number the cut clip from 0 or 1. Only an exact length proves it.
  first, last = min(frames), max(frames)
  consecutive = last - first + 1 == len(frames) == offset - onset + 1
  return onset - first if consecutive and first in (0, 1) and onset > first else 0


def _report_absent(
  name: str, numbers: tuple[int, ...], onset: int, offset: int, report: BuildReport
) -> None:
  if numbers[0] > onset:
    report.repair(
      name,
      f"onset {onset}",
      f"{numbers[0]}, the first frame present",
      f"{numbers[0] - onset} frames are {AT_THE_HEAD}",
    )
  if numbers[-1] < offset:
    report.repair(
      name,
      f"offset {offset}",
      f"{numbers[-1]}, the last frame present",
      f"{offset - numbers[-1]} frames are absent at the end",
    )
  report_gaps(name, numbers, report)


def _place_apex(
  name: str,
  numbers: tuple[int, ...],
  onset: int,
  offset: int,
  apex: int | None,
  apex_text: str | None,
  report: BuildReport,
) -> tuple[int, bool]:
  middle = (len(numbers) - 1) // 2
  if apex is None and apex_text is None:
    return middle, True
  if apex is None:
    why = f"the sheet gives {apex_text!r}"
  elif not onset <= apex <= offset:
    why = f"it lies outside onset {onset} and offset {offset}"
  elif apex == onset < offset:
    # No motion lies between onset and apex then; CASME II's sheet of 2019 withdraws such apexes.
    why = "it is the onset"
  elif not numbers[0] <= apex <= numbers[-1] or apex == numbers[0] < numbers[-1]:
    why = "the frames around it are absent"
  else:
    index = min(range(len(numbers)), key=lambda i: abs(numbers[i] - apex))
    if numbers[index] != apex:
      report.repair(name, f"apex {apex}", f"{numbers[index]}, the nearest", "that frame is absent")
    return index, False
  report.repair(name, f"apex {apex_text}", f"{numbers[middle]}, the midpoint", why)
  return middle, True


def _ranges(runs: Sequence[tuple[int, int]]) -> str:
  return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs[:6]) + (
    ", ..." if len(runs) > 6 else ""
  )
