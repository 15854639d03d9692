"""pooled_flow: the course of the motion around the apex on a coarse grid, ATNet's temporal input.

Peng et al., "A Novel Apex-Time Network for Cross-Dataset Micro-Expression Recognition", ACII 2019,
as in the authors' data files: direction and magnitude of the flow between neighbouring frames in
8 x 8 cells, for a window of 64 frames whose place 32 is the apex.
"""

import numpy as np

from mer_jax import checks, errors
from mer_jax.clips import GRAY, Clips
from mer_jax.inputs.apex_frame import apex_frame
from mer_jax.inputs.cache import NO_CACHE, Cache
from mer_jax.inputs.declaration import declares
from mer_jax.inputs.flow import REFERENCE_WIDTH, FlowOptions, batches, check_flow
from mer_jax.inputs.optical_flow import between
from mer_jax.runtime.progress import progress


@declares(reads=(GRAY,), gives=("motion",), needs_motion=True)
def pooled_flow(
  clips: Clips,
  cache: Cache = NO_CACHE,
  *,
  num_frames: int = 64,
  grid: int = 8,
  # Which one the authors used is not known.
  method: str = "farneback",
  allow_small: bool = False,
) -> dict[str, np.ndarray]:
  """Flow from each frame to the next, in cells.

  Place i of the window belongs to frame apex - num_frames // 2 + i, and to the flow from it to the
  frame after it. It is zero outside onset <= frame < offset. Then places that are zero, also
  those of a frame that the camera repeated, are taken out, and as many stand at the beginning.

  Args:
    clips: Clips [N] of gray frames of at least 128 x 128 pixels.
    cache: where flows stay for further computations.
    num_frames: T, length of the window.
    grid: cells along either side of the face.
    method: "farneback", "dis" or "tv_l1", see optical_flow.py.
    allow_small: accept smaller frames, in which sub-pixel motion is mostly lost.

  Returns:
    motion: float32 [N, T, 2 grid^2]; of each cell, row by row, the direction of the sum of its flow
      in radians (-pi, pi], 0 to the right and pi / 2 down, and the mean length of its flow in
      pixels of a face 128 wide.

  Raises:
    ConfigError: frames below 128 pixels, or a value that is not listed above.
  """
  checks.check_at_least("num_frames", num_frames, 1)
  checks.check_at_least("grid", grid, 1)
  check_flow(clips, grid, FlowOptions(method, allow_small=allow_small))
  height, width = clips.frames.shape[1:3]
  if grid > min(height, width):
    raise errors.ConfigError(f"grid is {grid} for frames of {width} x {height} pixels; lower it.")
  options = {"num_frames": num_frames, "grid": grid, "method": method}
  return cache.load_or_compute(
    clips, "pooled_flow", options, lambda: {"motion": _motion(clips, num_frames, grid, method)}
  )


@declares(reads=(GRAY,), gives=("image", "motion"), needs_motion=True)
def apex_and_pooled_flow(
  clips: Clips,
  cache: Cache = NO_CACHE,
  *,
  size: int = 64,
  standardise: str = "none",
  num_frames: int = 64,
  grid: int = 8,
  method: str = "farneback",
  allow_small: bool = False,
) -> dict[str, np.ndarray]:
  """What ATNet's streams read together.

  Args:
    clips: Clips [N] of gray frames of at least 128 x 128 pixels.
    cache: where flows stay for further computations.
    size, standardise: as in `apex_frame`.
    num_frames, grid, method, allow_small: as in `pooled_flow`.

  Returns:
    image: float32 [N, H, W, 1] of `apex_frame`.
    motion: float32 [N, T, 2 grid^2] of `pooled_flow`.

  Raises:
    ConfigError: as these two.
  """
  image = apex_frame(clips, size=size, standardise=standardise)
  motion = pooled_flow(
    clips, cache, num_frames=num_frames, grid=grid, method=method, allow_small=allow_small
  )
  return image | motion


def _motion(clips: Clips, num_frames: int, grid: int, method: str) -> np.ndarray:
  motion = np.zeros((len(clips), num_frames, 2 * grid * grid), np.float32)
  first, end = _window(clips, num_frames)
  with progress(len(clips), "optical flow", "clip") as bar:
    for batch in batches(end - first):
      lengths = (end - first)[batch]
      frames = np.concatenate([clips.starts[n] + np.arange(first[n], end[n]) for n in batch])
      pooled = _pooled(clips.frames[frames, ..., 0], clips.frames[frames + 1, ..., 0], grid, method)
      for n, rows in zip(batch, np.split(pooled, np.cumsum(lengths)[:-1]), strict=True):
        rows = rows[np.any(rows, axis=1)]
        motion[n, num_frames - len(rows) :] = rows
        bar.update()
  return motion


def _window(clips: Clips, num_frames: int) -> tuple[np.ndarray, np.ndarray]:
  """First frame of each clip with a place of its own in the window, and the one after the last."""
  start = clips.apex - num_frames // 2
  first = np.maximum(start, clips.onset)
  return first, np.maximum(np.minimum(start + num_frames, clips.offset), first)


def _pooled(before: np.ndarray, after: np.ndarray, grid: int, method: str) -> np.ndarray:
  """float32 [B, 2 grid^2] of the flow between gray frames, uint8 [B, H, W] twice."""
  if not len(before):
    return np.zeros((0, 2 * grid * grid), np.float32)
  uv = between(before, after, method) * np.float32(REFERENCE_WIDTH / before.shape[2])
  sums = _by_cell(uv, grid)
  counts = _by_cell(np.ones((1, *uv.shape[1:3], 1), np.float32), grid)
  # Adding 0 turns -0.0 into 0.0, of which the direction to the left would be -pi.
  direction = np.arctan2(sums[..., 1] + 0.0, sums[..., 0])
  magnitude = _by_cell(np.hypot(uv[..., :1], uv[..., 1:]), grid) / counts
  pooled = np.stack([direction, magnitude[..., 0]], axis=-1)
  return pooled.reshape(len(uv), -1)


def _by_cell(maps: np.ndarray, grid: int) -> np.ndarray:
  """Sums of maps [B, H, W, C] over grid x grid cells of about equal size, [B, grid, grid, C]."""
  for axis in (1, 2):
    edges = np.arange(grid) * maps.shape[axis] // grid
    maps = np.add.reduceat(maps, edges, axis=axis)
  return maps
