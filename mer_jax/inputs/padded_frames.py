"""padded_frames: the paper's preprocessing. Resize to 48x48, pad or truncate to 48 frames, / 255.

"Capturing Subtle Emotions", section on preprocessing. It names no side of the padding, no rule for
which frames truncation keeps and no mask; each is an option here.
"""

import numpy as np

from mer_jax import options
from mer_jax.clips import FLOW_MAPS, GRAY, Clips
from mer_jax.inputs.channels import reads
from mer_jax.inputs.resize import resized


@reads(GRAY, FLOW_MAPS)
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
  # The paper pads. "linear" maps each clip's whole course onto num_frames instead.
  resample: str = "none",
) -> dict[str, np.ndarray]:
  """Frames of equal size and number.

  Args:
    clips: Clips [N] of gray frames, or of flow maps (then the maps stand for frames).
    num_frames: T.
    size: H = W, pixels; frames are shrunk by area averages and enlarged bilinearly.
    pad: "post" or "pre", the side on which zero frames fill a shorter clip.
    truncate: "first", "last" or "apex", what is kept of a longer clip.
    resample: "none", or "linear": T frames interpolated evenly from the first to the last.

  Returns:
    frames: float32 [N, T, H, W, C] in 0..1.
    mask: bool [N, T], True where a frame of the clip stands, False where zeros were padded.

  Raises:
    ConfigError: a value that is not listed above.
  """
  _check(num_frames, size, pad, truncate, resample)
  channels = clips.frames.shape[-1]
  frames = np.zeros((len(clips), num_frames, size, size, channels), np.float32)
  mask = np.zeros((len(clips), num_frames), np.bool_)
  for n in range(len(clips)):
    kept = clips.frames_of(n)
    if resample == "linear":
      kept = _resampled(resized(kept, size), num_frames)
    else:
      start = _first_kept(len(kept), int(clips.apex[n]), num_frames, truncate)
      kept = resized(kept[start : start + num_frames], size)
    place = slice(0, len(kept)) if pad == "post" else slice(num_frames - len(kept), num_frames)
    # Divided after it is cut, and in float32: padding in the integers of Keras' pad_sequences
    # after dividing would round every pixel to zero.
    frames[n, place] = kept / np.float32(255)
    mask[n, place] = True
  return {"frames": frames, "mask": mask}


def _check(num_frames: int, size: int, pad: str, truncate: str, resample: str) -> None:
  """Raises ConfigError for any value that `padded_frames` does not list."""
  options.check_at_least("num_frames", num_frames, 1)
  options.check_at_least("size", size, 1)
  options.check_choice("pad", pad, ("post", "pre"))
  options.check_choice("truncate", truncate, ("first", "last", "apex"))
  options.check_choice("resample", resample, ("none", "linear"))


def _first_kept(length: int, apex: int, num_frames: int, truncate: str) -> int:
  """Index of the first frame that truncation to `num_frames` keeps of `length` frames."""
  spare = max(length - num_frames, 0)
  if truncate == "last":
    return spare
  if truncate == "apex":
    return min(max(apex - num_frames // 2, 0), spare)
  return 0


def _resampled(frames: np.ndarray, num_frames: int) -> np.ndarray:
  """float32 [num_frames, H, W, C]: linear interpolation of [T, H, W, C] at even times."""
  times = np.linspace(0, len(frames) - 1, num_frames)
  before = np.floor(times).astype(np.int64)
  after = np.minimum(before + 1, len(frames) - 1)
  share = (times - before).astype(np.float32)[:, None, None, None]
  return (1 - share) * frames[before] + share * frames[after]
