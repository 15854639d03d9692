"""What optical flow makes of a motion: where it sees nothing, smooths, and invents.

The failings are those that published flow maps show (TV-L1 and its relatives): motion that fades
where skin has no texture; small motion that regularisation removes and large motion that it
flattens; noise of several scales; patches and pixels of nonsense, mostly at the border; nothing
outside the face; strain that is grainy, because it was computed on more pixels than are kept.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

# Standard deviations of the smooth noise's grains, in pixels of a field of 56.
GRAINS = (2.0, 4.0, 10.0)
_FIELD = 56
_OUTLIERS = 4  # at most
_TEXTURE = 4.0  # grain of the skin's texture, as `GRAINS`


class Measurement(NamedTuple):
  """How strongly a measurement fails; strengths are shares of the expression's largest motion.

  A pair (chance, strength) is of what happens in that share of the maps, uniformly up to the
  strength.

  Attributes:
    flat: chance that motion fades in flat regions.
    shrink: chance and strength of what a regulariser takes from every vector's length.
    flatten: chance and strength of the compression of long vectors, tanh(k m) / k.
    noise: of each of `GRAINS`, its median standard deviation.
    noise_spread: standard deviation of the logarithm of these, from map to map.
    outliers: mean number of blobs of nonsense, `_OUTLIERS` at most.
    outlier_size: standard deviation of their motion.
    outside: chance that motion fades out where the face ends.
    speckle: chance and strength of the grain of the strain, sigma of its logarithm.
    decimated: chance that strain is picked from the finer field, not averaged.
    white: chance and strength of noise from pixel to pixel, as a share of each channel's spread.
    gain: standard deviation of the logarithm of the scale of u against v, which archives that scale
      each channel by its extremes do not keep.
  """

  flat: float = 0.5
  shrink: tuple[float, float] = (0.5, 0.15)
  flatten: tuple[float, float] = (0.5, 2.0)
  noise: tuple[float, ...] = (0.02, 0.05, 0.10)
  noise_spread: float = 0.7
  outliers: float = 0.7
  outlier_size: float = 0.8
  outside: float = 0.3
  speckle: tuple[float, float] = (0.8, 1.2)
  decimated: float = 0.5
  white: tuple[float, float] = (0.4, 0.08)
  gain: float = 0.3


def draw(
  key: jax.Array, options: Measurement, place: jax.Array, size: int
) -> Callable[[jax.Array, jax.Array], jax.Array]:
  """Draws how one clip is measured.

  Args:
    key: of this clip.
    options: how strongly measurements fail.
    place: float [n H, n H, 2], where every pixel of the field lies, in face widths.
    size: H = W of the maps.

  Returns:
    From a motion, float [n H, n H, 2], and a scalar, 1 where there is anything to measure and else
    0, to what is measured of it, float32 [H, H, 3]: u, v and strain. The failings are the same for
    every motion of the clip.
  """
  of_fields, of_numbers, of_blobs, of_pixels = jax.random.split(key, 4)
  pixels = len(place)
  uniform = iter(jax.random.uniform(of_numbers, (14,)))
  texture, noise = _fields(of_fields, options, pixels)
  faded = jax.nn.sigmoid(1.0 + 3 * next(uniform) * texture)
  seen = jnp.where(next(uniform) < options.flat, faded, 1.0)
  seen = seen * _inside(place, options.outside, [next(uniform) for _ in range(4)])
  shrink = _upto(options.shrink, next(uniform), next(uniform))
  flatten = _upto(options.flatten, next(uniform), next(uniform)) + 1e-3
  invented = noise + _blobs(of_blobs, options, pixels)
  speckle, decimated, white = (
    _upto(options.speckle, next(uniform), next(uniform)),
    next(uniform) < options.decimated,
    strength(options.white, next(uniform)),
  )
  *grain, gain = jnp.split(jax.random.normal(of_pixels, (4 * size**2 + 1,)), [4 * size**2])
  grain = grain[0].reshape(size, size, 4)

  def measure(motion: jax.Array, begun: jax.Array) -> jax.Array:
    motion = motion * seen[..., None]
    length = jnp.sqrt((motion**2).sum(-1, keepdims=True)) + 1e-6
    motion = motion * jnp.maximum(1 - shrink / length, 0)
    motion = jnp.tanh(flatten * motion) / flatten + begun * invented
    strains = _pooled(_strain(motion), size)
    strain = jnp.where(decimated, strains[:, 0, :, 0], strains.mean((1, 3)))
    strain = strain * jnp.exp(speckle * grain[..., :1])
    maps = jnp.concatenate([_pooled(motion, size).mean((1, 3)), strain], -1)
    maps = maps + white * maps.std((0, 1)) * grain[..., 1:]
    maps = maps * jnp.concatenate([jnp.exp(options.gain * gain), jnp.ones(2)])
    return maps.at[..., 2].set(jnp.maximum(maps[..., 2], 0.0))

  return measure


def strength(chance: tuple[float, float], uniform: jax.Array) -> jax.Array:
  """The strength of a pair (chance, strength) where a number of 0..1 says that it happens, or 0."""
  return jnp.where(uniform < chance[0], chance[1], 0.0)


def _fields(key: jax.Array, options: Measurement, size: int) -> tuple[jax.Array, jax.Array]:
  """Texture [size, size] of unit variance, and smooth noise [size, size, 2]."""
  bases = [_basis(size, grain * size / _FIELD) for grain in (_TEXTURE, *GRAINS)]
  counts = [basis.shape[1] ** 2 for basis in bases]
  lengths = [counts[0], *(2 * count for count in counts[1:]), len(GRAINS)]
  *parts, levels = jnp.split(jax.random.normal(key, (sum(lengths),)), np.cumsum(lengths)[:-1])
  fields = [
    basis @ part.reshape(-1, basis.shape[1], basis.shape[1]) @ basis.T
    for basis, part in zip(bases, parts, strict=True)
  ]
  strengths = jnp.asarray(options.noise) * jnp.exp(options.noise_spread * levels)
  noise = sum(s * field for s, field in zip(strengths, fields[1:], strict=True))
  return fields[0][0], jnp.moveaxis(noise, 0, -1)


def _basis(pixels: int, sigma: float) -> np.ndarray:
  """float32 [pixels, n]: makes n independent normal numbers a smooth line of unit variance."""
  centres = np.linspace(-sigma, pixels + sigma, math.ceil(pixels / sigma) + 3)
  basis = np.exp(-0.5 * ((np.arange(pixels)[:, None] - centres) / sigma) ** 2)
  return (basis / np.sqrt((basis**2).sum(1, keepdims=True))).astype(np.float32)


def _blobs(key: jax.Array, options: Measurement, size: int) -> jax.Array:
  """float32 [size, size, 2]: a few Gaussian patches of any motion, half of them at the border."""
  of_place, of_motion = jax.random.split(key)
  uniform = jax.random.uniform(of_place, (7, _OUTLIERS))
  motion = options.outlier_size * jax.random.normal(of_motion, (2, _OUTLIERS))
  motion = jnp.where(uniform[0] < options.outliers / _OUTLIERS, motion, 0.0)
  at_border, first_axis = uniform[1] < 0.5, uniform[2] < 0.5
  side = jnp.round(uniform[3])
  x = jnp.where(at_border & first_axis, side, uniform[4])
  y = jnp.where(at_border & ~first_axis, side, uniform[5])
  width = (1 + 5 * uniform[6]) / _FIELD
  grid = (jnp.arange(size) + 0.5) / size
  columns, rows = (
    jnp.exp(-0.5 * ((grid - centre[:, None]) / width[:, None]) ** 2) for centre in (x, y)
  )
  return jnp.moveaxis((motion[:, :, None] * rows).swapaxes(1, 2) @ columns, 0, -1)


def _inside(place: jax.Array, chance: float, uniform: list[jax.Array]) -> jax.Array:
  """float32 [H, W]: 1 inside the face; outside less, in the share `chance` of all maps."""
  radius = jnp.hypot(place[..., 0] / 0.5, (place[..., 1] - 0.2) / 0.7)
  outside = jax.nn.sigmoid((radius - (0.85 + 0.35 * uniform[0])) * (5 + 25 * uniform[1]))
  return 1 - jnp.where(uniform[2] < chance, uniform[3], 0.0) * outside


def _strain(motion: jax.Array) -> jax.Array:
  """Optical strain [H, W, 1], of differences over two pixels; the border has its neighbour's."""
  across = motion[1:-1, 2:] - motion[1:-1, :-2]
  along = motion[2:, 1:-1] - motion[:-2, 1:-1]
  shear = along[..., 0] + across[..., 1]
  strain = jnp.sqrt(across[..., 0] ** 2 + along[..., 1] ** 2 + shear**2 / 2)
  return jnp.pad(strain, 1, mode="edge")[..., None]


def _pooled(x: jax.Array, size: int) -> jax.Array:
  """[n H, n H, C] as [H, n, H, n, C], H = `size`."""
  return x.reshape(size, len(x) // size, size, len(x) // size, x.shape[2])


def _upto(chance: tuple[float, float], happens: jax.Array, uniform: jax.Array) -> jax.Array:
  return jnp.where(happens < chance[0], chance[1] * uniform, 0.0)
