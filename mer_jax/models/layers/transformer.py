"""Transformers inside the blocks of a grid of patches, level by level: HTNet and CausalNet.

Wang, Zhang, Luo, Sankaranarayana, "HTNet for micro-expression recognition" (Neurocomputing 602,
2024), after Zhang et al., "Nested Hierarchical Transformer" (AAAI 2022), as in the authors' code.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from mer_jax.errors import ConfigError
from mer_jax.models.layers import pytorch
from mer_jax.models.layers.pooling import max_pool_overlapping


class NestedTransformer(nn.Module):
  """Image [B, H, W, C] -> features [B, 1, 1, width of the last level] at the published sizes.

  Level l of L cuts its grid into 2 ** (L - 1 - l) blocks a side, and places attend to those of
  their own block alone. Between levels a convolution and a maximum halve the grid, so that blocks
  keep their size; at the published one, of 4 x 4 patches, a block is a single place and attention
  has nothing to choose from.

  Attributes:
    patch: side of a patch, pixels; the image's side is a multiple of patch * 2 ** (L - 1).
    width: features of the first level; each further one has twice as many.
    heads: of the first level, twice as many on each further one.
    repeats: transformer blocks on each of the L levels.
    convolution: how convolutions are computed, one of convolution.IMPLEMENTATIONS.
  """

  patch: int
  width: int
  heads: int
  repeats: tuple[int, ...]
  convolution: str = "auto"

  @nn.compact
  def __call__(self, image: jax.Array) -> jax.Array:
    """Features, float [B, h, w, D], of `image` (float [B, H, W, C]).

    Raises:
      ConfigError: patches and blocks do not divide the image.
    """
    levels = len(self.repeats)
    check_patches(image, self.patch, levels)
    x = pytorch.dense(_patches(image, self.patch), self.width, "patches")
    for level, repeats in enumerate(self.repeats):
      blocks = 2 ** (levels - 1 - level)
      x = _cut(x, blocks)
      heads = self.heads * 2**level
      x = Transformer(heads, repeats, name=f"transformer{level}")(x)
      x = _joined(x, blocks)
      if level < levels - 1:
        x = pytorch.conv(x, 2 * x.shape[-1], (3, 3), f"down{level}", self.convolution)
        x = max_pool_overlapping(layer_norm(f"norm{level}")(x), 3, 2, before=1)
    return x


class Transformer(nn.Module):
  """Attention and a perceptron, `repeats` times, over all places of x [B, h, w, D].

  Attributes:
    heads: parts that attend on their own; a width that does not divide is rounded down, as
      published.
    repeats: how often.
  """

  heads: int
  repeats: int

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """x (float [B, h, w, D]) after all blocks."""
    shape = x.shape
    x = x.reshape(shape[0], -1, shape[-1])
    x = x + self.param("position", nn.initializers.normal(1.0), (x.shape[1],))[:, None]
    for i in range(self.repeats):
      x = x + self._attention(layer_norm(f"norm{i}")(x), f"block{i}")
      x = x + feed_forward(layer_norm(f"norm_of_features{i}")(x), f"block{i}")
    return x.reshape(shape)

  def _attention(self, x: jax.Array, name: str) -> jax.Array:
    inner = x.shape[-1] // self.heads * self.heads
    parts = jnp.split(pytorch.dense(x, 3 * inner, f"{name}_qkv", use_bias=False), 3, axis=-1)
    q, k, v = (split_heads(part, self.heads) for part in parts)
    scores = jnp.einsum("bihd,bjhd->bhij", q, k) * (inner // self.heads) ** -0.5
    out = jnp.einsum("bhij,bjhd->bihd", nn.softmax(scores, axis=-1), v)
    return pytorch.dense(out.reshape(*x.shape[:2], inner), x.shape[-1], f"{name}_out")


def feed_forward(x: jax.Array, name: str) -> jax.Array:
  """The perceptron of a block, four times as wide as x (float [..., D]), in a compact method."""
  hidden = nn.gelu(pytorch.dense(x, 4 * x.shape[-1], f"{name}_hidden"), approximate=False)
  return pytorch.dense(hidden, x.shape[-1], f"{name}_features")


def split_heads(x: jax.Array, heads: int) -> jax.Array:
  """x (float [B, T, D]) as float [B, T, heads, D / heads]."""
  return x.reshape(*x.shape[:2], heads, -1)


def layer_norm(name: str) -> nn.LayerNorm:
  """Normalisation of each place over its features, with PyTorch's epsilon."""
  return nn.LayerNorm(epsilon=1e-5, name=name)


def face_crops(image: jax.Array, centres: Sequence[tuple[int, int]]) -> jax.Array:
  """Four crops of a face of half its side, tiled to a square again.

  Args:
    image: float [B, H, W, C], H = W a multiple of 4.
    centres: four pairs (row, column) of a face of 28 pixels, top left, top right, bottom left and
      bottom right in the result; moved inwards where a crop would leave the image.

  Returns:
    float [B, H, W, C].
  """
  side = image.shape[1]
  half = side // 4
  crops = []
  for centre in centres:
    row, column = (min(max(c * side // 28, half), side - half) for c in centre)
    crops.append(image[:, row - half : row + half, column - half : column + half])
  rows = [jnp.concatenate(crops[i : i + 2], axis=2) for i in (0, 2)]
  return jnp.concatenate(rows, axis=1)


def check_patches(image: jax.Array, patch: int, levels: int) -> None:
  """Raises ConfigError where an image (float [B, H, W, C]) does not divide into patches and blocks.

  It has to have H = W, a multiple of 4 and of `patch` times 2 ** (levels - 1).
  """
  height, width = image.shape[1:3]
  unit = patch * 2 ** (levels - 1)
  if height != width or height % unit or height % 4:
    raise ConfigError(
      f"The model cuts images into patches of {patch} pixels and these into {levels} levels of"
      f" blocks: it needs square images with a side that is a multiple of {unit} and of 4; these"
      f" are {width} x {height}. Change config.input.size or config.model.patch."
    )


def _patches(image: jax.Array, patch: int) -> jax.Array:
  b, h, w, c = image.shape
  x = image.reshape(b, h // patch, patch, w // patch, patch, c)
  return jnp.moveaxis(x, 2, 3).reshape(b, h // patch, w // patch, -1)


def _cut(x: jax.Array, blocks: int) -> jax.Array:
  """x (float [B, H, W, D]) as float [B blocks blocks, H / blocks, W / blocks, D]."""
  b, h, w, d = x.shape
  x = x.reshape(b, blocks, h // blocks, blocks, w // blocks, d)
  return jnp.moveaxis(x, 2, 3).reshape(-1, h // blocks, w // blocks, d)


def _joined(x: jax.Array, blocks: int) -> jax.Array:
  """What `_cut` took apart."""
  _, h, w, d = x.shape
  x = x.reshape(-1, blocks, blocks, h, w, d)
  return jnp.moveaxis(x, 3, 2).reshape(-1, blocks * h, blocks * w, d)
