"""Dual-Inception: two streams of inception blocks on the optical flow from onset to apex.

Zhou, Mao, Xue, "Dual-Inception Network for Cross-Database Micro-Expression Recognition" (FG 2019);
layers as in the code that is published with Off-TANet (Zhang et al., PRICAI 2021).
"""

from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from mer_jax import checks
from mer_jax.models import layers
from mer_jax.models.layers import pytorch
from mer_jax.models.layers.sizes import check_image


class DualInception(nn.Module):
  """Flow image [B, H, W, at least 2] (u, v first; the rest is not read) -> logits [B, K].

  At 28 x 28 6.45 M parameters and 12.4 M multiply-adds a clip.

  Attributes:
    num_classes: K.
    channels: filters of each of the four branches of the two blocks of a stream.
    features: width of the fully connected layer.
    dropout: rate before the logits; published without.
    convolution: how convolutions are computed, one of layers.convolution.IMPLEMENTATIONS.
  """

  num_classes: int
  channels: tuple[checks.Size, ...] = (6, 16)
  features: checks.Size = 1024
  dropout: checks.Rate = 0.0
  convolution: str = "auto"

  takes: ClassVar[str] = "image"

  @nn.compact
  def __call__(self, inputs: dict[str, jax.Array], weights: jax.Array, *, train: bool) -> jax.Array:
    """Logits, float [B, K], of inputs["image"] (float [B, H, W, C]); `weights` are not read.

    Raises:
      ConfigError: an image of less than 4 pixels a side.
    """
    del weights
    flow = inputs["image"]
    check_image(flow, 4)
    streams = []
    for i, name in enumerate("uv"):
      x = flow[..., i : i + 1]
      for block, channels in enumerate(self.channels, 1):
        x = self._block(x, channels, f"{name}{block}")
      streams.append(x.reshape(len(x), -1))
    x = nn.relu(pytorch.dense(jnp.concatenate(streams, axis=-1), self.features, "hidden"))
    self.sow("features", "features", x)
    x = layers.Dropout(self.dropout)(x, train=train)
    return pytorch.dense(x, self.num_classes, "logits")

  def _block(self, x: jax.Array, channels: int, name: str) -> jax.Array:
    """Four branches side by side, then pooling by 2: [B, H, W, C] -> [B, H / 2, W / 2, 4 C']."""

    def conv(x, window, part):
      return pytorch.conv(x, channels, (window, window), f"{name}_{part}", self.convolution)

    wide = nn.relu(conv(nn.relu(conv(x, 1, "before5")), 5, "conv5"))
    narrow = nn.relu(conv(nn.relu(conv(x, 1, "before3")), 3, "conv3"))
    around = [(0, 0), (0, 1), (0, 1), (0, 0)]
    padded = jnp.pad(x, around, constant_values=-jnp.inf)
    pooled = nn.relu(conv(layers.max_pool_overlapping(padded, 3, 1, before=1), 1, "after_pool"))
    # No ReLU on the last branch, as published.
    parts = [wide, narrow, pooled, conv(x, 1, "conv1")]
    return layers.max_pool(jnp.concatenate(parts, axis=-1), (2, 2))
