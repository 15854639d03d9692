"""flow_sequence: optical flow and strain from a clip's onset frame to each of its frames.

The course of the motion, where `flow` has its peak alone. Flow is taken from the onset, as in the
long-range images of Zhang et al., "Short and Long Range Relation Based Spatio-Temporal Transformer
for Micro-Expression Recognition" (SLSTT), IEEE Trans. Affective Computing 2022: between neighbours
at 200 frames per second a face moves by a few hundredths of a pixel only.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from mer_jax import checks
from mer_jax.clips import GRAY, Clips
from mer_jax.inputs.declaration import declares
from mer_jax.inputs.flow import FlowOptions, batches, check_flow, fixed, maps_between
from mer_jax.inputs.lengths import check_length, even_times, kept_window, place
from mer_jax.inputs.relative import NORMALISATIONS, relative
from mer_jax.runtime.progress import progress


@declares(reads=(GRAY,), gives=("frames", "mask"), passes_on=FlowOptions, needs_motion=True)
def flow_sequence(
  clips: Clips,
  *,
  num_frames: int = 48,
  size: int = 28,
  pad: str = "post",
  truncate: str = "first",
  resample: str = "none",
  normalise: str = "none",
  **flow_options: Any,
) -> dict[str, np.ndarray]:
  """Horizontal flow u, vertical flow v and optical strain between the onset and each frame kept.

  At most `num_frames` flows are computed per clip, also where a long clip is resampled.

  Args:
    clips: Clips [N] of gray frames of at least 128 x 128 pixels.
    num_frames, pad, truncate: as in `padded_frames`.
    size: H = W of the result, pixels.
    resample: "none", or "linear": of T times evenly spaced from the first frame to the last, the
      nearest frames; a clip shorter than T repeats some.
    normalise: "none", or "relative" (relative.py), with one unit for all maps of a clip.
    **flow_options: method, head_motion, allow_small: as in `flow`.

  Returns:
    frames: float32 [N, T, H, W, 3], channels u and v in units of 3 pixels of a 128 pixels wide
      face, strain in units of 0.1; v points down. 0 at the onset frame and where padded.
    mask: bool [N, T], True where a frame of the clip stands.

  Raises:
    ConfigError: frames below 128 pixels, or a value that is not listed above.
  """
  check_length(num_frames, pad, truncate)
  checks.check_choice("resample", resample, ("none", "linear"))
  checks.check_choice("normalise", normalise, NORMALISATIONS)
  options = FlowOptions(**flow_options)
  check_flow(clips, size, options)

  kept = [
    _kept(int(length), int(apex), num_frames, truncate, resample)
    for length, apex in zip(clips.num_frames, clips.apex, strict=True)
  ]
  frames = np.zeros((len(clips), num_frames, size, size, 3), np.float32)
  mask = np.zeros((len(clips), num_frames), np.bool_)
  with progress(len(clips), "optical flow", "clip") as bar:
    for batch in batches([len(np.unique(times)) for times in kept]):
      courses = _maps(clips, batch, [kept[n] for n in batch], size, options)
      for n, maps in zip(batch, courses, strict=True):
        stands = place(len(maps), num_frames, pad)
        frames[n, stands] = maps
        mask[n, stands] = True
      bar.update(len(batch))
  if normalise == "relative":
    frames = relative(frames, mask)
  return {"frames": frames, "mask": mask}


def _maps(
  clips: Clips, batch: range, kept: list[np.ndarray], size: int, options: FlowOptions
) -> Iterator[np.ndarray]:
  """float32 [T_n, size, size, 3] for each clip of `some`, between its onset and its frames kept."""
  times, again = zip(*(np.unique(k, return_inverse=True) for k in kept), strict=True)
  counts = [len(t) for t in times]
  onsets = np.repeat(clips.starts[batch] + clips.onset[batch], counts)
  shown = np.repeat(clips.starts[batch], counts) + np.concatenate(times)
  pairs = clips.frames[onsets, ..., 0], clips.frames[shown, ..., 0]
  maps = fixed(maps_between(*pairs, size, options.method, options.head_motion))
  for own, repeated in zip(np.split(maps, np.cumsum(counts)[:-1]), again, strict=True):
    yield own[repeated]


def _kept(length: int, apex: int, num_frames: int, truncate: str, resample: str) -> np.ndarray:
  """int64 [at most num_frames]: indices of the frames of a clip to which flow is computed."""
  if resample == "linear":
    return np.rint(even_times(length, num_frames)).astype(np.int64)
  return np.arange(length)[kept_window(length, apex, num_frames, truncate)]
