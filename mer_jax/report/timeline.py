"""report.html of a person's own video: its timeline, and what moved in each spotted interval."""

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np

from mer_jax.inputs import optical_flow
from mer_jax.report.templates import Figure, template
from mer_jax.runtime import atomic
from mer_jax.video.curves import MotionCurves, without_head
from mer_jax.video.intervals import Interval
from mer_jax.video.regions import REGIONS

_SHOWN = 100  # intervals with pictures; the strongest
# Of the drawing, in its own units: width of the curves, height of a region's lane, names, the axis.
_WIDTH, _LANE, _NAMES, _AXIS = 900, 24, 120, 22
_POINTS = 700  # of a curve
_ENLARGED = 2  # pictures of crops
_ARROWS, _LONGER = 8, 5  # pixels of the crop between arrows; by how much they are longer
_LEAST, _MOST = 0.15, 4.0  # pixels: shorter arrows are left out, longer ones cut short
# Pixels beyond which a micro-expression is doubtful: those of the corpora move by up to three.
_MUCH = 5.0


class Mark(NamedTuple):
  """One spotted interval.

  Attributes:
    face: number of the face.
    interval: as spotted.
    seconds: of onset, apex and offset.
    frames: their numbers in the file.
    onset_crop, apex_crop: uint8 [128, 128], aligned alike.
    classes: K names.
    probabilities: float [K].
    spread: float [K], standard deviation over the seeds; None: there is one seed.
    blinking: whether the eyes close within.
    repeated: frames within that repeat the one before, because the file has none at their time.
  """

  face: int
  interval: Interval
  seconds: tuple[float, ...]
  frames: tuple[int, ...]
  onset_crop: np.ndarray
  apex_crop: np.ndarray
  classes: tuple[str, ...]
  probabilities: np.ndarray
  spread: np.ndarray | None
  blinking: bool
  repeated: int

  @property
  def prediction(self) -> str:
    """The most probable class."""
    return self.classes[int(np.argmax(self.probabilities))]


class Face(NamedTuple):
  """What is drawn of one face.

  Attributes:
    number: of the face.
    curves: its motion.
    unmeasured: bool [slots], frames in which it could not be measured.
  """

  number: int
  curves: MotionCurves
  unmeasured: np.ndarray


def write(
  folder: str | os.PathLike[str],
  name: str,
  faces: Sequence[Face],
  marks: Sequence[Mark],
  facts: Mapping[str, str],
  about: Mapping[str, str],
  remarks: Sequence[str],
) -> pathlib.Path:
  """Writes report.html, atomically.

  Args:
    folder: any folder.
    name: of the video.
    faces: at least one.
    marks: intervals of these faces.
    facts: on the video, by name.
    about: on the model, by name.
    remarks: what a reader must know first.

  Returns:
    The path of report.html.

  Raises:
    WorkdirError: the folder cannot be written.
  """
  order = sorted(range(len(marks)), key=lambda n: -marks[n].interval.strength)
  shown = sorted(order[:_SHOWN])
  page = template("timeline.html").render(
    title=name,
    remarks=remarks,
    counts={kind: sum(mark.interval.kind == kind for mark in marks) for kind in ("micro", "macro")},
    timelines=[_timeline(face, marks) for face in faces],
    intervals=_intervals(marks, shown),
    several=len(faces) > 1,
    left_out=len(marks) - len(shown),
    longer=_LONGER,
    facts=facts,
    about=about,
  )
  path = pathlib.Path(folder) / "report.html"
  atomic.write_text(path, page)
  return path


def _timeline(face: Face, marks: Sequence[Mark]) -> dict[str, Any]:
  """Everything that the drawing of one face needs, in its units."""
  curves = face.curves
  end = max(float(curves.time[-1]) + 1 / curves.fps, 1e-3)
  height = _LANE * len(REGIONS)
  highest = max(float(np.quantile(curves.motion[curves.usable], 0.98)), 0.5)
  own = [(n, mark) for n, mark in enumerate(marks) if mark.face == face.number]
  return {
    "number": face.number,
    "size": (_NAMES + _WIDTH, height + _AXIS),
    "left": _NAMES,
    "height": height,
    "lanes": [
      {"name": name, "y": _LANE * r, "path": _curve(curves, r, end, highest)}
      for r, name in enumerate(REGIONS)
    ],
    "lane": _LANE,
    "gaps": _gaps(face.unmeasured),
    "marks": [
      {
        "number": n + 1,
        "kind": mark.interval.kind,
        "x": _NAMES + _WIDTH * mark.seconds[0] / end,
        "width": max(3.0, _WIDTH * (mark.seconds[2] - mark.seconds[0]) / end),
        "label": f"{mark.interval.kind} at {mark.seconds[1]:.2f} s",
      }
      for n, mark in own
    ],
    "ticks": [
      {"x": _NAMES + _WIDTH * seconds / end, "text": _clock(seconds)} for seconds in _ticks(end)
    ],
    "highest": f"{highest:.1f}",
    "alt": f"Motion of {len(REGIONS)} regions of face {face.number} over {end:.1f} s with"
    f" {len(own)} spotted intervals.",
  }


