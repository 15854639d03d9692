"""flow_sequence: optical flow and strain from a clip's onset frame to each of its frames.

The course of the motion, where `flow` has its peak alone. Flow is taken from the onset, as in the
long-range images of Zhang et al., "Short and Long Range Relation Based Spatio-Temporal Transformer
for Micro-Expression Recognition" (SLSTT), IEEE Trans. Affective Computing 2022: between neighbours
at 200 frames per second a face moves by a few hundredths of a pixel only.
"""

import numpy as np

from mer_jax import options
from mer_jax.clips import GRAY, Clips
from mer_jax.inputs.channels import reads
from mer_jax.inputs.flow import check_flow, fixed, maps_between, of_each_clip
from mer_jax.inputs.lengths import check_length, even_times, kept_window, place


@reads(GRAY)
def flow_sequence(
  clips: Clips,
  *,
  num_frames: int = 48,
  size: int = 28,
  pad: str = "post",
  truncate: str = "first",
  resample: str = "none",
  method: str = "dis",
  head_motion: str = "keep",
  allow_small: bool = False,
) -> dict[str, np.ndarray]:
  """Horizontal flow u, vertical flow v and optical strain between the onset and each frame kept.

  At most `num_frames` flows are computed per clip, also where a long clip is resampled.

  Args:
    clips: Clips [N] of gray frames of at least 128 x 128 pixels.
    num_frames, pad, truncate: as in `padded_frames`.
    size: H = W of the result, pixels.
    resample: "none", or "linear": of T times evenly spaced from the first frame to the last, the
      nearest frames; a clip shorter than T repeats some.
    method, head_motion, allow_small: as in `flow`.

  Returns:
    frames: float32 [N, T, H, W, 3], channels u and v in units of 3 pixels of a 128 pixels wide
      face, strain in units of 0.1; v points down. 0 at the onset frame and where padded.
    mask: bool [N, T], True where a frame of the clip stands.

  Raises:
    ConfigError: frames below 128 pixels, or a value that is not listed above.
  """
  check_length(num_frames, pad, truncate)
  options.check_choice("resample", resample, ("none", "linear"))
  check_flow(clips, size, method, head_motion, allow_small)

  def maps_of(n: int) -> np.ndarray:
    frames = clips.frames_of(n)[..., 0]
    onset = frames[clips.onset[n]]
    kept = _kept(len(frames), int(clips.apex[n]), num_frames, truncate, resample)
    times, again = np.unique(kept, return_inverse=True)
    maps = [fixed(maps_between(onset, frames[t], size, method, head_motion)) for t in times]
    return np.stack(maps)[again]

  frames = np.zeros((len(clips), num_frames, size, size, 3), np.float32)
  mask = np.zeros((len(clips), num_frames), np.bool_)
  for n, maps in enumerate(of_each_clip(maps_of, len(clips))):
    stands = place(len(maps), num_frames, pad)
    frames[n, stands] = maps
    mask[n, stands] = True
  return {"frames": frames, "mask": mask}


def _kept(length: int, apex: int, num_frames: int, truncate: str, resample: str) -> np.ndarray:
  """int64 [at most num_frames]: indices of the frames of a clip to which flow is computed."""
  if resample == "linear":
    return np.rint(even_times(length, num_frames)).astype(np.int64)
  return np.arange(length)[kept_window(length, apex, num_frames, truncate)]
