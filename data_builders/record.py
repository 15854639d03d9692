"""One clip of a corpus as its annotations describe it, before any pixel is read."""

import dataclasses

import numpy as np

from data_builders.frames import Frame
from mer_jax.clips import GRAY


@dataclasses.dataclass(frozen=True)
class Record:
  """Everything about one clip but its pixels.

  Attributes:
    dataset, subject, clip, emotion: in the canonical form of `mer_jax.clips.Clips`.
    frames: T image files or frames of a video, in the order of their numbers.
    numbers: T frame numbers, as written in the file names; strictly increasing.
    onset, apex, offset: indices into `frames`.
    apex_missing: the corpus gives no usable apex, and `apex` is the midpoint of onset and offset.
    fps: frames per second of the camera.
    crop: True where the frames show more than the face, so that it has to be cut out first.
    action_units, objective_class: as in the sheet; "" where there is none.
    split: the part of a fixed split; None of corpora that have no such column.
  """

  dataset: str
  subject: str
  clip: str
  emotion: str
  frames: tuple[Frame, ...]
  numbers: tuple[int, ...]
  onset: int
  apex: int
  offset: int
  apex_missing: bool
  fps: float
  crop: bool
  action_units: str = ""
  objective_class: str = ""
  split: str | None = None

  @property
  def name(self) -> str:
    """The key of the clip, unique over all corpora: "casme2/sub01/EP02_01f"."""
    return f"{self.dataset}/{self.subject}/{self.clip}"


def example(record: Record, pixels: np.ndarray, synthetic: bool, channels: str = GRAY) -> dict:
  """The TFDS example (see `schema`) of a record and its pixels, uint8 [T, H, W, C]."""
  return {
    "frames": pixels,
    "num_frames": len(pixels),
    "dataset": record.dataset,
    "subject": record.subject,
    "clip": record.clip,
    "emotion": record.emotion,
    "action_units": record.action_units,
    "objective_class": record.objective_class,
    "onset": record.onset,
    "apex": record.apex,
    "offset": record.offset,
    "apex_missing": record.apex_missing,
    "fps": record.fps,
    "first_frame": record.numbers[0],
    "last_frame": record.numbers[-1],
    "synthetic": synthetic,
    "channels": channels,
    **({} if record.split is None else {"split": record.split}),
  }
