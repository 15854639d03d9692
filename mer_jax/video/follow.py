"""Each face through a video: where it is, how it is aligned, whether it can be measured."""

import array
import dataclasses
from collections.abc import Callable
from typing import Protocol

import cv2
import numpy as np

from mer_jax.video import align, usable
from mer_jax.video.crops import SteadyCrops
from mer_jax.video.curves import stride_of
from mer_jax.video.decode import Frame
from mer_jax.video.landmarks import Landmarks, Region
from mer_jax.video.methods import Measure

FACES = ("largest", "all")
_EVERY = 1.0  # seconds between looks for further faces
_WINDOW = 2.0  # seconds after which an alignment that has become a little wrong is renewed
# How far the face may have left its box, in face widths: after that time, and at any time.
_WRONG, _FAR = 0.03, 0.12
_JUMP = 0.5  # face widths from frame to frame: a cut of the film, not a head
_MOST_FACES = 8
_NONE = -1


@dataclasses.dataclass
class Followed:
  """One face over the slots of a video.

  Attributes:
    number: from 1, in the order in which faces were seen.
    measure: what has looked at its aligned crops.
    states: for each slot, an index into usable.STATES.
    alignments: for each slot, an index into `transforms`; -1: none.
    transforms: float64 [2, 3] each, see align.similarity.
  """

  number: int
  measure: Measure
  states: bytearray = dataclasses.field(default_factory=bytearray)
  alignments: array.array = dataclasses.field(default_factory=lambda: array.array("i"))
  transforms: list[np.ndarray] = dataclasses.field(default_factory=list)

  def add(self, state: int, crop: np.ndarray | None, time: float) -> None:
    """One more slot; `crop` (uint8 [128, 128]) is that of the last of `transforms`."""
    measured = crop is not None and state in usable.MEASURED
    self.states.append(state)
    self.alignments.append(len(self.transforms) - 1 if measured else _NONE)
    self.measure.add(crop if measured else None, time)

  def repeat(self, time: float) -> None:
    """One more slot, between two that are looked at, like the one before."""
    self.states.append(self.states[-1] if self.states else usable.NO_FACE)
    self.alignments.append(self.alignments[-1] if self.alignments else _NONE)
    self.measure.add(None, time)  # it leaves out these slots itself

  def transform_at(self, slot: int) -> np.ndarray | None:
    """The alignment in a slot; None where there is none."""
    index = self.alignments[slot]
    return None if index == _NONE else self.transforms[index]

  def seconds(self, fps: float) -> float:
    """How long it could be measured."""
    return sum(self.states.count(state) for state in usable.MEASURED) / fps


class Follower(Protocol):
  """What follows the faces of a video, frame after frame."""

  faces: list[Followed]

  def add(self, frame: Frame) -> None:
    """Looks at the next slot."""


class LandmarkFollower:
  """Follows faces by their landmarks.

  Args:
    fps: slots a second.
    measure: makes what looks at the crops of one face.
    faces: a value of `FACES`.
    follow: align again where the head moves; otherwise the first alignment of a face serves the
      video.

  Raises:
    ConfigError: LiteRT or the weights are not installed.
  """

  def __init__(
    self,
    fps: float,
    measure: Callable[[], Measure],
    faces: str = "largest",
    *,
    follow: bool = True,
  ) -> None:
    self.faces: list[Followed] = []
    self._landmarks = Landmarks()
    self._fps, self._measure, self._all = fps, measure, faces == "all"
    self._follow = follow
    self._stride = stride_of(fps)
    self._tracks: list[_Track] = []
    self._looked = -np.inf

  def add(self, frame: Frame) -> None:
    """Looks at the next slot."""
    time = frame.index / self._fps
    if frame.index % self._stride:
      for face in self.faces:
        face.repeat(time)
      return
    for track in self._tracks:
      track.look(self._landmarks, frame, time)
    lost = not self._tracks or any(track.region is None for track in self._tracks)
    due = self._all and time - self._looked >= _EVERY
    if frame.image is not None and (lost or due):
      self._looked = time
      self._search(frame, frame.image, time)
    for track in self._tracks:
      track.close(time)

  def _search(self, frame: Frame, image: np.ndarray, time: float) -> None:
    """Gives regions that no face has to those that are lost, and to new ones."""
    taken = [track.region for track in self._tracks if track.region is not None]
    regions = self._landmarks.detect(image)
    free = [region for region in regions if not any(_near(region, other) for other in taken)]
    for region in free:
      lost = [track for track in self._tracks if track.region is None]
      near = [track for track in lost if not self._all or _near(region, track.last)]
      if near:
        near[0].region = region
        near[0].look(self._landmarks, frame, time, again=True)
      elif len(self._tracks) < (_MOST_FACES if self._all else 1):
        self._begin(region, frame, time)
      if not self._all:
        return

  def _begin(self, region: Region, frame: Frame, time: float) -> None:
    track = _Track(Followed(len(self.faces) + 1, self._measure()), region, self._follow)
    track.look(self._landmarks, frame, time)
    if track.region is None:
      return
    for slot in range(frame.index):
      track.face.add(usable.NO_FACE, None, slot / self._fps)
    self._tracks.append(track)
    self.faces.append(track.face)


