"""TV-L1 optical flow of many pairs of frames in one XLA program.

Zach, Pock, Bischof, "A Duality Based Approach for Realtime TV-L1 Optical Flow", DAGM 2007; Sánchez
Pérez, Meinhardt-Llopis, Facciolo, "TV-L1 Optical Flow Estimation", IPOL 2013. What these leave open
(the pyramid, borders, and when to stop) is as in scikit-image's `optical_flow_tvl1`, of which this
gives the results.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from mer_jax import checks
from mer_jax.errors import DataError
from mer_jax.inputs.threads import on_all_cores
from mer_jax.runtime import xla_guard

# Pairs in one program. On a CPU one after another, on each core: the 1 MB that a pair of 128 x 128
# works on stays in its cache. An accelerator has to be filled.
PAIRS_ON_CPU, PAIRS_ELSEWHERE = 1, 64
SMALLEST_LEVEL = 16  # pixels; a level is halved while its shorter side has more than twice as many
INNER_STEPS = 2  # steps of the total variation for each step of the data
TIME_STEP = 0.25  # of the dual variables
BLUR = 2 / 3  # standard deviation before halving, pixels
BLUR_RADIUS = 3

Pair = tuple[jax.Array, jax.Array]


class Solver(NamedTuple):
  """What the energy weighs and when to stop; see `tv_l1`."""

  attachment: jax.Array | float
  tightness: jax.Array | float
  tolerance: jax.Array | float


def tv_l1(
  before: np.ndarray,
  after: np.ndarray,
  *,
  attachment: float = 15.0,
  tightness: float = 0.3,
  warps: int = 5,
  iterations: int = 10,
  tolerance: float = 1e-4,
) -> np.ndarray:
  """Dense flow (u, v) that minimises, from coarse to fine,

    sum |grad u| + |grad v| + attachment * |after(x + u, y + v) - before(x, y)|

  over gray values of 0..1. The brightness is linearised `warps` times on every level. Each time
  `iterations` rounds follow, of a step for the brightness, pixel by pixel, and one for the total
  variation, whose flows are tied to each other by their squared distance over 2 `tightness`.

  Pairs do not touch each other: a pair alone has the bits that it has among others.

  Args:
    before, after: [B, H, W] gray values in 0..255, of any real dtype.
    attachment: lambda of the paper, above 0; the smaller, the smoother the flow.
    tightness: theta of the paper, above 0.
    warps: linearisations on each level at most.
    iterations: rounds for each of them.
    tolerance: a level of a pair ends early where a linearisation moved its flow less than this,
      squared pixels in the mean. 0: never.

  Returns:
    float32 [B, H, W, 2]: what stands at (x, y) in `before` stands at (x + u, y + v) in `after`; in
    pixels, v points down.

  Raises:
    ConfigError: a parameter outside its range.
    DataError: the frames do not pair up, have fewer than 2 x 2 pixels, or are not finite.
  """
  for name, value in (("attachment", attachment), ("tightness", tightness)):
    checks.check_positive(name, value)
  for name, count in (("warps", warps), ("iterations", iterations)):
    checks.check_at_least(name, count, 1)
  before, after = _checked(before, after)
  solver = Solver(attachment, tightness, tolerance)
  together = PAIRS_ON_CPU if jax.default_backend() == "cpu" else PAIRS_ELSEWHERE
  uv = np.empty((*before.shape, 2), np.float32)

  def solve(start: int) -> None:
    batch = slice(start, start + together)
    rows = len(before[batch])
    # Always as many pairs, so that one compilation serves.
    fill = [(0, together - rows), (0, 0), (0, 0)]
    pairs = np.pad(before[batch], fill), np.pad(after[batch], fill)
    uv[batch] = jax.device_get(_coarse_to_fine(*pairs, solver, warps, iterations))[:rows]

  starts = range(0, len(before), together)
  for start in starts[:1]:
    solve(start)  # compiles, which every core would otherwise do for itself
  on_all_cores(solve, starts[1:])
  return uv


def _checked(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Both as they came if uint8, else as float32."""
  before, after = np.asarray(before), np.asarray(after)
  if before.shape != after.shape or before.ndim != 3 or min(before.shape[1:]) < 2:
    raise DataError(
      "Optical flow needs two arrays [B, H, W] of the same shape with frames of at least 2 x 2"
      f" pixels; got {list(before.shape)} and {list(after.shape)}."
    )
  if before.dtype == after.dtype == np.uint8:
    return before, after
  before, after = before.astype(np.float32), after.astype(np.float32)
  if not (np.all(np.isfinite(before)) and np.all(np.isfinite(after))):
    raise DataError("Frames for optical flow must be finite numbers in 0..255; some are not.")
  return before, after


