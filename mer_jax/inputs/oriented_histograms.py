"""Histograms of the directions of optical flow, which `hoof` and `bi_woof` are made of."""

import numpy as np

from mer_jax import checks
from mer_jax.errors import ConfigError

# Bins of a half circle, 7.5 degrees each, that all others are sums of: flow is computed once for
# 4 bins and for 8, symmetric or not.
FINE = 24


def check_bins(bins: int, symmetric: bool) -> None:
  """Refuses numbers of bins that are no sums of fine ones.

  Raises:
    ConfigError: names the option, the value and the numbers that can be.
  """
  if not isinstance(symmetric, bool):
    raise ConfigError(f"symmetric must be True or False; got {symmetric!r}.")
  checks.check_at_least("bins", bins, 1)
  fine = FINE if symmetric else 2 * FINE
  if fine % bins:
    known = ", ".join(str(n) for n in range(1, fine + 1) if fine % n == 0)
    circle = "a half circle (symmetric=True)" if symmetric else "a full circle (symmetric=False)"
    raise ConfigError(f"bins must divide {circle} into one of {known}; got {bins}.")


def check_blocks(blocks: int, height: int, width: int) -> None:
  """Refuses more blocks than pixels.

  Raises:
    ConfigError: names the option, the value and the frames' size.
  """
  checks.check_at_least("blocks", blocks, 1)
  if blocks > min(height, width):
    raise ConfigError(
      f"blocks must be at most the pixels of a side; got {blocks}, {width}x{height}."
    )


def fine_histograms(uv: np.ndarray, blocks: int) -> np.ndarray:
  """How much flow there is in each direction, by magnitude.

  Args:
    uv: float32 [H, W, 2], v points down.
    blocks: the image is divided into blocks x blocks parts, as equal as they can be.

  Returns:
    float64 [blocks^2, 2, FINE]: sums of sqrt(u^2 + v^2) over pixels with u >= 0 and with u < 0,
    for theta = atan2(v, |u|) in FINE equal bins from -pi/2 (up) to pi/2 (down).
  """
  height, width = uv.shape[:2]
  u, v = uv[..., 0], uv[..., 1]
  theta = np.arctan2(v, np.abs(u))
  turn = ((theta + np.float32(np.pi / 2)) * np.float32(FINE / np.pi)).astype(np.int64)
  place = (2 * block_of_pixels(height, width, blocks) + (u < 0)) * FINE + np.clip(turn, 0, FINE - 1)
  sums = np.bincount(place.ravel(), np.hypot(u, v).ravel(), 2 * blocks**2 * FINE)
  return sums.reshape(blocks**2, 2, FINE)


def block_of_pixels(height: int, width: int, blocks: int) -> np.ndarray:
  """int64 [H, W]: 0 to blocks^2 - 1, row by row."""
  row, column = (np.arange(side) * blocks // side for side in (height, width))
  return row[:, None] * blocks + column


def binned(fine: np.ndarray, bins: int, symmetric: bool) -> np.ndarray:
  """Sums of fine bins.

  Args:
    fine: float [..., 2, FINE] as from `fine_histograms`.
    bins: B, a divisor of FINE, or of 2 FINE where not symmetric.
    symmetric: True: theta = atan2(v, |u|) and bin b = 1..B holds -pi/2 + pi (b - 1) / B <= theta <
      -pi/2 + pi b / B; a vector and its mirror image share one. False: the same of atan2(v, u) from
      -pi to pi.

  Returns:
    float [..., B].
  """
  right, left = fine[..., 0, :], fine[..., 1, :]
  if symmetric:
    line = right + left
  else:
    left = left[..., ::-1]  # along atan2(v, u): from pi/2 on, past pi = -pi, to -pi/2
    line = np.concatenate([left[..., FINE // 2 :], right, left[..., : FINE // 2]], axis=-1)
  return line.reshape(*line.shape[:-1], bins, line.shape[-1] // bins).sum(axis=-1)


def shares(histograms: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
  """`histograms` divided by their sums over `axes`; equal shares where nothing moves."""
  total = histograms.sum(axis=axes, keepdims=True)
  equal = 1 / np.prod([histograms.shape[axis] for axis in axes])
  return np.where(total > 0, histograms / np.where(total > 0, total, 1), equal)
