"""padded_frames: the paper's preprocessing. Resize to 48x48, pad or truncate to 48 frames, / 255.

"Capturing Subtle Emotions", section on preprocessing. It names no side of the padding, no rule for
which frames truncation keeps and no mask; each is an option here.
"""

from collections.abc import Callable

import numpy as np

from mer_jax import checks, errors
from mer_jax.clips import FLOW_MAPS, GRAY, Clips
from mer_jax.inputs import tim
from mer_jax.inputs.declaration import declares
from mer_jax.inputs.lengths import check_length, even_times, interpolated, kept_window, place
from mer_jax.inputs.relative import NORMALISATIONS, relative
from mer_jax.inputs.resize import resized


@declares(reads=(GRAY, FLOW_MAPS), gives=("frames", "mask"))
def padded_frames(
  clips: Clips,
  *,
  num_frames: int = 48,
  size: int = 48,
  # After the clip: frame t is then the same time after the onset in every clip, which the weights
  # of a frame stack and of the LSTM's first steps can rely on. "pre" is Keras' default.
  pad: str = "post",
  # The first frames: a clip starts at its onset, and the rise to the apex is where the muscles
  # act; the decay repeats it backwards. "apex" keeps a window around the apex.
  truncate: str = "first",
  # The paper pads. The others map each clip's whole course onto num_frames instead.
  resample: str = "none",
  normalise: str = "none",
) -> dict[str, np.ndarray]:
  """Frames of equal size and number.

  Args:
    clips: Clips [N] of gray frames, or of flow maps (then the maps stand for frames).
    num_frames: T.
    size: H = W, pixels; frames are shrunk by area averages and enlarged bilinearly.
    pad: "post" or "pre", the side on which zero frames fill a shorter clip.
    truncate: "first", "last" or "apex", what is kept of a longer clip.
    resample: "none", or T frames evenly spaced from the first to the last: "linear" interpolates
      between neighbours, "tim" along a smooth curve through all frames, and "tim_smooth" leaves out
      of that curve what is too fast for T frames (see `tim.matrix`).
    normalise: "none", or of flow maps "relative" (relative.py), with one unit for all maps of a
      clip.

  Returns:
    frames: float32 [N, T, H, W, C]; with normalise "none" in 0..1.
    mask: bool [N, T], True where a frame of the clip stands, False where zeros were padded.

  Raises:
    ConfigError: a value that is not listed above, or gray frames that are to be normalised.
  """
  check_length(num_frames, pad, truncate)
  checks.check_at_least("size", size, 1)
  checks.check_choice("resample", resample, ("none", *RESAMPLERS))
  checks.check_choice("normalise", normalise, NORMALISATIONS)
  channels = clips.frames.shape[-1]
  if normalise == "relative" and clips.channels != FLOW_MAPS:
    raise errors.ConfigError(
      f"padded_frames with normalise={normalise!r} is for flow maps, u, v and strain; these clips"
      f" hold {clips.channels}. Use flow_sequence on frames, or normalise='none'."
    )
  frames = np.zeros((len(clips), num_frames, size, size, channels), np.float32)
  mask = np.zeros((len(clips), num_frames), np.bool_)
  for n in range(len(clips)):
    kept = clips.frames_of(n)
    if resample in RESAMPLERS:
      kept = RESAMPLERS[resample](resized(kept, size), num_frames)
    else:
      window = kept_window(len(kept), int(clips.apex[n]), num_frames, truncate)
      kept = resized(kept[window], size)
    stands = place(len(kept), num_frames, pad)
    # Divided after it is cut, and in float32: padding in the integers of Keras' pad_sequences
    # after dividing would round every pixel to zero.
    frames[n, stands] = kept / np.float32(255)
    mask[n, stands] = True
  if normalise == "relative":
    frames = relative(frames, mask)
  return {"frames": frames, "mask": mask}


def linear(frames: np.ndarray, num_frames: int) -> np.ndarray:
  """float32 [num_frames, H, W, C]: linear interpolation of [T, H, W, C] at even times."""
  return interpolated(frames, even_times(len(frames), num_frames))


RESAMPLERS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
  "linear": linear,
  "tim": tim.resampled,
  "tim_smooth": tim.smoothed,
}
