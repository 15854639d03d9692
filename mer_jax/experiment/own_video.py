"""From a video file to a page: faces followed, intervals spotted, what a model makes of each."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from mer_jax import checks, recognizer
from mer_jax.errors import DataError
from mer_jax.experiment import annotated_video
from mer_jax.experiment.prediction import describe
from mer_jax.experiment.video_intervals import named, repetitions
from mer_jax.report import interval_rows, timeline
from mer_jax.report.timeline import Mark
from mer_jax.runtime import atomic
from mer_jax.runtime.progress import progress
from mer_jax.video import landmarks, usable
from mer_jax.video.curves import RegionMotion, stride_of
from mer_jax.video.decode import Video, open_video
from mer_jax.video.detectors import DETECTORS, IN_WORDS, chosen
from mer_jax.video.follow import FACES, CascadeFollower, Followed, Follower, LandmarkFollower
from mer_jax.video.intervals import Interval, SpotOptions, speech, spot

_SHORTEST = 1.0  # seconds that a face must be seen for
_LEAST_SLOTS = 12  # of a video: below that no third of a second of motion can be compared


@dataclasses.dataclass(frozen=True)
class VideoOptions:
  """How a video is looked at.

  Attributes:
    faces: "largest", or "all": each followed for itself.
    detector: "landmarks", which need further packages; "cascade", without landmarks and less
      exact; "auto": landmarks where they are installed.
    threshold: see SpotOptions.
    annotate: also write a copy of the video with boxes and labels.
  """

  faces: str = "largest"
  detector: str = "auto"
  threshold: float = SpotOptions().threshold
  annotate: bool = False

  def __post_init__(self) -> None:
    """Refuses what is not allowed.

    Raises:
      ConfigError: names the option.
    """
    checks.check_choice("faces", self.faces, FACES)
    checks.check_choice("detector", self.detector, DETECTORS)
    checks.check_positive("threshold", self.threshold)


def predict_video(
  path: str | os.PathLike[str],
  out: str | os.PathLike[str],
  model: recognizer.Model,
  options: VideoOptions | None = None,
) -> list[Mark]:
  """Spots expressions in a video and lets `model` name each.

  Leaves report.html and intervals.csv in the folder `out`, and with `annotate` annotated.mp4.

  Args:
    path: a file that OpenCV can decode.
    out: any folder; other files in it stay as they are.
    model: reads frames or flow maps.
    options: how the video is looked at.

  Returns:
    The spotted intervals of all faces, by face and onset.

  Raises:
    ConfigError: landmarks are asked for and not installed.
    DataError: no video, no face in it, or too short.
    WorkdirError: the folder cannot be written.
  """
  options, out = options or VideoOptions(), pathlib.Path(out).expanduser()
  video = open_video(path)
  follower, remarks = _follower(video, options)
  slots = _follow(video, follower)
  faces = _measured(follower.faces, slots, video)
  remarks += video.remarks() + _remarks(follower.faces, faces, slots, video)
  spotted = [(face, i) for face in faces for i in _spotted(face, options)]
  marks = named(video, spotted, model)
  remarks += repetitions(marks)
  atomic.write_text(out / "intervals.csv", interval_rows.text(marks, model.classes))
  seen = [_seen(face) for face in faces]
  facts = {"duration": f"{slots / video.fps:.1f} s", **_facts(video)}
  facts |= {"faces by": IN_WORDS[chosen(options.detector)], **_of_faces(faces)}
  page = timeline.write(out, video.path.name, seen, marks, facts, describe(model), remarks)
  if options.annotate:
    annotated_video.write(out / "annotated.mp4", video, faces, marks)
  _announce(page, marks, remarks, options.annotate)
  return marks


def _follower(video: Video, options: VideoOptions) -> tuple[Follower, list[str]]:
  def measure() -> RegionMotion:
    return RegionMotion(video.fps)

  if chosen(options.detector) == "landmarks":
    return LandmarkFollower(video.fps, measure, options.faces), []
  remarks = []
  if options.detector == "auto":
    remarks.append(
      "Landmarks of faces are not installed, so OpenCV's cascade looked for the face: blinks and"
      f" turns of the head are not recognised. Better: {landmarks.INSTALL}"
    )
  if options.faces == "all":
    remarks.append("The cascade follows the largest face alone; all faces need landmarks.")
  return CascadeFollower(video.fps, measure), remarks


def _follow(video: Video, follower: Follower) -> int:
  """Lets `follower` look at all frames; returns the number of slots."""
  slots = 0
  with progress(video.claimed, "faces", "frame") as bar:
    for frame in video.frames():
      follower.add(frame)
      slots = frame.index + 1
      bar.update()
  if slots < _LEAST_SLOTS:
    frames = "1 frame" if slots == 1 else f"{slots} frames"
    raise DataError(
      f"{video.path} has {frames}; motion is looked for over a third of a second, so it needs"
      f" at least {_LEAST_SLOTS}."
    )
  return slots


def _measured(faces: Sequence[Followed], slots: int, video: Video) -> list[Followed]:
  """The faces that are seen long enough.

  Raises:
    DataError: there is none.
  """
  least = _least_seconds(slots, video)
  long = [face for face in faces if face.seconds(video.fps) >= least]
  if long:
    return long
  why = "".join(
    f" Face {face.number}: {', '.join(_counts(face))} of {slots} frames." for face in faces
  )
  raise DataError(
    f"{video.path}: in none of its {slots} frames ({slots / video.fps:.1f} s, {video.width} x"
    f" {video.height}) is a face that can be measured, or not for long enough.{why} A face should"
    " look at the camera, be lit well, and have at least"
    f" {usable.LEAST_EYES:.0f} pixels between the outer corners of its eyes."
  )


def _counts(face: Followed) -> list[str]:
  names = enumerate(usable.STATES)
  return [f"{name} {n}" for state, name in names if (n := face.states.count(state))]


def _least_seconds(slots: int, video: Video) -> float:
  """How long a face must be seen: a second, or half of a video that is shorter than two."""
  return min(_SHORTEST, slots / video.fps / 2)


def _remarks(
  seen: Sequence[Followed], faces: Sequence[Followed], slots: int, video: Video
) -> list[str]:
  notes = []
  if len(seen) > len(faces):
    least = _least_seconds(slots, video)
    notes.append(f"{len(seen) - len(faces)} faces seen for less than {least:.1f} s are left out.")
  for face in faces:
    share = face.seconds(video.fps) * video.fps / slots
    if share < 0.95:
      notes.append(
        f"Face {face.number} could be measured in {share:.0%} of the frames:"
        f" {', '.join(_counts(face))}."
      )
  return notes


def _spotted(face: Followed, options: VideoOptions) -> list[Interval]:
  return spot(face.measure.curves(), SpotOptions(threshold=options.threshold))


def _seen(face: Followed) -> timeline.Face:
  curves = face.measure.curves()
  states = np.frombuffer(bytes(face.states), np.uint8)
  return timeline.Face(face.number, curves, ~np.isin(states, usable.MEASURED))


def _facts(video: Video) -> dict[str, str]:
  every = stride_of(video.fps)
  return {
    "picture": f"{video.width} x {video.height} pixels, {video.fps:.2f} frames a second"
    + (f", of which every {every}. is measured" if every > 1 else "")
  }


def _of_faces(faces: Sequence[Followed]) -> dict[str, str]:
  facts = {}
  for face in faces:
    facts[f"frames of face {face.number}"] = ", ".join(_counts(face))
    speaks = speech(face.measure.curves())
    if speaks.any():
      facts[f"speech of face {face.number}"] = (
        f"in {speaks.mean():.0%} of the frames chin or lower lip swing as in speech; there the"
        " lower face does not count"
      )
  return facts


def _announce(
  page: pathlib.Path, marks: Sequence[Mark], remarks: Sequence[str], annotated: bool
) -> None:
  for mark in marks:
    onset, _, offset = mark.seconds
    print(
      f"{onset:8.2f} - {offset:.2f} s  {mark.interval.kind:5}  {mark.prediction}"
      f" ({mark.probabilities.max():.2f})  {', '.join(mark.interval.regions)}"
    )
  micro = sum(mark.interval.kind == "micro" for mark in marks)
  print(f"{micro} micro- and {len(marks) - micro} macro-expressions were spotted.")
  print(f"Report {page}\nIntervals {page.parent / 'intervals.csv'}")
  if annotated:
    print(f"Video {page.parent / 'annotated.mp4'}")
  for remark in remarks:
    print(f"note: {remark}")
