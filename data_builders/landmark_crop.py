"""The face box of the video pages for clips of corpora: one similarity by landmarks per clip.

It is found on the onset frame and used for every frame of the clip, as the box of `face_crop` is.
The box, `mer_jax.video.regions.FACE_BOX`, is that of the published flow maps.
"""

import threading
from collections.abc import Sequence

import numpy as np

from data_builders import face_crop, frames
from data_builders.build_report import BuildReport
from data_builders.parallel import ordered
from data_builders.record import Record
from mer_jax.runtime.progress import progress
from mer_jax.video import align, landmarks

_local = threading.local()  # an interpreter holds buffers, so every thread needs its own


def transforms(
  records: Sequence[Record], report: BuildReport
) -> dict[str, np.ndarray | face_crop.Box]:
  """What cuts the face out of every record that has to be cropped.

  Where no landmarks are found, the box of `face_crop.boxes` takes their place, as a repair.

  Args:
    records: clips; those with crop=False are passed over.
    report: repairs are added to it.

  Returns:
    {clip name: float64 [2, 3] of `align.similarity`, or a box in pixels}. A record whose onset
    frame cannot be read has none: it is refused when its frames are decoded.

  Raises:
    ConfigError: the extra `video` is not installed.
  """
  records = [record for record in records if record.crop]
  landmarks.check_installed()
  cuts: dict[str, np.ndarray | face_crop.Box] = {}
  without = []
  with progress(len(records), f"{report.dataset} landmarks", "clip") as bar:
    onset_frames = [record.frames[record.onset] for record in records]
    for record, transform in zip(records, ordered(_aligned, onset_frames), strict=True):
      if transform is None:
        without.append(record)
      else:
        cuts[record.name] = transform
      bar.update()
  boxes = face_crop.boxes(without, report)
  for name in boxes:
    report.repair(name, "landmarks", "the box of --crop=face", "none found on the onset frame")
  return {**cuts, **boxes}


def _aligned(path: frames.Frame) -> np.ndarray | None:
  """The similarity of the largest face; None where there is none, or no readable frame."""
  try:
    image = frames.read(path, frames.COLOR)
  except frames.FrameError:
    return None
  if not hasattr(_local, "networks"):
    _local.networks = landmarks.Landmarks()
  for region in _local.networks.detect(image):
    mesh = _local.networks.mesh(image, region)
    if mesh is not None:
      return align.similarity(mesh.points)
  return None
