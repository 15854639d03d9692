"""Local binary patterns on planes of a gray volume, and the tables that sort them into bins.

Ojala, Pietikäinen, Mäenpää, IEEE TPAMI 24(7), 2002; on three planes (LBP-TOP) Zhao, Pietikäinen,
IEEE TPAMI 29(6), 2007.
"""

import math
from collections.abc import Sequence

import jax
import numpy as np

MAPPINGS = ("faithful", "circular", "none")
INTERPOLATIONS = ("nearest", "bilinear")
# Weights of bilinear neighbours are multiples of 1 / 2^16. Times a difference of two grays they
# are whole numbers below 2^24, which float32 adds up exactly: a tie is a tie on every device.
WEIGHT_UNIT = 65536

# What is added up for one neighbour: (steps along the first axis, along the second, weight).
Taps = tuple[tuple[int, int, int], ...]
Array = np.ndarray | jax.Array


def codes(
  volume: Array, radii: Sequence[int], plane: tuple[int, int], ring: Sequence[Taps]
) -> Array:
  """The pattern around every voxel that is far enough from the border.

  Bit p is set where the neighbour p is at least as bright as the voxel.

  Args:
    volume: uint8 [T, H, W].
    radii: border that is left out on both sides of each axis, in voxels; (t, y, x).
    plane: the axes of the volume along which cosine and sine of the ring count.
    ring: the neighbours, see `ring`; none may be farther off than the border.

  Returns:
    uint8 [T - 2 t, H - 2 y, W - 2 x].
  """
  centre = _shifted(volume, radii, plane, (0, 0))
  pattern = centre & 0
  for p, taps in enumerate(ring):
    if len(taps) == 1:
      brighter = _shifted(volume, radii, plane, taps[0][:2]) >= centre
    else:
      # Differences before sums: in an even patch each is 0, so the sum is 0 and the bit is set.
      gray = centre.astype(np.float32)
      rise = 0 * gray
      for a, b, weight in taps:
        neighbour = _shifted(volume, radii, plane, (a, b)).astype(np.float32)
        rise = rise + np.float32(weight) * (neighbour - gray)
      brighter = rise >= 0
    pattern = pattern | (brighter.astype(np.uint8) << p)
  return pattern


def ring(neighbours: int, radii: tuple[int, int], interpolation: str) -> tuple[Taps, ...]:
  """P places on an ellipse: (R_a cos(2 pi p / P), -R_b sin(2 pi p / P)), p = 0..P - 1.

  Args:
    neighbours: P.
    radii: (R_a, R_b) along the first and the second axis of the plane, in voxels.
    interpolation: "nearest" rounds each place to a voxel; "bilinear" mixes the four around it.

  Returns:
    For each place the voxels that are added up, as (steps along a, steps along b, weight); the
    weights are whole and their sum is `WEIGHT_UNIT`.
  """
  angles = [2 * math.pi * p / neighbours for p in range(neighbours)]
  # Rounded to 12 digits, or the cosine of a right angle would be 6e-17 and not 0.
  places = [
    (round(radii[0] * math.cos(angle), 12), round(-radii[1] * math.sin(angle), 12))
    for angle in angles
  ]
  if interpolation == "bilinear":
    return tuple(_around(a, b) for a, b in places)
  return tuple(((math.floor(a + 0.5), math.floor(b + 0.5), WEIGHT_UNIT),) for a, b in places)


def labels(neighbours: int, mapping: str) -> tuple[np.ndarray, int]:
  """Which bin each code counts in, and the number of bins.

  Uniform codes, with at most two changes of bit around the circle, have a bin each, 1, 2, ... in
  ascending order; all others share bin 0.

  Args:
    neighbours: P, 4 or 8.
    mapping: "faithful": what is uniform is read off a circle of 8 bits, for P = 4 as well, so that
      12 of its 59 bins are used, as in the features published with ATNet. "circular": off a circle
      of P bits; 15 or 59 bins. "none": a bin for each code; 2^P bins.

  Returns:
    int64 [2^P], and the number of bins.
  """
  num_codes = 2**neighbours
  if mapping == "none":
    return np.arange(num_codes), num_codes
  bits = 8 if mapping == "faithful" else neighbours
  uniform = [code for code in range(2**bits) if _changes(code, bits) <= 2]
  table = np.zeros(2**bits, np.int64)
  table[uniform] = np.arange(1, len(uniform) + 1)
  return table[:num_codes], len(uniform) + 1


def _shifted(
  volume: Array, radii: Sequence[int], plane: tuple[int, int], steps: tuple[int, int]
) -> Array:
  """The voxels at `steps` along the axes `plane` from those that the border leaves."""
  begin = list(radii)
  for axis, step in zip(plane, steps, strict=True):
    begin[axis] += step
  return volume[
    tuple(
      slice(first, first + length - 2 * radius)
      for first, length, radius in zip(begin, volume.shape, radii, strict=True)
    )
  ]


def _around(a: float, b: float) -> Taps:
  """The voxels around a place with their bilinear weights; those of weight 0 are left out."""
  whole_a, whole_b = math.floor(a), math.floor(b)
  part_a, part_b = a - whole_a, b - whole_b
  weights = {
    (whole_a + i, whole_b + j): round(WEIGHT_UNIT * abs(1 - i - part_a) * abs(1 - j - part_b))
    for i in (0, 1)
    for j in (0, 1)
  }
  # What rounding takes from the sum goes to the nearest voxel, so that equal weights stay equal.
  weights[max(weights, key=lambda place: weights[place])] += WEIGHT_UNIT - sum(weights.values())
  return tuple((*place, weight) for place, weight in weights.items() if weight)


def _changes(code: int, bits: int) -> int:
  """How often the bit changes on the way around a circle of `bits` bits."""
  circle = [code >> p & 1 for p in range(bits)]
  return sum(bit != next_bit for bit, next_bit in zip(circle, circle[1:] + circle[:1], strict=True))
