"""After DTSCNN: two streams of 3D convolutions on flow sequences at two temporal scales.

Peng, Wang, Chen, Liu, Fu, "Dual Temporal Scale Convolutional Neural Network for Micro-Expression
Recognition", Frontiers in Psychology 8:1745, 2017. What is known here: shallow streams on optical
flow of clips that are normalised to 64 and to 128 frames, and a linear SVM on the features of both
(config.svm). Sizes are of our choice.
"""

from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from mer_jax import checks
from mer_jax.models import layers

# Windows and strides of the convolutions, and the pooling behind each: frames, rows, columns.
CONVOLUTIONS = (((8, 3, 3), (2, 1, 1)), ((4, 3, 3), (1, 1, 1)), ((3, 3, 3), (1, 1, 1)))
POOLS = ((2, 3, 3), (2, 3, 3), (1, 1, 1))


class Dtscnn(nn.Module):
  """Frames [B, T, H, W, C], T even -> logits [B, K], the mean of those of two streams.

  The long stream reads all T frames, the short one every second, which is the clip normalised to
  T / 2 frames. Of channels u, v and strain only the flow is read. The streams are the parts of
  mer_jax.training.losses, so that each learns by its own logits; what enters the last layers is
  what an SVM reads.

  2.5 M parameters and 195 M multiply-adds at 32 frames of 48 x 48 pixels, 9.9 M and 770 M at 128.

  Attributes:
    num_classes: K.
    channels: filters of the three convolutions of a stream.
    features: width of the layer behind them.
    dropout: rate before that layer.
    convolution: how convolutions are computed, one of layers.convolution.IMPLEMENTATIONS.
  """

  num_classes: int
  channels: tuple[checks.Size, checks.Size, checks.Size] = (16, 32, 64)
  features: checks.Size = 256
  dropout: checks.Rate = 0.5
  convolution: str = "auto"

  takes: ClassVar[str] = "frames"

  @nn.compact
  def __call__(self, inputs: dict[str, jax.Array], weights: jax.Array, *, train: bool) -> jax.Array:
    """Logits, float [B, K].

    Args:
      inputs: "frames" float [B, T, H, W, C], of more than two channels the first two.
      weights: float [B], not read.
      train: whether dropout is on.
    """
    del weights
    flow = inputs["frames"][..., :2]
    streams = {"short": flow[:, ::2], "long": flow}
    features = [self._stream(name, frames, train) for name, frames in streams.items()]
    self.sow("features", "features", jnp.concatenate(features, axis=-1))
    named = zip(streams, features, strict=True)
    logits = jnp.stack(
      [layers.dense(self.num_classes, f"{name}_logits")(x) for name, x in named], axis=1
    )
    self.sow("auxiliary", "part_logits", logits)
    return logits.mean(axis=1)

  def _stream(self, name: str, x: jax.Array, train: bool) -> jax.Array:
    """Features, float [B, features], of frames [B, T, H, W, 2]."""
    stages = zip(self.channels, CONVOLUTIONS, POOLS, strict=True)
    for i, (channels, (window, strides), pool) in enumerate(stages, 1):
      conv = layers.conv(channels, window, f"{name}_conv{i}", self.convolution, strides=strides)
      x = nn.relu(layers.max_pool(conv(x), pool))
    x = layers.Dropout(self.dropout, name=f"{name}_dropout")(x.reshape(len(x), -1), train=train)
    return nn.relu(layers.dense(self.features, f"{name}_features")(x))
