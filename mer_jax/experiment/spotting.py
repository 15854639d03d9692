"""A corpus of long videos, spotted and scored: spotting.json and intervals.csv."""

import collections
import csv
import dataclasses
import io
import os
import pathlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

import numpy as np
from tqdm import tqdm

from mer_jax import checks
from mer_jax.evaluation import spotting as scoring
from mer_jax.evaluation import write_json
from mer_jax.evaluation.spotting import Span
from mer_jax.experiment import spotted_classes
from mer_jax.experiment.spotted_classes import Classes
from mer_jax.inputs.threads import one_thread_in_opencv
from mer_jax.runtime import atomic
from mer_jax.runtime.progress import progress
from mer_jax.video import detectors, usable
from mer_jax.video.curves import stride_of
from mer_jax.video.intervals import Interval
from mer_jax.video.methods import METHODS, Method

RESULTS, INTERVALS = "spotting.json", "intervals.csv"
_COLUMNS = ("subject", "video", "onset", "apex", "offset", "kind", "strength", "regions", "right")


class Video(Protocol):
  """A video of T frames.

  Attributes:
    subject, name: of the video.
    numbers, frames: numbers and files of the frames.
    expressions: coded; onset and offset are indices into the frames, kind is "micro" or "macro",
      emotion the native label.
  """

  @property
  def subject(self) -> str: ...
  @property
  def name(self) -> str: ...
  @property
  def numbers(self) -> Sequence[int]: ...
  @property
  def frames(self) -> Sequence[pathlib.Path]: ...
  @property
  def expressions(self) -> Sequence[Any]: ...


class Corpus(Protocol):
  """Videos of one format; `remarks` say what its reader left out."""

  @property
  def format(self) -> str: ...
  @property
  def fps(self) -> int: ...
  @property
  def videos(self) -> Sequence[Video]: ...
  @property
  def remarks(self) -> Sequence[str]: ...
  @property
  def synthetic(self) -> bool: ...


# From a file, and whether in colour, to uint8 [H, W] or [H, W, 3] (BGR); None: unreadable.
Read = Callable[[pathlib.Path, bool], np.ndarray | None]


class _Settings(NamedTuple):
  """How every video is spotted; `detector` is "landmarks" or "cascade"."""

  method: Method
  threshold: float
  detector: str
  classify: spotted_classes.Classifier


class _Spotted(NamedTuple):
  """Of one video: intervals by index of frame with their classes, and numbers of frames.

  `states` counts the frames that could be read by usable.STATES.
  """

  intervals: list[Interval]
  classes: list[Classes]
  unreadable: int
  states: collections.Counter[str]


def spot_corpus(
  corpus: Corpus,
  read: Read,
  out: str | os.PathLike[str],
  *,
  method: str = "regions",
  threshold: float | None = None,
  model: str = "motion_net_drawn",
  detector: str = "cascade",
) -> dict[str, Any]:
  """Spots every video and leaves the scores and the intervals in a folder.

  Args:
    corpus: what is spotted.
    read: decodes a frame.
    out: the folder; files of an earlier call are replaced.
    method: a key of `METHODS`.
    threshold: the number to turn; None: that of the method.
    model: names the class of every interval, from the flow between onset and apex.
    detector: of faces, a value of `DETECTORS`.

  Returns:
    The content of spotting.json.

  Raises:
    ConfigError: an unknown method, model or detector, a threshold that is not above 0, or
      landmarks are asked for and not installed.
    WorkdirError: the folder cannot be written.
  """
  checks.check_choice("method", method, METHODS)
  checks.check_choice("detector", detector, detectors.DETECTORS)
  way, detector = METHODS[method], detectors.chosen(detector)
  threshold = way.threshold if threshold is None else threshold
  checks.check_positive("threshold", threshold)
  classify = spotted_classes.classifier(model)
  settings = _Settings(way, threshold, detector, classify)

  def of_video(video: Video, bar: tqdm) -> _Spotted:
    return _spotted(video, corpus.fps, read, settings, bar)

  total = sum(len(video.frames) for video in corpus.videos)
  bar = progress(total, f"spotting {corpus.format}", "frame")
  with one_thread_in_opencv(), bar, ThreadPoolExecutor(os.cpu_count() or 1) as pool:
    spotted = list(pool.map(lambda video: of_video(video, bar), corpus.videos))
  facts = {"method": method, "threshold": threshold, "model": model, "detector": detector}
  summary = facts | _scores(corpus, spotted, classify.names)
  out = pathlib.Path(out).expanduser()
  atomic.write_text(out / INTERVALS, _table(corpus, spotted, classify.names))
  write_json(out / RESULTS, summary)
  return summary


