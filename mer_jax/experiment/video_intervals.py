"""What a model makes of the intervals that were spotted in a video."""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from mer_jax import recognizer
from mer_jax.clips import Clips, concatenate
from mer_jax.errors import DataError
from mer_jax.report.timeline import Mark
from mer_jax.video import align, usable
from mer_jax.video.decode import Frame, Video
from mer_jax.video.follow import Followed
from mer_jax.video.intervals import Interval
from mer_jax.video.regions import SIZE

_TOGETHER = 16  # intervals predicted at a time


def named(
  video: Video, spotted: Sequence[tuple[Followed, Interval]], model: recognizer.Model
) -> list[Mark]:
  """What `model` makes of each interval, in their order.

  The video is read again for their frames; memory holds a group of them.

  Raises:
    DataError: the file gives fewer frames than when the intervals were spotted.
  """
  if not spotted:
    return []
  marks: dict[int, Mark] = {}
  # No bar around them: the model's inputs have bars of their own.
  for group in _groups(_crops(video, spotted)):
    clips = [_clips(crops, spotted[n][1], video.fps, n) for n, crops, _ in group]
    predicted = model.predict(concatenate(clips))
    for row, (n, crops, sources) in enumerate(group):
      spread = predicted.spread[row] if model.seeds > 1 else None
      numbers = predicted.probabilities[row], spread
      marks[n] = _mark(spotted[n], crops, sources, video.fps, model.classes, *numbers)
  if len(marks) < len(spotted):
    raise DataError(
      f"{video.path} gave {video.counts['decoded']} frames when it was read again, fewer than"
      " before. Does something write to it? Copy the video and start again."
    )
  return [marks[n] for n in sorted(marks)]


def repetitions(marks: Sequence[Mark]) -> list[str]:
  """For the reader: how many frames of intervals stand in for those that the file lacks."""
  of_intervals = [mark.repeated for mark in marks if mark.repeated]
  if not of_intervals:
    return []
  return [
    f"{sum(of_intervals)} frames within {len(of_intervals)} of {len(marks)} intervals repeat the"
    " frame before, because the file has none at their time."
  ]


_Crops = tuple[int, np.ndarray, list[int]]


def _groups(crops: Iterator[_Crops]) -> Iterator[list[_Crops]]:
  """`_TOGETHER` at a time, so that memory does not grow with the video."""
  while group := list(itertools.islice(crops, _TOGETHER)):
    yield group


def _mark(
  spotted: tuple[Followed, Interval],
  crops: np.ndarray,
  sources: Sequence[int],
  fps: float,
  classes: tuple[str, ...],
  probabilities: np.ndarray,
  spread: np.ndarray | None,
) -> Mark:
  face, interval = spotted
  at = interval.apex - interval.onset
  blinks = face.states[interval.onset : interval.offset + 1].count(usable.BLINKING)
  return Mark(
    face=face.number,
    interval=interval,
    seconds=tuple(t / fps for t in (interval.onset, interval.apex, interval.offset)),
    frames=tuple(sources[t] for t in (0, at, -1)),
    onset_crop=crops[0].copy(),  # a view would keep all crops of the interval
    apex_crop=crops[at].copy(),
    classes=classes,
    probabilities=probabilities,
    spread=spread,
    blinking=blinks > 0,
    repeated=len(sources) - len(set(sources)),
  )


def _crops(video: Video, spotted: Sequence[tuple[Followed, Interval]]) -> Iterator[_Crops]:
  """Of each interval its index, frames uint8 [T, 128, 128] and their numbers in the file.

  All frames of an interval are aligned as its onset is.
  """
  waiting = sorted(range(len(spotted)), key=lambda n: -spotted[n][1].onset)
  opened: dict[int, tuple[list[np.ndarray], list[int]]] = {}
  for frame in video.frames():
    while waiting and spotted[waiting[-1]][1].onset <= frame.index:
      opened[waiting.pop()] = [], []
    for n in list(opened):
      face, interval = spotted[n]
      crops, sources = opened[n]
      crops.append(_aligned(face, interval, frame, crops))
      sources.append(frame.source)
      if frame.index == interval.offset:
        del opened[n]
        yield n, np.stack(crops), sources
    if not waiting and not opened:
      return


def _aligned(
  face: Followed, interval: Interval, frame: Frame, before: Sequence[np.ndarray]
) -> np.ndarray:
  transform = face.transform_at(interval.onset)
  if frame.image is None or transform is None:  # a gap within a stretch is never measured
    return before[-1] if before else np.zeros((SIZE, SIZE), np.uint8)
  return align.cut(frame.image, transform)


def _clips(crops: np.ndarray, interval: Interval, fps: float, n: int) -> Clips:
  """One interval as Clips [1]."""
  length = len(crops)

  def one(value: object, kind: type) -> np.ndarray:
    return np.array([value], kind)

  return Clips(
    frames=crops[..., None],
    starts=np.array([0, length], np.int64),
    dataset=one("video", np.str_),
    subject=one("face", np.str_),
    clip=one(f"interval{n + 1}", np.str_),
    emotion=one("", np.str_),
    action_units=one("", np.str_),
    objective_class=one("", np.str_),
    onset=one(0, np.int32),
    apex=one(interval.apex - interval.onset, np.int32),
    offset=one(length - 1, np.int32),
    apex_missing=one(False, np.bool_),
    fps=one(fps, np.float32),
    first_frame=one(interval.onset, np.int64),
    last_frame=one(interval.offset, np.int64),
    synthetic=one(False, np.bool_),
  )
