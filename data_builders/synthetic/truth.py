"""The ground truth of a clip, one npz each.

Keys:
  displacement: float16 [H // stride, W // stride, 2], pixels of the written frame, u right and v
    down, from the onset frame to the apex frame, at the place of the point in the onset frame;
    entry [i, j] belongs to pixel (j, i) * stride + (stride - 1) / 2.
  stride: int.
  head: float16 [T, 4], the head against the onset frame: shift x, y in pixels, turn in radians,
    growth; already part of `displacement`.
  onset, apex, offset: int, indices into the T frames as drawn (not as a faulty sheet has them).
  frame_numbers: int64 [2], the numbers in the first and last file names as drawn.
  au_names: str [A], action unit and side of the person: "L12" lies right in the picture.
  au_intensity: float16 [T, A], the largest displacement each causes by itself, in pixels; negative
    where stray activity goes against the muscle's direction.
  au_coded: bool [A], False for stray activity, which no sheet lists.
  profile: float16 [T], the expression as a whole, 0 at the onset, 1 at the apex.
  lids: float16 [T], closure of the lids in a blink. gain: float32 [T], brightness.
  emotion: str, native label. fps: int. size: int, face width in pixels.
"""

import pathlib

import numpy as np

from data_builders.synthetic.scene import Scene, displacement, face_grid
from mer_jax.face import action_units


def save(path: pathlib.Path, scene: Scene, size: int) -> None:
  """Writes the truth of `scene`; `size` is the face width of its corpus in pixels."""
  clip, moving, view = scene.clip, scene.motion, scene.view
  stride = max(1, round(size / 96))
  shift = view.scale * moving.head[:, :2] @ view.turn(1).T
  apex = clip.apex - clip.onset
  path.parent.mkdir(parents=True, exist_ok=True)
  np.savez_compressed(
    path,
    displacement=displacement(scene, apex, stride).astype(np.float16),
    stride=np.int64(stride),
    head=np.hstack([shift, moving.head[:, 2:]]).astype(np.float16),
    onset=np.int64(0),
    apex=np.int64(apex),
    offset=np.int64(clip.num_frames - 1),
    frame_numbers=np.array([clip.onset, clip.offset], np.int64),
    au_names=np.array(moving.names),
    au_intensity=(moving.weights * _peaks(scene)).astype(np.float16),
    au_coded=moving.coded,
    profile=moving.profile.astype(np.float16),
    lids=moving.lids.astype(np.float16),
    gain=moving.gain,
    emotion=np.array(clip.emotion),
    fps=np.int64(clip.fps),
    size=np.int64(size),
  )


def _peaks(scene: Scene) -> np.ndarray:
  """float32 [A]: pixels that each AU moves at weight 1, where it moves most."""
  place = face_grid()
  fields = action_units.fields(scene.motion.names, scene.person, place[..., 0], place[..., 1])
  return scene.amplitude * scene.view.scale * np.linalg.norm(fields, axis=-1).max((1, 2))


def load(path: pathlib.Path) -> dict[str, np.ndarray]:
  """Reads one file of `save`; scalars and text come back as 0-d arrays."""
  with np.load(path) as stored:
    return dict(stored)
