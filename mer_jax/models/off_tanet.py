"""Off-TANet: a small residual network on one map of facial motion, with three kinds of attention.

Zhang, Liu, Zhou, "Off-TANet: A Lightweight Neural Micro-expression Recognizer with
Optical Flow Features and Integrated Attention Mechanism" (PRICAI 2021), as in the authors' code.
"""

from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from mer_jax import checks
from mer_jax.errors import ConfigError
from mer_jax.models import layers
from mer_jax.models.layers import pytorch


class OffTanet(nn.Module):
  """Flow image [B, H, W, 3] (u, v, optical strain), H = W -> logits [B, K].

  59 thousand parameters at the authors' 112 pixels, 39 thousand at 56.

  Attributes:
    num_classes: K.
    channels: filters of the first convolution and of the three blocks; the third is a multiple of
      `heads`.
    heads: parts of the self-attention.
    features: width of the two fully connected layers.
    dropout: rate after each of them.
    convolution: how convolutions are computed, one of layers.convolution.IMPLEMENTATIONS.
  """

  num_classes: int
  channels: tuple[checks.Size, checks.Size, checks.Size, checks.Size] = (8, 18, 28, 8)
  heads: checks.Size = 4
  features: checks.Size = 64
  dropout: checks.Rate = 0.5
  convolution: str = "auto"

  takes: ClassVar[str] = "image"

  @nn.compact
  def __call__(self, inputs: dict[str, jax.Array], weights: jax.Array, *, train: bool) -> jax.Array:
    """Logits, float [B, K], of inputs["image"] (float [B, H, W, C]).

    `weights` (float [B]) are 0 for examples that must not enter the batch statistics.

    Raises:
      ConfigError: an image that is no square or has less than 9 pixels a side, or channels that do
        not divide into heads.
    """
    image = inputs["image"]
    self._check(image)

    def norm(x, name):
      return pytorch.norm(x, weights, name, train=train)

    x = self._conv(image, self.channels[0], 7, "first", strides=(2, 2), padding=((3, 3),) * 2)
    x = norm(nn.relu(x), "first_norm")
    for i in (1, 2):
      short, channels = self._conv(x, self.channels[i], 1, f"short{i}"), self.channels[i]
      x = nn.relu(norm(self._conv(x, channels, 3, f"conv{i}a"), f"norm{i}a"))
      x = nn.relu(norm(self._conv(x, channels, 3, f"conv{i}b"), f"norm{i}b"))
      x = layers.max_pool(x + short, (2, 2))
    short = self._conv(x, self.channels[3], 1, "short3")
    x = nn.relu(norm(self._conv(x, self.channels[2], 3, "conv3a"), "norm3a"))
    x = self._attended(x)
    x = nn.relu(norm(self._conv(x, self.channels[3], 3, "conv3b"), "norm3b"))
    x = layers.max_pool(x + short, (2, 2)).reshape(len(x), -1)
    for i in (1, 2):
      x = nn.relu(pytorch.dense(x, self.features, f"hidden{i}"))
      if i == 2:
        self.sow("features", "features", x)
      x = layers.Dropout(self.dropout)(x, train=train)
    return pytorch.dense(x, self.num_classes, "logits")

  def _check(self, image: jax.Array) -> None:
    height, width = image.shape[1:3]
    if height != width or height < 9:
      raise ConfigError(
        "off_tanet reads square images of at least 9 pixels a side; these are"
        f" {width} x {height}. Change config.input.size."
      )
    if self.channels[2] % self.heads:
      raise ConfigError(
        f"off_tanet: {self.channels[2]} channels do not divide into {self.heads} heads. Change"
        " config.model.channels or config.model.heads."
      )

  def _attended(self, x: jax.Array) -> jax.Array:
    """Attention to channels, to places (Woo et al., "CBAM", ECCV 2018), and among both."""
    pools = jnp.stack([x.mean(axis=(1, 2)), layers.largest(x.reshape(len(x), -1, x.shape[-1]), 1)])
    hidden = nn.relu(pytorch.dense(pools, 1, "channels1", use_bias=False))
    gate = pytorch.dense(hidden, x.shape[-1], "channels2", use_bias=False).sum(axis=0)
    x = x * nn.sigmoid(gate)[:, None, None]
    pools = jnp.stack([x.mean(axis=-1), layers.largest(x, 3)], axis=-1)
    x = x * nn.sigmoid(self._conv(pools, 1, 3, "places", use_bias=False))
    return self._self_attention(x)

  def _self_attention(self, x: jax.Array) -> jax.Array:
    """As published: maps of a channel are multiplied as matrices, and softmax is over all places.

    Heads differ in nothing but their number, so the layers of all of them are one.
    """
    width = x.shape[-1]
    q, k, v = (self._conv(x, width, 1, name) for name in ("query", "key", "value"))
    scores = jnp.einsum("bihc,bjhc->bijc", q, k)
    scores = scores + jnp.einsum("bihc,jh->bijc", q, _position(x.shape[1]))
    shape = scores.shape
    attention = nn.softmax(scores.reshape(shape[0], -1, width), axis=1).reshape(shape)
    return attention * v

  def _conv(self, x, channels, window, name, **kwargs):
    return pytorch.conv(x, channels, (window,) * 2, name, self.convolution, **kwargs)


def _position(size: int) -> np.ndarray:
  """The code of places, float32 [size, size], as published: a sine's argument lacks the place."""
  i = np.arange(size)
  angle = 1 / 10000 ** (i // 2 / size)
  code = np.where(i % 2, np.cos(angle), np.sin(angle))
  return (code[None] + code[:, None]).astype(np.float32)
