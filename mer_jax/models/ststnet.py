"""STSTNet: three shallow streams of one convolution each on one optical-flow image.

Liong, Gan, See, Khor, Huang, "Shallow Triple Stream Three-dimensional CNN (STSTNet) for
Micro-expression Recognition" (FG 2019).
"""

from typing import ClassVar

import flax.linen as nn
import jax

from mer_jax.models import layers


class Ststnet(nn.Module):
  """Flow image [B, H, W, 3] (u, v, optical strain) -> logits [B, K].

  1.7 thousand parameters at 28 x 28. The streams of 3, 5 and 8 filters differ in nothing but their
  number, so they are one convolution of 16 filters.

  Attributes:
    num_classes: K.
    streams: filters of each stream.
    dropout: rate after pooling.
    convolution: how convolutions are computed, one of layers.convolution.IMPLEMENTATIONS.
  """

  num_classes: int
  streams: tuple[int, ...] = (3, 5, 8)
  dropout: float = 0.5
  convolution: str = "auto"

  takes: ClassVar[str] = "image"

  @nn.compact
  def __call__(self, inputs: dict[str, jax.Array], weights: jax.Array, *, train: bool) -> jax.Array:
    """Logits, float [B, K], of inputs["image"] (float [B, H, W, C]).

    `weights` (float [B]) are 0 for examples that must not enter the batch statistics.
    """
    streams = layers.ConvReluNormPool(
      sum(self.streams), (3, 3), 3, padding=1, implementation=self.convolution, name="streams"
    )
    x = streams(inputs["image"], weights, train=train)
    x = layers.Dropout(self.dropout)(x, train=train)
    x = layers.avg_pool(x, (2, 2)).reshape(x.shape[0], -1)
    self.sow("features", "features", x)
    return layers.dense(self.num_classes, "logits")(x)
