"""A copy of a video with the boxes of its faces and what was spotted."""

import os
import pathlib
from collections.abc import Sequence

import cv2
import numpy as np

from mer_jax.errors import WorkdirError
from mer_jax.report.timeline import Mark
from mer_jax.runtime import atomic
from mer_jax.runtime.progress import progress
from mer_jax.video.decode import Video
from mer_jax.video.follow import Followed
from mer_jax.video.regions import FACE_BOX

_QUIET, _MARKED = (200, 200, 200), (0, 94, 213)  # BGR; the second is Okabe and Ito's vermilion


def write(
  path: pathlib.Path, video: Video, faces: Sequence[Followed], marks: Sequence[Mark]
) -> None:
  """Writes the copy, atomically: MPEG-4 on the even grid of time, without sound.

  Raises:
    WorkdirError: it cannot be written.
  """
  try:
    with atomic.temporary_beside(path) as temporary:
      _encode(temporary, path, video, faces, marks)
      os.replace(temporary, path)
  except OSError as error:
    raise atomic.cannot_write(path, error) from error


def _encode(
  temporary: pathlib.Path,
  path: pathlib.Path,
  video: Video,
  faces: Sequence[Followed],
  marks: Sequence[Mark],
) -> None:
  size, written = (video.width, video.height), 0
  writer = cv2.VideoWriter(str(temporary), cv2.VideoWriter.fourcc(*"mp4v"), video.fps, size)
  if not writer.isOpened():
    raise WorkdirError(f"{path} cannot be written: this OpenCV has no encoder for mp4v.")
  try:
    with progress(video.claimed, "annotated copy", "frame") as bar:
      for frame in video.frames():
        image = np.zeros((*size[::-1], 3), np.uint8) if frame.image is None else frame.image.copy()
        for face in faces:
          _draw(image, face, frame.index, marks)
        writer.write(image)
        written += 1
        bar.update()
  finally:
    writer.release()
  # OpenCV keeps to itself that it could not write.
  readable = cv2.VideoCapture(str(temporary)).get(cv2.CAP_PROP_FRAME_COUNT)
  if readable < written:
    raise WorkdirError(
      f"{path} cannot be written: {readable:.0f} of {written} frames arrived on the disk, which may"
      " be full. What was there before is intact. Make room, then start the same command again."
    )


def _draw(image: np.ndarray, face: Followed, slot: int, marks: Sequence[Mark]) -> None:
  transform = face.transform_at(slot)
  if transform is None:
    return
  now = [
    mark
    for mark in marks
    if mark.face == face.number and mark.interval.onset <= slot <= mark.interval.offset
  ]
  left, top, right, bottom = FACE_BOX
  places = np.array([(left, top, 1), (right, top, 1), (right, bottom, 1), (left, bottom, 1)])
  corners = np.rint(places @ transform.T).astype(np.int32)
  colour, thick = (_MARKED if now else _QUIET), max(1, image.shape[1] // 320)
  cv2.polylines(image, [corners], True, colour, thick, cv2.LINE_AA)
  if now:
    x, y = (int(v) for v in corners[0])
    label = f"{now[0].interval.kind}: {now[0].prediction} {now[0].probabilities.max():.2f}"
    place = max(0, x), max(14 * thick, y - 4 * thick)
    cv2.putText(
      image, label, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4 * thick, colour, thick, cv2.LINE_AA
    )