class _Track:
  """A face that is being followed, between two frames."""

  def __init__(self, face: Followed, region: Region, follow: bool) -> None:
    self.face, self._follow = face, follow
    self.region: Region | None = region
    self.last = region
    self._judge = usable.Judge()
    self._before: np.ndarray | None = None  # the similarity of the frame before
    self._since = 0.0
    self._seen: tuple[int, np.ndarray | None] = (usable.NO_FACE, None)

  def look(self, landmarks: Landmarks, frame: Frame, time: float, *, again: bool = False) -> None:
    """Looks for the face in its region; `again`: where the detector sees it, if it is lost."""
    self._seen = usable.NO_FACE, None
    image, mesh = frame.image, None
    if self.region is not None and image is not None:
      mesh = landmarks.mesh(image, self.region)
    if mesh is None or image is None:
      self.region = None
      return
    self.region = self.last = mesh.region
    now = align.similarity(mesh.points)
    jumped = self._before is not None and (again or align.apart(now, self._before) > _JUMP)
    self._before = now
    transform, changes = self._alignment(now, time)
    crop = align.cut(image, transform)
    state = self._judge.state(
      mesh.points, landmarks.opening(image, mesh), crop, (image.shape[0], image.shape[1])
    )
    state = usable.JUMP if jumped else state
    if state not in usable.MEASURED:
      self._seen = state, None
      return
    if changes:
      if self.face.alignments and self.face.alignments[-1] != _NONE:
        self.face.measure.new_window()
      self.face.transforms.append(transform)
      self._since = time
    self._seen = state, crop

  def close(self, time: float) -> None:
    """Hands on what was seen in this frame."""
    if self.region is None:
      self._before = None
    self.face.add(*self._seen, time)

  def _alignment(self, now: np.ndarray, time: float) -> tuple[np.ndarray, bool]:
    """The transform of this frame, and whether it is another one than before."""
    if self.face.transforms and not self._follow:
      return self.face.transforms[-1], False
    if not self.face.alignments or self.face.alignments[-1] == _NONE:
      return now, True
    current = self.face.transforms[-1]
    wrong = align.apart(now, current)
    renewed = wrong > _FAR or (wrong > _WRONG and time - self._since >= _WINDOW)
    return (now, True) if renewed else (current, False)


class CascadeFollower:
  """Follows the largest face by OpenCV's cascade, without landmarks.

  Args:
    fps: slots a second.
    measure: makes what looks at the crops of the face.

  Raises:
    DataError: the installed OpenCV has no cascade.
  """

  def __init__(self, fps: float, measure: Callable[[], Measure]) -> None:
    self.faces = [Followed(1, measure())]
    self._fps, self._crops = fps, SteadyCrops(fps)

  def add(self, frame: Frame) -> None:
    """Looks at the next slot."""
    face, time = self.faces[0], frame.index / self._fps
    crop = None
    if frame.image is not None:
      crop, changed = self._crops.next(cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY))
      if changed:
        face.measure.new_window()
    if crop is None or self._crops.box is None:
      face.add(usable.NO_FACE, None, time)
      return
    x, y, width = self._crops.box
    transform = np.array([[width, 0.0, x], [0.0, width, y]])
    if not face.transforms or not np.array_equal(face.transforms[-1], transform):
      face.transforms.append(transform)
    face.add(usable.of_crop(crop, width), crop, time)


def _near(region: Region, other: Region) -> bool:
  """Whether two squares are about the same face."""
  distance = np.hypot(region.x - other.x, region.y - other.y)
  return bool(distance < 0.4 * max(region.side, other.side))
