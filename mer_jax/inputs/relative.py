"""relative: flow maps without the head's shift and without a unit, for maps of any archive.

Whoever publishes flow maps scales them in his own way, and cameras and distances differ too. What
can be compared is where a face moves against the rest of it.
"""

import math
from typing import Any

# Beyond so many times the root mean square it no longer counts how far.
LARGEST = 6.0
# Halvings of the range in which the median lies: float32 resolves no more.
_HALVINGS = 22
NORMALISATIONS = ("none", "relative")


def relative(maps: Any, mask: Any = None) -> Any:
  """u and v against their median, in units of their common size; strain in units of its own.

  Args:
    maps: float32 [..., T, H, W, 3] of numpy or of jax: u, v and strain of a clip's T maps.
    mask: bool [..., T], the maps that count; None: all.

  Returns:
    float32, of the same shape. u and v: minus their median over each map, divided by the root mean
    square of both over all maps of the clip; strain: divided by its own. Clipped at +-`LARGEST`; 0
    where nothing moves and in maps that do not count.
  """
  xp = maps.__array_namespace__()
  counts = xp.ones(maps.shape[:-3], bool) if mask is None else mask
  counts = xp.astype(counts, maps.dtype)[..., None, None, None]
  moved = (maps[..., :2] - median(maps[..., :2])) * counts
  strain = maps[..., 2:] * counts

  def unit(part: Any) -> Any:
    axes = (-4, -3, -2, -1)
    size = xp.sum(xp.square(part), axis=axes, keepdims=True)
    pixels = xp.sum(counts, axis=axes, keepdims=True) * math.prod(part.shape[-3:])
    rms = xp.sqrt(size / xp.maximum(pixels, 1))
    return part / xp.where(rms > 0, rms, 1)

  return xp.clip(xp.concat([unit(moved), unit(strain)], axis=-1), -LARGEST, LARGEST)


def median(maps: Any) -> Any:
  """The lower median of each channel over H and W, [..., 1, 1, C], of maps [..., H, W, C].

  By halving the range again and again, for sorting is slow where thousands of maps are drawn;
  within 1e-6 of the range.
  """
  xp = maps.__array_namespace__()
  axes = (-3, -2)
  low, high = (f(maps, axis=axes, keepdims=True) for f in (xp.min, xp.max))
  half = maps.shape[-3] * maps.shape[-2] / 2
  for _ in range(_HALVINGS):
    middle = (low + high) / 2
    below = xp.sum(maps <= middle, axis=axes, keepdims=True) >= half
    low, high = xp.where(below, low, middle), xp.where(below, middle, high)
  return high
