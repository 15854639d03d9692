"""ATNet: the apex frame and the motion around it, in two streams.

Peng, Wang, Bi, Shi, Zhou, Chen, "A Novel Apex-Time Network for Cross-Dataset Micro-Expression
Recognition" (ACII 2019; arXiv 1904.03699), as in the authors' network definition. They start the
spatial stream from a network trained on macro-expressions, which is not published; here training
starts from random weights.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from mer_jax import checks
from mer_jax.errors import ConfigError, unknown
from mer_jax.models import layers
from mer_jax.models.layers import residual

STREAMS = {"spatial": ("image",), "temporal": ("motion",), "fusion": ("image", "motion")}


class Atnet(nn.Module):
  """Image [B, H, W, C] and motion [B, T, D] -> logits [B, K].

  At the default sizes and 64 pixels: spatial 4.90 M parameters and 66 M multiply-adds a clip,
  temporal 3.41 M and 218 M, fusion 8.3 M and 284 M.

  Attributes:
    num_classes: K.
    stream: "fusion" of both; "spatial", the residual network on the image alone; "temporal", the
      LSTMs on the motion alone. A stream alone has its own classifier: no configuration of one is
      published.
    channels, first_pool, norm_momentum, convolution: of the spatial stream, as in `residual.Res10`.
    lstm_features: width of both LSTMs' states.
    dropout: rate before the logits of the fusion; a stream alone has none.
  """

  num_classes: int
  stream: str = "fusion"
  channels: tuple[checks.Size, ...] = (64, 128, 256, 512)
  first_pool: bool = True
  norm_momentum: checks.Rate = 0.99
  lstm_features: checks.Size = 512
  dropout: checks.Rate = 0.5
  convolution: str = "auto"

  @property
  def takes(self) -> tuple[str, ...]:
    """The arrays that the stream reads.

    Raises:
      ConfigError: no such stream.
    """
    if self.stream not in STREAMS:
      raise ConfigError(unknown("model.stream", self.stream, STREAMS))
    return STREAMS[self.stream]

  @nn.compact
  def __call__(self, inputs: dict[str, jax.Array], weights: jax.Array, *, train: bool) -> jax.Array:
    """Logits of a batch.

    Args:
      inputs: what `takes` names of "image", float [B, H, W, C] of any range, and "motion", float
        [B, T, D], padded with zeros in front.
      weights: float [B], 0 for examples that must not enter any statistic.
      train: whether dropout and batch statistics are on.

    Returns:
      float [B, K].

    Raises:
      ConfigError: no such stream, or as `residual.Res10`.
    """
    streams = []
    if "image" in self.takes:
      streams.append(self._spatial(inputs["image"], weights, train))
    if "motion" in self.takes:
      streams.append(self._temporal(inputs["motion"]))
    x = jnp.concatenate(streams, axis=-1)
    self.sow("features", "features", x)
    if self.stream == "fusion":
      x = layers.Dropout(self.dropout)(x, train=train)
    return residual.logits(x, self.num_classes)

  def _spatial(self, image, weights, train):
    backbone = residual.Res10(
      self.channels,
      first_pool=self.first_pool,
      norm_momentum=self.norm_momentum,
      convolution=self.convolution,
      name="res10",
    )
    return layers.l2_normalise(backbone(image, weights, train=train).mean(axis=(1, 2)))

  def _temporal(self, motion):
    x = motion
    for name in ("lstm1", "lstm2"):
      x = layers.LSTM(
        self.lstm_features,
        sequences=True,
        kernel_init=nn.initializers.normal(0.1),
        recurrent_init=nn.initializers.normal(0.1),
        bias_init=nn.initializers.zeros,
        name=name,
      )(x)
    return layers.l2_normalise(x.mean(axis=1))
