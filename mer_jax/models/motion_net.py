"""MotionNet: three convolutions on one map of facial motion, small enough to train in every fold.

Not from a paper: a plain network of the size that a few hundred clips can carry, normalised by
groups (Wu, He, "Group Normalization", ECCV 2018), which no other example of a batch can reach.
"""

from typing import Annotated, ClassVar

import flax.linen as nn
import jax

from mer_jax import checks
from mer_jax.errors import ConfigError
from mer_jax.models import layers

NORMS = ("group", "none")


class MotionNet(nn.Module):
  """Flow image [B, H, W, 3] (u, v, optical strain) -> logits [B, K].

  At the default sizes and 28 x 28 pixels 171 thousand parameters.

  Attributes:
    num_classes: K.
    channels: filters of the convolutions; each is followed by max pooling over 2 x 2, normalisation
      and ReLU.
    features: width of the layer before the logits.
    norm: "group", or "none".
    groups: in so many groups are channels normalised.
    squeeze: width of a squeeze-and-excitation after every convolution (Hu et al., CVPR 2018), which
      weighs its channels by what the map as a whole shows; 0: none.
    dropout: rate before and after the layer of `features`.
    action_units: A, logits of an auxiliary target; 0: none.
    convolution: how convolutions are computed, one of layers.convolution.IMPLEMENTATIONS.

  Raises:
    ConfigError: channels that do not divide into groups.
  """

  num_classes: int
  channels: tuple[checks.Size, ...] = (32, 64, 96)
  features: checks.Size = 112
  norm: Annotated[str, checks.OneOf(NORMS)] = "group"
  groups: checks.Size = 8
  squeeze: checks.Count = 0
  dropout: checks.Rate = 0.5
  action_units: checks.Count = 0
  convolution: str = "auto"

  takes: ClassVar[str] = "image"

  @nn.compact
  def __call__(self, inputs: dict[str, jax.Array], weights: jax.Array, *, train: bool) -> jax.Array:
    """Logits, float [B, K], of inputs["image"] (float [B, H, W, C]); `weights` are not read.

    Sows what enters the last layer as "features", float [B, features], and with `action_units` the
    logits of these as "auxiliary", float [B, A].
    """
    del weights
    x = inputs["image"]
    for i, channels in enumerate(self.channels):
      x = layers.conv(channels, (3, 3), f"conv{i}", self.convolution)(x)
      x = nn.relu(self._normalise(layers.max_pool(x, (2, 2)), i))
      if self.squeeze:
        x = x * self._gate(x, i)
    x = layers.Dropout(self.dropout)(x.reshape(x.shape[0], -1), train=train)
    x = nn.relu(layers.dense(self.features, "hidden")(x))
    self.sow("features", "features", x)
    x = layers.Dropout(self.dropout)(x, train=train)
    if self.action_units:
      units = layers.dense(self.action_units, "unit_logits")(x)
      self.sow("auxiliary", "action_units", units)
    return layers.dense(self.num_classes, "logits")(x)

  def _normalise(self, x: jax.Array, i: int) -> jax.Array:
    if self.norm == "none":
      return x
    if x.shape[-1] % self.groups:
      raise ConfigError(
        f"motion_net: {x.shape[-1]} channels do not divide into {self.groups} groups. Choose"
        " channels that are multiples of config.model.groups."
      )
    return nn.GroupNorm(self.groups, name=f"norm{i}")(x)

  def _gate(self, x: jax.Array, i: int) -> jax.Array:
    """Weights of the channels in 0..1, float [B, 1, 1, C]."""
    hidden = nn.relu(layers.dense(self.squeeze, f"squeeze{i}")(x.mean(axis=(1, 2))))
    return nn.sigmoid(layers.dense(x.shape[-1], f"excite{i}")(hidden))[:, None, None]
