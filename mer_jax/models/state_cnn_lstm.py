"""After Kim, Baddar, Ro 2016: a CNN on the states of an expression, then an LSTM on its features.

"Micro-Expression Recognition with Expression-State Constrained Spatio-Temporal Feature
Representations" (ACM Multimedia 2016). The abstract states two stages: a CNN learns features of
the frames of five states under losses on class and state, and an LSTM learns from these features.
No code and no table of layers are public, so that sizes are of our choice.
"""

from typing import ClassVar

import flax.linen as nn
import jax

from mer_jax import checks
from mer_jax.models import layers


class StateCnnLstm(nn.Module):
  """Frames [B, P, H, W, C] of P states -> logits [B, K].

  Its parts are the states: it sows logits of class and state, and features, of every frame for the
  losses of mer_jax.training.losses. On 64 x 64 pixels 45 M multiply-adds a frame; 4.6 M parameters
  at the default sizes, 6.4 M with an LSTM 512 wide.

  Attributes:
    num_classes: K.
    channels: filters of the convolutions, the first 5 x 5 and the others 3 x 3, each with pooling
      by 2 and ReLU.
    features: width D of the layer behind them.
    lstm_features: width of the LSTM's state.
    dropout: rate before the logits.
    convolution: how convolutions are computed, one of layers.convolution.IMPLEMENTATIONS.
  """

  num_classes: int
  channels: tuple[checks.Size, ...] = (32, 64, 128)
  features: checks.Size = 512
  lstm_features: checks.Size = 128
  dropout: checks.Rate = 0.0
  convolution: str = "auto"

  takes: ClassVar[str] = "frames"

  @nn.compact
  def __call__(self, inputs: dict[str, jax.Array], weights: jax.Array, *, train: bool) -> jax.Array:
    """Logits, float [B, K].

    Args:
      inputs: "frames" float [B, P, H, W, C].
      weights: float [B], not read.
      train: whether dropout is on.
    """
    del weights
    x = self._each_state(inputs["frames"])
    self.sow("auxiliary", "part_features", x)
    self.sow("auxiliary", "part_logits", layers.dense(self.num_classes, "state_class_logits")(x))
    self.sow("auxiliary", "part_index_logits", layers.dense(x.shape[1], "state_logits")(x))
    x = layers.LSTM(self.lstm_features, name="lstm")(x)
    self.sow("features", "features", x)
    x = layers.Dropout(self.dropout)(x, train=train)
    return layers.dense(self.num_classes, "logits")(x)

  def _each_state(self, frames: jax.Array) -> jax.Array:
    """Features of every frame on its own, float [B, P, D]."""
    b, p = frames.shape[:2]
    x = frames.reshape(b * p, *frames.shape[2:])
    for i, channels in enumerate(self.channels, 1):
      window = (5, 5) if i == 1 else (3, 3)
      x = layers.ConvPoolRelu(channels, window, 2, self.convolution, name=f"conv{i}")(x)
    return nn.relu(layers.dense(self.features, "state_features")(x.reshape(b, p, -1)))