@functools.partial(xla_guard.jit, static_argnames=("warps", "iterations"))
def _coarse_to_fine(
  before: jax.Array, after: jax.Array, solver: Solver, warps: int, iterations: int
) -> jax.Array:
  """float32 [B, H, W, 2] of frames [B, H, W]."""
  levels = [(before.astype(jnp.float32) / 255, after.astype(jnp.float32) / 255)]
  while min(levels[-1][0].shape[1:]) > 2 * SMALLEST_LEVEL:
    levels.append((_halved(levels[-1][0]), _halved(levels[-1][1])))
  flow = (jnp.zeros_like(levels[-1][0]),) * 2
  for coarse_before, coarse_after in reversed(levels):
    flow = _enlarged(flow, *coarse_before.shape[1:])
    flow = _level(coarse_before, coarse_after, flow, solver, warps, iterations)
  return jnp.stack(flow, axis=-1)


def _halved(frames: jax.Array) -> jax.Array:
  """[B, H, W] blurred and at half the size, odd sides rounded up."""
  rows, columns = (_halving(side) for side in frames.shape[1:])
  return jnp.einsum("hH,bHW,wW->bhw", rows, frames, columns, precision="highest")


def _halving(side: int) -> np.ndarray:
  """float32 [ceil(side / 2), side]: a Gaussian, then linear interpolation between its pixels."""
  offsets = np.arange(-BLUR_RADIUS, BLUR_RADIUS + 1)
  kernel = np.exp(-(offsets**2) / (2 * BLUR**2))
  blur = np.zeros((side, side))
  for offset, weight in zip(offsets, kernel / kernel.sum(), strict=True):
    mirrored = np.arange(side) + offset  # the outermost pixel is repeated: c b a | a b c
    mirrored = np.minimum(mirrored % (2 * side), (-1 - mirrored) % (2 * side))
    blur[np.arange(side), mirrored] += weight
  half = -(-side // 2)
  places = (np.arange(half) + 0.5) * side / half - 0.5
  below = np.floor(places).astype(int)
  linear = np.zeros((half, side))
  linear[np.arange(half), below] = 1 - (places - below)
  linear[np.arange(half), np.minimum(below + 1, side - 1)] += places - below
  return (linear @ blur).astype(np.float32)


def _enlarged(flow: Pair, height: int, width: int) -> Pair:
  """u and v [B, h, w] as [B, height, width], of each place the nearest, in the new pixels."""
  h, w = flow[0].shape[1:]
  rows, columns = _nearest(h, height), _nearest(w, width)
  u, v = (jnp.take(jnp.take(field, rows, axis=1), columns, axis=2) for field in flow)
  return u * np.float32(width / w), v * np.float32(height / h)


def _nearest(source: int, target: int) -> np.ndarray:
  """int32 [target]: indices into `source` places that go from the first to the last."""
  return np.floor(np.arange(target) * ((source - 1) / (target - 1)) + 0.5).astype(np.int32)


def _level(
  before: jax.Array, after: jax.Array, flow: Pair, solver: Solver, warps: int, iterations: int
) -> Pair:
  """The flow of one level of the pyramid, which starts from `flow`."""

  def moves(state) -> jax.Array:
    count, _, _, ended = state
    return (count < warps) & ~jnp.all(ended)

  def warp(state):
    count, flow, duals, ended = state
    *new, moved = _linearised(before, after, flow, duals, solver, iterations)
    # Pairs that have ended wait for those that have not, and stay what they are.
    held = ended[:, None, None]
    flow, duals = jax.tree.map(lambda old, new: jnp.where(held, old, new), (flow, duals), (*new,))
    return count + 1, flow, duals, ended | (moved < solver.tolerance)

  rest = jnp.zeros_like(before)
  start = (0, flow, ((rest, rest), (rest, rest)), jnp.zeros(len(before), bool))
  return lax.while_loop(moves, warp, start)[1]


def _linearised(
  before: jax.Array,
  after: jax.Array,
  flow: Pair,
  duals: tuple[Pair, Pair],
  solver: Solver,
  iterations: int,
) -> tuple[Pair, tuple[Pair, Pair], jax.Array]:
  """`iterations` steps with the brightness of `after` linearised around `flow`.

  Returns:
    u and v, [B, H, W] each; for u and for v the dual variables along x and y; and by how much the
    flow moved after the first step for the brightness, [B], squared pixels in the mean.
  """
  # Fields stay apart from each other: stacked, they take XLA four times as long on a CPU.
  warped = _read(after, flow)
  slope_y, slope_x = jnp.gradient(warped, axis=(1, 2))
  steepness = slope_x**2 + slope_y**2
  steepness = jnp.where(steepness == 0, 1, steepness)
  rest = warped - before - slope_x * flow[0] - slope_y * flow[1]
  farthest = solver.attachment * solver.tightness

  def to_brightness(flow: Pair) -> Pair:
    error = rest + slope_x * flow[0] + slope_y * flow[1]
    step = jnp.clip(error / steepness, -farthest, farthest)
    return flow[0] - step * slope_x, flow[1] - step * slope_y

  def iterate(_, state):
    flow, duals = state
    u, v = to_brightness(flow)
    u, dual_u = _smoothed(u, duals[0], solver.tightness)
    v, dual_v = _smoothed(v, duals[1], solver.tightness)
    return (u, v), (dual_u, dual_v)

  first = to_brightness(flow)
  flow, duals = lax.fori_loop(0, iterations, iterate, (flow, duals))
  moved = (flow[0] - first[0]) ** 2 + (flow[1] - first[1]) ** 2
  return flow, duals, jnp.mean(moved, axis=(1, 2))


def _read(frames: jax.Array, flow: Pair) -> jax.Array:
  """[B, H, W] between its pixels at (x + u, y + v), bilinear, the border going on outside."""
  height, width = frames.shape[1:]
  x = jnp.clip(jnp.arange(width) + flow[0], 0, width - 1)
  y = jnp.clip(jnp.arange(height)[:, None] + flow[1], 0, height - 1)
  left = jnp.clip(jnp.floor(x), 0, width - 2)
  top = jnp.clip(jnp.floor(y), 0, height - 2)
  place = (top * width + left).astype(jnp.int32).reshape(len(frames), -1)
  flat = frames.reshape(len(frames), -1)

  def corner(offset: int) -> jax.Array:
    return jnp.take_along_axis(flat, place + offset, axis=1).reshape(frames.shape)

  x, y = x - left, y - top
  above = (1 - x) * corner(0) + x * corner(1)
  below = (1 - x) * corner(width) + x * corner(width + 1)
  return (1 - y) * above + y * below


def _smoothed(
  target: jax.Array, dual: Pair, tightness: jax.Array | float
) -> tuple[jax.Array, Pair]:
  """One component near `target` [B, H, W] with less total variation, and its dual variables."""
  field, (along_x, along_y) = target, dual
  for _ in range(INNER_STEPS):
    across, down = _difference(field, 2), _difference(field, 1)
    shrink = 1 + TIME_STEP / tightness * jnp.sqrt(across**2 + down**2)
    along_x = (along_x - TIME_STEP * across) / shrink
    along_y = (along_y - TIME_STEP * down) / shrink
    field = target - _divergence(along_x, 2) - _divergence(along_y, 1)
  return field, (along_x, along_y)


def _difference(field: jax.Array, axis: int) -> jax.Array:
  """The next value minus this one; 0 at the last."""
  steps = jnp.diff(field, axis=axis)
  return jnp.pad(steps, [(0, int(a == axis)) for a in range(field.ndim)])


def _divergence(field: jax.Array, axis: int) -> jax.Array:
  """This value minus the one before it; the first stays as it is."""
  previous = lax.slice_in_dim(field, 0, -1, axis=axis)
  return field - jnp.pad(previous, [(int(a == axis), 0) for a in range(field.ndim)])