def _spotted(video: Video, fps: int, read: Read, settings: _Settings, bar: tqdm) -> _Spotted:
  stride, (way, threshold, detector, classify) = stride_of(fps), settings
  rate = fps / stride
  face = detectors.largest_face(detector, rate, lambda: way.measure(rate), follow=way.follow)
  unreadable = 0
  for index in range(0, len(video.frames), stride):
    frame = read(video.frames[index], face.colour)
    unreadable += frame is None
    face.add(frame)
    bar.update(min(stride, len(video.frames) - index))
  measured = way.spot(face.curves(), threshold)
  pairs = [_pair(video, read, face, interval, stride) for interval in measured]
  last = len(video.frames) - 1
  intervals = [
    dataclasses.replace(
      interval,
      onset=interval.onset * stride,
      apex=interval.apex * stride,
      offset=min(interval.offset * stride + stride - 1, last),
    )
    for interval in measured
  ]
  states = collections.Counter(usable.STATES[state] for state in face.states)
  states[usable.STATES[usable.NO_FACE]] -= unreadable
  return _Spotted(intervals, classify(pairs), unreadable, states)


def _pair(
  video: Video, read: Read, face: detectors.LargestFace, interval: Interval, stride: int
) -> detectors.Pair | None:
  """The aligned faces at onset and apex, which are indices of measured frames."""
  at = interval.onset, interval.apex
  onset, apex = (read(video.frames[t * stride], face.colour) for t in at)
  if onset is None or apex is None or onset.shape != apex.shape:
    return None
  return face.pair(onset, apex, interval.onset)


def _scores(corpus: Corpus, spotted: list[_Spotted], names: tuple[str, ...]) -> dict[str, Any]:
  coded, predicted = _spans(corpus, spotted)
  counts = scoring.counts(coded, predicted)
  minutes = sum(len(video.frames) for video in corpus.videos) / corpus.fps / 60
  # A class that no coded micro-expression has cannot be recognised.
  coded_labels = {span.label for span in coded if span.kind == "micro"}
  classes = [name for name in names if name in coded_labels]
  analysis = scoring.analysis(scoring.match(coded, predicted), classes)
  public = scoring.counts_of_public_scorer(coded, predicted)
  states = sum((part.states for part in spotted), collections.Counter())
  unreadable = sum(part.unreadable for part in spotted)
  measured = sum(states.pop(usable.STATES[state], 0) for state in usable.MEASURED)
  without = "no micro-expression with one of the model's classes was spotted"
  return {
    "corpus": corpus.format,
    "synthetic": corpus.synthetic,
    "videos": len(corpus.videos),
    "subjects": len({video.subject for video in corpus.videos}),
    "minutes": minutes,
    **{f"f1_{kind}": count.f1 for kind, count in counts.items()},
    "f1_analysis": analysis.f1 if analysis else None,
    "uf1_analysis": analysis.uf1 if analysis else None,
    "uar_analysis": analysis.uar if analysis else None,
    "intervals_analysis": analysis.intervals if analysis else 0,
    "strs": counts["micro"].f1 * analysis.f1 if analysis else None,
    **({} if analysis else {"strs_is_null_because": without}),
    "false_alarms_per_minute": counts["overall"].wrong / minutes,
    "counts": {
      kind: dataclasses.asdict(count) | {"precision": count.precision, "recall": count.recall}
      for kind, count in counts.items()
    },
    "as_the_public_scorer_counts": dataclasses.asdict(public) | {"f1": public.f1},
    "frames_measured": measured,
    "frames_unreadable": unreadable,
    "frames_not_measured": {state: count for state, count in states.items() if count},
    "remarks": list(corpus.remarks),
  }


def _spans(corpus: Corpus, spotted: list[_Spotted]) -> tuple[list[Span], list[Span]]:
  """Coded and spotted intervals by index of frame."""
  coded, predicted = [], []
  for video, part in zip(corpus.videos, spotted, strict=True):
    for e in video.expressions:
      label = spotted_classes.CLASS_OF.get(e.emotion, "")
      coded.append(Span(video.name, e.onset, e.offset, e.kind, label))
    for i, classes in zip(part.intervals, part.classes, strict=True):
      predicted.append(Span(video.name, i.onset, i.offset, i.kind, classes.name))
  return coded, predicted


def _table(corpus: Corpus, spotted: list[_Spotted], names: tuple[str, ...]) -> str:
  """Spotted intervals as csv; frames by the numbers in their files' names."""
  coded, predicted = _spans(corpus, spotted)
  right = {id(span) for _, span in scoring.match(coded, predicted)}
  flags = iter([int(id(span) in right) for span in predicted])
  text = io.StringIO()
  writer = csv.writer(text, lineterminator="\n")
  writer.writerow([*_COLUMNS, "class", *(f"p_{name}" for name in names)])
  for video, part in zip(corpus.videos, spotted, strict=True):
    for i, classes in zip(part.intervals, part.classes, strict=True):
      frames = [video.numbers[t] for t in (i.onset, i.apex, i.offset)]
      cells = [i.kind, f"{i.strength:.4g}", "+".join(i.regions), next(flags), classes.name]
      chances = [f"{p:.4f}" for p in classes.probabilities]
      writer.writerow([video.subject, video.name, *frames, *cells, *chances])
  return text.getvalue()
