"""Maps of several layers of a CNN brought to one size and fused, as features of an image.

After Ma, Mu, Sha, IEEE Access 7, 2019, on scenes of remote sensing. The abstract states that maps
of several layers are transformed to one size and fused in two ways; which layers, sizes and ways is
not public: here maps are averaged to a grid, brought to one number of channels by a convolution of
1 x 1, and added or put side by side.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from mer_jax.models.layers.convolutional import conv
from mer_jax.models.layers.pooling import adaptive_avg_pool

FUSIONS = ("none", "sum", "concat")


class MultiLayerFusion(nn.Module):
  """Maps [B, H_i, W_i, C_i] of L layers -> features [B, D], means over all places.

  D is `features` with "sum" and L times as many with "concat". A ReLU follows the fusion, for
  without it means of the maps themselves would give the same features.

  Attributes:
    fusion: "sum" or "concat".
    grid: places along either axis that all maps are brought to; smaller maps are repeated.
    features: channels that each map is brought to.
    convolution: how convolutions are computed, one of layers.convolution.IMPLEMENTATIONS.
  """

  fusion: str
  grid: int = 6
  features: int = 64
  convolution: str = "auto"

  @nn.compact
  def __call__(self, maps: Sequence[jax.Array]) -> jax.Array:
    """The features of `maps`, those of the first layer first."""
    alike = [
      conv(self.features, (1, 1), f"layer{i}", self.convolution)(adaptive_avg_pool(x, self.grid))
      for i, x in enumerate(maps, 1)
    ]
    fused = sum(alike) if self.fusion == "sum" else jnp.concatenate(alike, axis=-1)
    return nn.relu(fused).mean(axis=(1, 2))
