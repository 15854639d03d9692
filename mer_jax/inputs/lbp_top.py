"""lbp_top: histograms of local binary patterns on three planes of a clip, the classical baseline.

Zhao, Pietikäinen, "Dynamic Texture Recognition Using Local Binary Patterns with an Application to
Facial Expressions", IEEE TPAMI 29(6), 2007, after interpolation in time (TIM, see tim.py). The
defaults are those of the features published with ATNet (Peng et al., ACII 2019); radii (1, 1, 4)
with 4 neighbours and 5 x 5 blocks are the baseline of the MEGC 2019 challenge.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mer_jax import checks, errors
from mer_jax.clips import GRAY, Clips
from mer_jax.inputs import lbp
from mer_jax.inputs.cache import NO_CACHE, Cache
from mer_jax.inputs.declaration import declares
from mer_jax.inputs.padded_frames import RESAMPLERS
from mer_jax.inputs.resize import resized
from mer_jax.inputs.threads import map_in_order
from mer_jax.runtime import xla_guard

PLANES = ((2, 1), (2, 0), (1, 0))  # XY, XT, YT as axes of [T, H, W]: cosine and sine of the ring
LENGTH_STEP = 16  # frames; clips of their own length share a program with all of the same multiple


class Patterns(NamedTuple):
  """Which patterns are counted.

  Attributes:
    radii: of the rings, in pixels, pixels and frames: (x, y, t).
    neighbours: P on each ring, 4 or 8.
    interpolation: "nearest" or "bilinear", for neighbours that lie between pixels. Which one
      ATNet's features used is not known; "nearest" does not change with the lighting.
    mapping: "faithful", "circular" or "none", which patterns share a bin, see `lbp.labels`.
  """

  radii: tuple[int, int, int] = (3, 3, 3)
  neighbours: int = 8
  interpolation: str = "nearest"
  mapping: str = "faithful"


@declares(reads=(GRAY,), gives=("features",), passes_on=Patterns, needs_motion=True)
def lbp_top(
  clips: Clips,
  cache: Cache = NO_CACHE,
  *,
  blocks: int = 1,
  num_frames: int = 10,
  size: int = 0,
  resample: str = "tim",
  **pattern_options: Any,
) -> dict[str, np.ndarray]:
  """How often each pattern occurs in the planes XY, XT and YT of a whole clip, onset to offset.

  Every voxel that is at least the radius away from each border counts, the same ones for all three
  planes. Bit p of its pattern is set where the neighbour p is not darker.

  Args:
    clips: Clips [N] of gray frames.
    cache: where features stay for further computations.
    blocks: n; the counted area is divided into n x n blocks, the clip's whole length each, that
      differ by one row or column at most and have histograms of their own.
    num_frames: each clip is brought to so many first, and rounded to whole grays, as the published
      MATLAB code of TIM does; 0: its own frames.
    size: H = W in pixels that frames are resized to before anything else; 0: as they are.
    resample: "tim", "tim_smooth" or "linear", see `padded_frames`.
    **pattern_options: radii, neighbours, interpolation, mapping, see `Patterns`.

  Returns:
    features: float32 [N, D], D = blocks x blocks x 3 x bins, row of blocks by row of blocks. The
      bins of each plane in each block sum to 1.

  Raises:
    ConfigError: a value that is not listed above, or radii that leave no voxel of a frame.
    DataError: num_frames is 0 and a clip is shorter than the ring in time.
  """
  patterns = Patterns(**pattern_options)
  neighbours, interpolation, mapping = patterns[1:]
  radii = _checked_radii(patterns.radii)
  _check(clips, radii, neighbours, blocks, num_frames, size)
  checks.check_choice("resample", resample, RESAMPLERS)
  checks.check_choice("interpolation", interpolation, lbp.INTERPOLATIONS)
  checks.check_choice("mapping", mapping, lbp.MAPPINGS)
  x, y, t = radii
  rings = tuple(lbp.ring(neighbours, pair, interpolation) for pair in ((x, y), (x, t), (y, t)))
  labels, num_bins = lbp.labels(neighbours, mapping)
  table = np.eye(num_bins)[labels]  # [codes, bins]

  def features_of(n: int) -> np.ndarray:
    frames = clips.frames_of(n) if not size else resized(clips.frames_of(n), size)
    if num_frames:
      frames = np.floor(RESAMPLERS[resample](frames, num_frames) + 0.5).astype(np.uint8)
    counts = _counted(frames[..., 0], radii, rings, blocks)
    return (counts @ table / counts.sum(axis=-1, keepdims=True)).ravel()

  def compute() -> dict[str, np.ndarray]:
    features = np.empty((len(clips), blocks * blocks * 3 * num_bins), np.float32)
    for n, result in enumerate(map_in_order(features_of, range(len(clips)), "LBP-TOP")):
      features[n] = result
    return {"features": features}

  options = dict(
    radii=radii,
    neighbours=neighbours,
    blocks=blocks,
    num_frames=num_frames,
    size=size,
    resample=resample,
    interpolation=interpolation,
    mapping=mapping,
  )
  return cache.load_or_compute(clips, "lbp_top", options, compute)


def _checked_radii(radii: tuple[int, int, int]) -> tuple[int, int, int]:
  """`radii` as a tuple, for a config read from JSON holds a list."""
  if not isinstance(radii, tuple | list) or len(radii) != 3:
    raise errors.ConfigError(
      f"radii must be three whole numbers, (x, y, t) as (3, 3, 3); got {radii!r}."
    )
  for axis, radius in zip("xyt", radii, strict=True):
    checks.check_at_least(f"radii along {axis}", radius, 1)
  x, y, t = radii
  return x, y, t


def _check(
  clips: Clips,
  radii: tuple[int, int, int],
  neighbours: int,
  blocks: int,
  num_frames: int,
  size: int,
) -> None:
  """Raises ConfigError or DataError for numbers that do not fit each other or the clips."""
  if isinstance(neighbours, bool) or neighbours not in (4, 8):
    raise errors.ConfigError(f"neighbours must be 4 or 8; got {neighbours!r}.")
  checks.check_at_least("blocks", blocks, 1)
  checks.check_at_least("num_frames", num_frames, 0)
  checks.check_at_least("size", size, 0)
  x, y, t = radii
  height, width = (size, size) if size else clips.frames.shape[1:3]
  if height - 2 * y < blocks or width - 2 * x < blocks:
    raise errors.ConfigError(
      f"Frames of {width} x {height} pixels are too small for the radii {x} and {y} and {blocks} x"
      f" {blocks} blocks: a border as wide as the radius is left out on each side, and each block"
      f" needs a pixel. They must be at least {2 * x + blocks} x {2 * y + blocks}; choose smaller"
      " radii, fewer blocks or a larger size."
    )
  if num_frames and num_frames <= 2 * t:
    raise errors.ConfigError(
      f"num_frames is {num_frames}, and the radius {t} along t needs at least {2 * t + 1} frames."
      " Choose more frames or a smaller radius."
    )
  if not num_frames and len(clips) and np.min(clips.num_frames) <= 2 * t:
    short = int(np.argmin(clips.num_frames))
    raise errors.DataError(
      f"{clips.name(short)} has {clips.num_frames[short]} frames, and the radius {t} along t needs"
      f" at least {2 * t + 1}. Set num_frames, so that clips are interpolated in time, or choose a"
      " smaller radius."
    )


def _counted(
  frames: np.ndarray,
  radii: tuple[int, int, int],
  rings: tuple[tuple[lbp.Taps, ...], ...],
  blocks: int,
) -> np.ndarray:
  """int32 [blocks^2, 3, 2^P]: how often each code occurs in uint8 [T, H, W]."""
  length = len(frames)
  # Frames behind the clip are not counted; they spare a compilation for every length.
  behind = -length % LENGTH_STEP
  if behind:
    frames = np.concatenate([frames, np.zeros((behind, *frames.shape[1:]), np.uint8)])
  return np.asarray(_counts(frames, length, radii, rings, blocks))


@functools.partial(xla_guard.jit, static_argnames=("radii", "rings", "blocks"))
def _counts(
  volume: jax.Array,
  length: int,
  radii: tuple[int, int, int],
  rings: tuple[tuple[lbp.Taps, ...], ...],
  blocks: int,
) -> jax.Array:
  """`_counted` of the first `length` frames of a volume."""
  x, y, t = radii
  frames, height, width = (
    side - 2 * radius for side, radius in zip(volume.shape, (t, y, x), strict=True)
  )
  num_codes = 2 ** len(rings[0])
  rows, columns = (np.arange(side, dtype=np.int32) * blocks // side for side in (height, width))
  place = num_codes * (blocks * rows[:, None] + columns)
  nowhere = num_codes * blocks**2  # behind the last count, where scattering drops it
  counted = (jnp.arange(frames) < length - 2 * t)[:, None, None]
  counts = []
  for plane, ring in zip(PLANES, rings, strict=True):
    codes = lbp.codes(volume, (t, y, x), plane, ring).astype(jnp.int32)
    index = jnp.where(counted, codes + place, nowhere).ravel()
    # XLA's scatter takes 2 ns a voxel on a CPU core; sums of comparisons take ten times as long,
    # and products of one-hot digits thirty times.
    counts.append(jnp.zeros(nowhere, jnp.int32).at[index].add(1, mode="drop"))
  return jnp.stack(counts).reshape(3, blocks**2, num_codes).swapaxes(0, 1)
