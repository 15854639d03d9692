"""One face box per clip, detected on the onset frame and used for every frame of the clip.

Detecting again on later frames would move the box by more than a micro-expression moves the face
(its motion is a few pixels at most), so one box serves all its frames. The detector is OpenCV's
Haar cascade for frontal faces (Viola and Jones, CVPR 2001; Lienhart and Maydt, ICIP 2002), because
its weights come with the library.
"""

import pathlib
import threading
from collections.abc import Sequence

import cv2
import numpy as np

from data_builders import frames
from data_builders.build_report import BuildReport
from data_builders.parallel import ordered
from data_builders.record import Record
from mer_jax.errors import DataError
from mer_jax.runtime.progress import progress

Box = tuple[int, int, int, int]
CENTRED_FRACTION = 0.8  # of the shorter side, where no clip of the subject shows a face
_AGREEMENT = 0.2  # intersection over union with the subject's median box

_local = threading.local()  # a cascade holds buffers, so every thread needs its own


def boxes(records: Sequence[Record], report: BuildReport) -> dict[str, Box]:
  """The box of every record that has to be cropped.

  Where the detector finds no face, or a box that hardly overlaps the boxes of the same subject's
  other clips, the subject's median box takes its place, and if there is none a centred square of
  `CENTRED_FRACTION` of the shorter side. Both are reported as repairs.

  Args:
    records: clips; those with crop=False are passed over.
    report: repairs are added to it.

  Returns:
    {clip name: (x, y, width, height)} in pixels of the source frames. A record whose onset frame
    cannot be read has none: it is refused when its frames are decoded.

  Raises:
    DataError: the installed OpenCV has no cascade.
  """
  records = [record for record in records if record.crop]
  if not records:
    return {}
  _cascade()
  detections: dict[str, Box | None] = {}
  shapes: dict[str, tuple[int, int]] = {}
  with progress(len(records), f"{report.dataset} faces", "clip") as bar:
    onset_frames = [record.frames[record.onset] for record in records]
    for record, result in zip(records, ordered(_detect, onset_frames), strict=True):
      if result is not None:
        shapes[record.name], detections[record.name] = result
      bar.update()
  medians = _medians(records, detections, shapes)
  accepted = {}
  for record in records:
    if record.name in shapes:
      key = record.subject, shapes[record.name]
      accepted[record.name] = _choose(
        record, detections[record.name], key, medians.get(key), report
      )
  return accepted


def _cascade() -> "cv2.CascadeClassifier":
  if not hasattr(_local, "cascade"):
    try:
      folder = pathlib.Path(cv2.data.haarcascades)
      _local.cascade = cv2.CascadeClassifier(str(folder / "haarcascade_frontalface_default.xml"))
      usable = not _local.cascade.empty()
    except AttributeError:
      usable = False
    if not usable:
      raise DataError(
        f"OpenCV {cv2.__version__} comes without Haar cascades, which the face crop needs. Install"
        " opencv-python-headless 4.x, or build from the cropped tree."
      )
  return _local.cascade


def _detect(path: frames.Frame) -> tuple[tuple[int, int], Box | None] | None:
  """Shape [H, W] of the frame and the largest face in it; None if it cannot be read."""
  try:
    image = frames.read(path)
  except frames.FrameError:
    return None
  least = min(image.shape) // 5
  faces = _cascade().detectMultiScale(
    image, scaleFactor=1.1, minNeighbors=5, minSize=(least, least)
  )
  shape = int(image.shape[0]), int(image.shape[1])
  if len(faces) == 0:
    return shape, None
  x, y, width, height = (int(v) for v in max(faces, key=lambda face: face[2] * face[3]))
  return shape, (x, y, width, height)


def _medians(
  records: Sequence[Record],
  detections: dict[str, Box | None],
  shapes: dict[str, tuple[int, int]],
) -> dict[tuple[str, tuple[int, int]], Box]:
  # Boxes of frames of another size would not fit, so the size is part of the key.
  groups: dict[tuple[str, tuple[int, int]], list[Box]] = {}
  for record in records:
    box = detections.get(record.name)
    if box is not None:
      groups.setdefault((record.subject, shapes[record.name]), []).append(box)
  medians = {}
  for key, group in groups.items():
    x, y, width, height = np.median(np.array(group), axis=0).astype(int).tolist()
    medians[key] = x, y, width, height
  return medians


def _choose(
  record: Record,
  box: Box | None,
  key: tuple[str, tuple[int, int]],
  median: Box | None,
  report: BuildReport,
) -> Box:
  if box is not None and median is not None and _overlap(box, median) >= _AGREEMENT:
    return box
  why = "no face found on the onset frame"
  if box is not None:
    why = "the face found on the onset frame lies elsewhere than in the subject's other clips"
  if median is not None:
    report.repair(record.name, "face box", "the median box of the subject's clips", why)
    return median
  height, width = key[1]
  side = max(1, int(CENTRED_FRACTION * min(height, width)))
  report.repair(
    record.name, "face box", f"the centred square of {side} px", f"{why} of any of the subject"
  )
  return (width - side) // 2, (height - side) // 2, side, side


def _overlap(a: Box, b: Box) -> float:
  """Intersection over union, 0 to 1."""
  across = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
  down = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
  both = max(0, across) * max(0, down)
  return both / (a[2] * a[3] + b[2] * b[3] - both)
