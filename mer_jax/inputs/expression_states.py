"""expression_states: five frames of a clip, one for each state of an expression.

Kim, Baddar, Ro, "Micro-Expression Recognition with Expression-State Constrained Spatio-Temporal
Feature Representations" (ACM Multimedia 2016) train on onset, onset to apex, apex, apex to offset,
and offset.
"""

import numpy as np

from mer_jax import checks
from mer_jax.clips import GRAY, Clips
from mer_jax.inputs.declaration import declares
from mer_jax.inputs.resize import resized

STATES = ("onset", "onset to apex", "apex", "apex to offset", "offset")


@declares(reads=(GRAY,), gives=("frames", "mask"))
def expression_states(clips: Clips, *, size: int = 64) -> dict[str, np.ndarray]:
  """A frame of each of `STATES`; of the two transitions the frame halfway.

  Where a clip is too short for five frames, neighbouring states share one.

  Args:
    clips: Clips [N] of gray frames.
    size: H = W, pixels; frames are shrunk by area averages and enlarged bilinearly.

  Returns:
    frames: float32 [N, 5, H, W, 1] in 0..1.
    mask: bool [N, 5], True throughout: every clip has all states.

  Raises:
    ConfigError: `size` is no whole number of at least 1.
  """
  checks.check_at_least("size", size, 1)
  onset, apex, offset = clips.onset, clips.apex, clips.offset
  times = np.stack([onset, (onset + apex) // 2, apex, (apex + offset) // 2, offset], axis=1)
  frames = np.empty((len(clips), len(STATES), size, size, 1), np.float32)
  for n in range(len(clips)):
    frames[n] = resized(clips.frames_of(n)[times[n]], size) / np.float32(255)
  return {"frames": frames, "mask": np.ones((len(clips), len(STATES)), np.bool_)}
