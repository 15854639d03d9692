"""temporal_sampling_deformation: every clip's rise and decay on as many frames, and their ratios.

Wu, Guo, "TSNN: Three-Stream Combining 2D and 3D Convolutional Neural Network for Micro-Expression
Recognition", IEEJ Trans. Electrical and Electronic Engineering 16, 2021. The abstract states that
clips get one length and that what time says is kept; the formula is not public. Here time is a
broken line: onset to apex and apex to offset take half of the frames each, and by how much either
was stretched stands beside the frames.
"""

from typing import Any

import numpy as np

from mer_jax import checks, errors
from mer_jax.clips import GRAY, Clips
from mer_jax.inputs.apex_frame import apex_frame
from mer_jax.inputs.cache import NO_CACHE, Cache
from mer_jax.inputs.declaration import declares
from mer_jax.inputs.flow import FlowOptions, flow
from mer_jax.inputs.lengths import interpolated
from mer_jax.inputs.resize import resized


@declares(reads=(GRAY,), gives=("frames", "mask", "ratios"))
def temporal_sampling_deformation(
  clips: Clips, *, num_frames: int = 16, size: int = 48
) -> dict[str, np.ndarray]:
  """Frames of which half show the rise and half the decay, interpolated between neighbours.

  Frame 0 is the onset, frame T / 2 the apex and the last one the offset; what a clip shows before
  its onset and after its offset is left out.

  Args:
    clips: Clips [N] of gray frames.
    num_frames: T, an even number.
    size: H = W, pixels; frames are shrunk by area averages and enlarged bilinearly.

  Returns:
    frames: float32 [N, T, H, W, 1] in 0..1.
    mask: bool [N, T], True.
    ratios: float32 [N, 2], frames of the clip for each frame of the result: from onset to apex and
      from apex to offset. Below 1 the part was stretched, above 1 shortened.

  Raises:
    ConfigError: an odd number of frames, or a value below 1.
  """
  checks.check_at_least("num_frames", num_frames, 2)
  checks.check_at_least("size", size, 1)
  if num_frames % 2:
    raise errors.ConfigError(
      f"num_frames must be even, for rise and decay take half of the frames each; got {num_frames}."
    )
  half = num_frames // 2
  frames = np.zeros((len(clips), num_frames, size, size, 1), np.float32)
  for n in range(len(clips)):
    rise = np.linspace(clips.onset[n], clips.apex[n], half, endpoint=False)
    decay = np.linspace(clips.apex[n], clips.offset[n], half)
    shown = resized(clips.frames_of(n), size)
    frames[n] = interpolated(shown, np.concatenate([rise, decay])) / np.float32(255)
  parts = np.stack([clips.apex - clips.onset, clips.offset - clips.apex], axis=1)
  return {
    "frames": frames,
    "mask": np.ones((len(clips), num_frames), np.bool_),
    "ratios": (parts / half).astype(np.float32),
  }


@declares(
  reads=(GRAY,),
  gives=("apex", "image", "frames", "mask", "ratios"),
  passes_on=FlowOptions,
  needs_motion=True,
)
def apex_flow_and_frames(
  clips: Clips,
  cache: Cache = NO_CACHE,
  *,
  num_frames: int = 16,
  size: int = 48,
  standardise: str = "none",
  scaling: str = "minmax",
  **flow_options: Any,
) -> dict[str, np.ndarray]:
  """What TSNN's three streams read together, all of one size.

  Args:
    clips: Clips [N] of gray frames of at least 128 x 128 pixels.
    cache: where flows stay for further computations.
    num_frames: as in `temporal_sampling_deformation`.
    size: H = W, pixels.
    standardise: as in `apex_frame`.
    scaling: as in `flow`.
    **flow_options: method, head_motion, allow_small: as in `flow`.

  Returns:
    apex: float32 [N, H, W, 1], the image of `apex_frame`.
    image: float32 [N, H, W, 3] of `flow`, from onset to apex.
    frames, mask, ratios: of `temporal_sampling_deformation`.

  Raises:
    ConfigError: as these three.
  """
  apex = apex_frame(clips, size=size, standardise=standardise)["image"]
  deformed = temporal_sampling_deformation(clips, num_frames=num_frames, size=size)
  motion = flow(clips, cache, size=size, scaling=scaling, **flow_options)
  return {"apex": apex, **motion, **deformed}
