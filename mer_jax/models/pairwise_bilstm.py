"""After Liang 2020: what a frame shows beside what a pair of frames does, then a BiLSTM.

Liang, Liang, Yu, Zhang, "Deep convolutional BiLSTM fusion network for facial expression
recognition" (The Visual Computer 36, 2020). The abstract states a spatial network on every frame, a
temporal one on each pair of consecutive frames, their fusion, and a bidirectional LSTM trained with
both; no code and no table of layers are public, so that sizes are of our choice.
"""

from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from mer_jax import checks
from mer_jax.errors import ConfigError
from mer_jax.models import layers


class PairwiseBilstm(nn.Module):
  """Frames [B, T, H, W, C], T >= 2 -> logits [B, K].

  .15 M parameters at the default sizes; on 48 x 48 pixels 11.4 M multiply-adds for each pair.

  Attributes:
    num_classes: K.
    channels: filters of the convolutions of either network, each 3 x 3 with pooling by 2 and ReLU;
      a mean over all places follows the last.
    lstm_features: width of the LSTM's state in each direction.
    dropout: rate before the logits.
    convolution: how convolutions are computed, one of layers.convolution.IMPLEMENTATIONS.
  """

  num_classes: int
  channels: tuple[checks.Size, ...] = (16, 32, 64)
  lstm_features: checks.Size = 64
  dropout: checks.Rate = 0.5
  convolution: str = "auto"

  takes: ClassVar[str] = "frames"

  @nn.compact
  def __call__(self, inputs: dict[str, jax.Array], weights: jax.Array, *, train: bool) -> jax.Array:
    """Logits, float [B, K].

    Args:
      inputs: "frames" float [B, T, H, W, C] and "mask" bool [B, T], True where a real frame stands.
      weights: float [B], not read.
      train: whether dropout is on.

    Raises:
      ConfigError: less than two frames.
    """
    del weights
    frames = inputs["frames"]
    if frames.shape[1] < 2:
      raise ConfigError(
        "pairwise_bilstm reads pairs of frames; these clips have one. Set config.input.num_frames"
        " to 2 at least."
      )
    spatial = self._each(frames[:, 1:], "spatial")
    temporal = self._each(jnp.concatenate([frames[:, :-1], frames[:, 1:]], axis=-1), "temporal")
    x = jnp.concatenate([spatial, temporal], axis=-1)
    real = inputs["mask"][:, 1:] & inputs["mask"][:, :-1]
    x = self._both_ways(x, real)
    shares = real / jnp.maximum(real.sum(axis=1, keepdims=True), 1)
    x = jnp.einsum("bt,btd->bd", shares, x)
    self.sow("features", "features", x)
    x = layers.Dropout(self.dropout)(x, train=train)
    return layers.dense(self.num_classes, "logits")(x)

  def _each(self, frames: jax.Array, name: str) -> jax.Array:
    """Features of frames [B, T, H, W, C] on their own, float [B, T, channels[-1]]."""
    b, t = frames.shape[:2]
    x = frames.reshape(b * t, *frames.shape[2:])
    for i, channels in enumerate(self.channels, 1):
      x = layers.ConvPoolRelu(channels, (3, 3), 2, self.convolution, name=f"{name}{i}")(x)
    return x.mean(axis=(1, 2)).reshape(b, t, -1)

  def _both_ways(self, x: jax.Array, real: jax.Array) -> jax.Array:
    """States of an LSTM forwards and of another backwards, float [B, T, 2 lstm_features]."""
    there = layers.LSTM(self.lstm_features, sequences=True, name="forwards")(x, real)
    turned, real = jnp.flip(x, axis=1), jnp.flip(real, axis=1)
    back = layers.LSTM(self.lstm_features, sequences=True, name="backwards")(turned, real)
    return jnp.concatenate([there, jnp.flip(back, axis=1)], axis=-1)