def _curve(curves: MotionCurves, region: int, end: float, highest: float) -> str:
  """The outline of a filled curve; of long videos the largest value in each step."""
  step = max(1, -(-len(curves.time) // _POINTS))
  starts = np.arange(0, len(curves.time), step)
  values = np.maximum.reduceat(curves.motion[:, region], starts)
  x = _NAMES + _WIDTH * curves.time[starts] / end
  y = _LANE * (region + 1) - (_LANE - 3) * np.clip(values / highest, 0, 1)
  base = _LANE * (region + 1)
  points = " ".join(f"L{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True))
  return f"M{x[0]:.1f} {base} {points} L{x[-1]:.1f} {base}Z"


def _gaps(unmeasured: np.ndarray) -> list[dict[str, float]]:
  """Stretches without a face that could be measured."""
  edges = np.flatnonzero(np.diff(np.r_[0, unmeasured.astype(np.int8), 0])).reshape(-1, 2)
  slots = max(len(unmeasured), 1)
  return [
    {"x": _NAMES + _WIDTH * a / slots, "width": max(1.0, _WIDTH * (b - a) / slots)}
    for a, b in edges.tolist()
  ]


def _ticks(end: float) -> list[float]:
  """About eight round times."""
  steps = (0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
  step = next((s for s in steps if end / s <= 9), 3600)
  return [float(v) for v in np.arange(0, end - 0.02 * end, step)]


def _clock(seconds: float) -> str:
  if seconds < 60:
    return f"{seconds:g} s"
  return f"{int(seconds // 60)}:{int(seconds % 60):02d}"


def _intervals(marks: Sequence[Mark], shown: Sequence[int]) -> list[dict[str, Any]]:
  if not shown:
    return []
  before = np.stack([marks[n].onset_crop for n in shown])
  after = np.stack([marks[n].apex_crop for n in shown])
  flows = optical_flow.between(before, after, "tv_l1")
  return [_interval(n, marks[n], without_head(uv)) for n, uv in zip(shown, flows, strict=True)]


def _interval(n: int, mark: Mark, uv: np.ndarray) -> dict[str, Any]:
  onset, apex, offset = mark.seconds
  names = zip(mark.classes, mark.probabilities, strict=True)
  spread = mark.spread
  return {
    "number": n + 1,
    "face": mark.face,
    "kind": mark.interval.kind,
    "span": f"{onset:.2f} to {offset:.2f} s, {offset - onset:.2f} s long, apex at {apex:.2f} s",
    "regions": ", ".join(mark.interval.regions),
    "strength": f"{mark.interval.strength:.1f}",
    "blinking": mark.blinking,
    "much": mark.interval.kind == "micro" and mark.interval.strength > _MUCH,
    "prediction": mark.prediction,
    "classes": [
      {
        "name": name,
        "value": f"{p:.2f}",
        "share": round(100 * float(p), 1),
        "spread": None if spread is None else f"{spread[k]:.2f}",
        "low": 0.0 if spread is None else round(100 * max(0.0, float(p - spread[k])), 1),
        "reach": 0.0 if spread is None else _reach(float(p), float(spread[k])),
      }
      for k, (name, p) in enumerate(names)
    ],
    "pictures": [
      ("onset", Figure(_png(_enlarged(mark.onset_crop)), f"Face at {onset:.2f} s, the onset.")),
      ("apex", Figure(_png(_enlarged(mark.apex_crop)), f"Face at {apex:.2f} s, the apex.")),
      (
        "motion",
        Figure(_png(_arrows(mark.onset_crop, uv)), "Arrows of the motion from onset to apex."),
      ),
    ],
  }


def _reach(p: float, spread: float) -> float:
  """Per cent of the bar that one standard deviation to either side covers."""
  return round(100 * (min(1.0, p + spread) - max(0.0, p - spread)), 1)


def _enlarged(crop: np.ndarray) -> np.ndarray:
  """The crop as tall as a face is: FACE_BOX is not square."""
  height = round(crop.shape[0] * _ENLARGED * 1.3)
  return cv2.resize(crop, (crop.shape[1] * _ENLARGED, height), interpolation=cv2.INTER_CUBIC)


def _arrows(crop: np.ndarray, uv: np.ndarray) -> np.ndarray:
  """uint8 [H, W, 3]: arrows over the faint onset crop, longer than the motion is."""
  image = cv2.cvtColor(_enlarged(crop), cv2.COLOR_GRAY2BGR)
  image = (0.45 * image + 0.55 * 255).astype(np.uint8)
  scale = np.array(image.shape[1::-1]) / np.array(crop.shape[1::-1])
  smooth = cv2.blur(uv, (_ARROWS, _ARROWS))
  for row in range(_ARROWS // 2, crop.shape[0], _ARROWS):
    for column in range(_ARROWS // 2, crop.shape[1], _ARROWS):
      motion = smooth[row, column]
      length = np.hypot(*motion)
      if length < _LEAST:
        continue
      start = np.array([column, row]) * scale
      stop = start + _LONGER * min(1, _MOST / length) * motion * scale
      tail, tip = ((int(x), int(y)) for x, y in np.rint([start, stop]))
      cv2.arrowedLine(image, tail, tip, (0, 60, 190), 2, cv2.LINE_AA, tipLength=0.3)
  return image


def _png(image: np.ndarray) -> bytes:
  return cv2.imencode(".png", image)[1].tobytes()
