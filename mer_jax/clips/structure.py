"""Clips: the one data structure between a prepared corpus and everything that reads it.

A struct of arrays over N clips in host memory. Clips differ in length, so their frames lie one
after another in a single array and `starts` holds where each clip begins; nothing is padded before
an input asks for it.
"""

import dataclasses
import hashlib
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from mer_jax.errors import DataError, shown

GRAY = "gray"
FLOW_MAPS = "u v strain"


@dataclasses.dataclass(frozen=True)
class Clips:
  """N clips of one or several corpora.

  Attributes:
    frames: uint8 [M, H, W, C], the frames of all clips one after another, M = sum of lengths.
    starts: int64 [N + 1]; clip n owns frames[starts[n]:starts[n + 1]].
    dataset: str [N], "casme2", "samm", "smic", or the name of a listing.
    subject: str [N] in the dataset's canonical form: "sub01", "006", "s01".
    clip: str [N] in the dataset's canonical form: "EP02_01f", "006_1_2", "s01_ne_01". Unique only
      together with dataset and subject.
    emotion: str [N], the corpus' own label in lower case without outer blanks; "others" also where
      the sheet says "other".
    action_units: str [N] as written in the sheet; "" where there is none.
    objective_class: str [N], "I" to "VII"; "" where the sheet has none.
    onset, apex, offset: int32 [N], ordered indices into the clip's own frames; may be equal.
    apex_missing: bool [N], True where the corpus gives no usable apex and `apex` is the midpoint.
    fps: float32 [N], frames per second of the camera.
    first_frame, last_frame: int64 [N], the numbers in the first and last source file names.
    synthetic: bool [N], True for clips that `data_builders.synthetic` drew.
    split: str [N], the part of a user's fixed split ("train", "test"), "" where none is given; None
      of corpora that have no such column.
    channels: what C holds: `GRAY` (C = 1) or `FLOW_MAPS` (C = 3: horizontal flow, vertical flow,
      optical strain, each scaled to 0..255 by whoever published the maps).

  Raises:
    DataError: the arrays contradict each other, or a key (dataset, subject, clip) occurs twice.
  """

  frames: np.ndarray
  starts: np.ndarray
  dataset: np.ndarray
  subject: np.ndarray
  clip: np.ndarray
  emotion: np.ndarray
  action_units: np.ndarray
  objective_class: np.ndarray
  onset: np.ndarray
  apex: np.ndarray
  offset: np.ndarray
  apex_missing: np.ndarray
  fps: np.ndarray
  first_frame: np.ndarray
  last_frame: np.ndarray
  synthetic: np.ndarray
  channels: str = GRAY
  split: np.ndarray | None = None

  def __post_init__(self) -> None:
    n = len(self.clip)
    for field in PER_CLIP_FIELDS:
      if len(getattr(self, field)) != n:
        raise DataError(f"Clips.{field} has {len(getattr(self, field))} entries for {n} clips.")
    if self.split is not None and len(self.split) != n:
      raise DataError(f"Clips.split has {len(self.split)} entries for {n} clips.")
    if self.frames.ndim != 4 or self.frames.dtype != np.uint8:
      raise DataError(
        f"Clips.frames must be uint8 [M, H, W, C]; got {self.frames.dtype} {self.frames.shape}."
      )
    if len(self.starts) != n + 1 or self.starts[0] != 0 or self.starts[-1] != len(self.frames):
      raise DataError(f"Clips.starts must run from 0 to {len(self.frames)} in {n + 1} entries.")
    if n and np.min(self.num_frames) < 1:
      raise DataError(f"{self.name(int(np.argmin(self.num_frames)))} has no frames.")
    ordered = (
      (self.onset >= 0)
      & (self.onset <= self.apex)
      & (self.apex <= self.offset)
      & (self.offset < self.num_frames)
    )
    if not np.all(ordered):
      raise DataError(
        f"{self.name(int(np.argmin(ordered)))}: onset, apex and offset must be ordered indices"
        " into its frames. Build the dataset again."
      )
    seen: set[str] = set()
    for name in map(self.name, range(n)):
      if name in seen:
        raise DataError(f"Two clips have the key {name}; each clip must occur once.")
      seen.add(name)

  @classmethod
  def from_frames(
    cls,
    frames: Sequence[np.ndarray],
    onset: Sequence[int] | None = None,
    apex: Sequence[int] | None = None,
    offset: Sequence[int] | None = None,
    fps: float = 0.0,
    *,
    names: Sequence[tuple[str, str, str]] | None = None,
  ) -> "Clips":
    """Clips of frames of one's own: gray frames of a face, cropped as the corpora's are.

    Args:
      frames: N arrays, uint8 [T_n, H, W] or [T_n, H, W, 1]; optical flow needs 128 x 128 pixels.
      onset, apex, offset: int [N], indices into a clip's frames; None: first frame, midpoint (and
        `apex_missing`), last frame.
      fps: frames per second, of all clips; 0: not known.
      names: (dataset, subject, clip) of each clip; None: ("own", "unknown", "clip_0001"), ...

    Raises:
      DataError: no frames, of another kind or of several sizes, or key frames out of order.
    """
    parts = [_gray(n, part) for n, part in enumerate(frames)]
    if len(sizes := {part.shape[1:3] for part in parts}) != 1:
      raise DataError(f"Clips hold frames of one size; got {sorted(sizes) or 'no clip'}.")
    last = [len(part) - 1 for part in parts]
    onset = _indices("onset", [0] * len(parts) if onset is None else onset)
    offset = _indices("offset", last if offset is None else offset)
    middle = [(first + end) // 2 for first, end in zip(onset, offset, strict=False)]
    peaks = middle if apex is None else _indices("apex", apex)
    keys = names or [("own", "unknown", f"clip_{n + 1:04}") for n in range(len(parts))]
    columns = {"onset": onset, "apex": peaks, "offset": offset, "last_frame": last}
    columns |= dict(zip(("dataset", "subject", "clip"), zip(*keys, strict=True), strict=True))
    if {len(column) for column in columns.values()} != {len(parts)}:
      raise DataError(f"Names and key frames are given for each of {len(parts)} clips, or not.")
    common = {"apex_missing": apex is None, "fps": fps, "first_frame": 0, "synthetic": False}
    common |= dict.fromkeys(("emotion", "action_units", "objective_class"), "")
    own = [{key: column[n] for key, column in columns.items()} for n in range(len(parts))]
    common |= {"channels": GRAY}
    return stack([{"frames": x, **common, **e} for x, e in zip(parts, own, strict=True)])

  def __len__(self) -> int:
    """N, the number of clips."""
    return len(self.clip)

  @property
  def num_frames(self) -> np.ndarray:
    """int64 [N]: frames of each clip."""
    return np.diff(self.starts)

  def name(self, n: int) -> str:
    """The key of clip n as one string: "casme2/sub01/EP02_01f"."""
    return f"{self.dataset[n]}/{self.subject[n]}/{self.clip[n]}"

  def frames_of(self, n: int) -> np.ndarray:
    """uint8 [T_n, H, W, C]: a view of the frames of clip n."""
    return self.frames[self.starts[n] : self.starts[n + 1]]

  def select(self, indices: Sequence[int] | np.ndarray) -> "Clips":
    """The clips at `indices` (int [n]), in that order, as a new Clips."""
    indices = np.asarray(indices, np.int64)
    lengths = self.num_frames[indices]
    parts = [self.frames_of(n) for n in indices]
    frames = np.concatenate(parts) if parts else self.frames[:0]
    fields = {field: getattr(self, field)[indices] for field in PER_CLIP_FIELDS}
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    split = None if self.split is None else self.split[indices]
    return Clips(frames=frames, starts=starts, channels=self.channels, split=split, **fields)

  def fingerprint(self) -> str:
    """sha256 over every pixel and annotation, in hexadecimal: the identity of the data of a run."""
    digest = hashlib.sha256(f"{self.channels} {self.frames.shape}".encode())
    digest.update(np.ascontiguousarray(self.frames).data)
    digest.update(self.starts.astype("<i8").tobytes())
    for field in PER_CLIP_FIELDS:
      digest.update(shown("\x1f".join(map(str, getattr(self, field).tolist()))).encode())
      digest.update(b"\x1e")
    if self.split is not None:
      digest.update(shown("\x1f".join(self.split.tolist())).encode())
    return digest.hexdigest()


PER_CLIP_FIELDS = tuple(
  field.name
  for field in dataclasses.fields(Clips)
  if field.name not in ("frames", "starts", "channels", "split")
)


def _indices(name: str, values: Sequence[int]) -> list[int]:
  try:
    return [operator.index(value) for value in values]
  except TypeError as error:
    raise DataError(
      f"{name} holds an index into the frames for every clip, as [0]; got {values!r}."
    ) from error


def _gray(n: int, frames: np.ndarray) -> np.ndarray:
  array = np.asarray(frames)
  array = array[..., None] if array.ndim == 3 else array
  if array.ndim != 4 or array.shape[-1] != 1 or array.dtype != np.uint8 or not array.size:
    raise DataError(
      f"Frames of a clip are gray, uint8 [T, H, W]; got {array.dtype} {array.shape} in clip {n}."
    )
  return array


def concatenate(parts: Sequence[Clips]) -> Clips:
  """All clips of `parts`, in order, as one Clips.

  Raises:
    DataError: the parts hold frames of different sizes or kinds, or share a key.
  """
  if not parts:
    raise DataError("There are no clips to put together.")
  shapes = {(part.channels, *part.frames.shape[1:]) for part in parts}
  if len(shapes) > 1:
    raise DataError(
      f"Corpora prepared at different sizes cannot be pooled: {sorted(map(str, shapes))}. Build"
      " them with the same --config."
    )
  lengths = np.concatenate([part.num_frames for part in parts])
  return Clips(
    frames=np.concatenate([part.frames for part in parts]),
    starts=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
    channels=parts[0].channels,
    split=_concatenated_splits(parts),
    **{f: np.concatenate([getattr(part, f) for part in parts]) for f in PER_CLIP_FIELDS},
  )


def _concatenated_splits(parts: Sequence[Clips]) -> np.ndarray | None:
  if all(part.split is None for part in parts):
    return None
  none = [np.full(len(part), "") if part.split is None else part.split for part in parts]
  return np.concatenate(none)


_DTYPES = {
  "onset": np.int32,
  "apex": np.int32,
  "offset": np.int32,
  "apex_missing": np.bool_,
  "fps": np.float32,
  "first_frame": np.int64,
  "last_frame": np.int64,
  "synthetic": np.bool_,
}


def no_clips(size: int, channels: str = GRAY) -> Clips:
  """Clips [0] of frames of H = W = `size` pixels, for what reads their shape alone."""
  return Clips(
    frames=np.zeros((0, size, size, 3 if channels == FLOW_MAPS else 1), np.uint8),
    starts=np.zeros(1, np.int64),
    channels=channels,
    **{field: np.zeros(0, _DTYPES.get(field, np.str_)) for field in PER_CLIP_FIELDS},
  )


def stack(examples: Sequence[dict[str, Any]]) -> Clips:
  """Clips of examples, dicts of the fields of a prepared clip; at least one, of frames of one size.

  Raises:
    DataError: as `Clips`.
  """
  frames = [np.asarray(e["frames"], np.uint8) for e in examples]
  text = {
    field: np.array([_decode(e[field]) for e in examples])
    for field in PER_CLIP_FIELDS
    if field not in _DTYPES
  }
  numbers = {
    field: np.array([e[field] for e in examples], dtype) for field, dtype in _DTYPES.items()
  }
  return Clips(
    frames=np.concatenate(frames),
    starts=np.concatenate([[0], np.cumsum([len(f) for f in frames])]).astype(np.int64),
    channels=_decode(examples[0]["channels"]),
    split=np.array([_decode(e["split"]) for e in examples]) if "split" in examples[0] else None,
    **text,
    **numbers,
  )


def _decode(value: bytes | str) -> str:
  return value.decode("utf-8") if isinstance(value, bytes) else value
