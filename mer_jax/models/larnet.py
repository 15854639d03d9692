"""After LARNet: a residual network on one face that shrinks without loss, with attention.

Hashmi et al., "LARNet: Real-Time Detection of Facial Micro Expression Using Lossless Attention
Residual Network" (Sensors 21, 2021). The abstract states a residual network with attention to
crucial areas of the face, and that the attention is "lossless"; no code and no table of layers are
public, so that layers and sizes are of our choice.
"""

from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from mer_jax import checks
from mer_jax.errors import ConfigError
from mer_jax.models import layers


class Larnet(nn.Module):
  """Image [B, H, W, C], H and W multiples of 16 -> logits [B, K].

  At the default sizes .80 M parameters, and on 64 x 64 pixels 67 M multiply-adds a clip.

  Attributes:
    num_classes: K.
    channels: filters of each stage. H and W are multiples of 2 to the power of their number.
    reduction: by how much narrower the inner layer of the attention to channels is.
    dropout: rate before the logits.
    convolution: how convolutions are computed, one of layers.convolution.IMPLEMENTATIONS.
  """

  num_classes: int
  channels: tuple[checks.Size, ...] = (32, 64, 128, 128)
  reduction: checks.Size = 8
  dropout: checks.Rate = 0.5
  convolution: str = "auto"

  takes: ClassVar[str] = "image"

  @nn.compact
  def __call__(self, inputs: dict[str, jax.Array], weights: jax.Array, *, train: bool) -> jax.Array:
    """Logits, float [B, K], of inputs["image"] (float [B, H, W, C]).

    `weights` (float [B]) are 0 for examples that must not enter the batch statistics.

    Raises:
      ConfigError: no stage, or an image that cannot be halved as often as there are stages.
    """
    image = inputs["image"]
    self._check(image)

    def norm(x, name):
      return layers.BatchNorm(x.shape[-1], name=name)(x, weights, train=train)

    x = self._conv(image, self.channels[0], 3, "stem", strides=(2, 2))
    x = nn.relu(norm(x, "stem_norm"))
    for i, channels in enumerate(self.channels, 1):
      if i > 1:
        x = self._conv(_space_to_depth(x), channels, 1, f"shrunk{i}")
      h = nn.relu(norm(self._conv(x, channels, 3, f"conv{i}a"), f"norm{i}a"))
      h = norm(self._conv(h, channels, 3, f"conv{i}b"), f"norm{i}b")
      x = nn.relu(x + h * (1 + self._attention(h, i)))
    x = x.mean(axis=(1, 2))
    self.sow("features", "features", x)
    x = layers.Dropout(self.dropout)(x, train=train)
    return layers.dense(self.num_classes, "logits")(x)

  def _check(self, image: jax.Array) -> None:
    height, width = image.shape[1:3]
    multiple = 2 ** len(self.channels)
    if height % multiple or width % multiple:
      raise ConfigError(
        f"larnet halves an image {len(self.channels)} times, so that its sides are multiples of"
        f" {multiple}; these are {width} x {height}. Change config.input.size."
      )

  def _attention(self, x: jax.Array, stage: int) -> jax.Array:
    """Mask of x in 0..1, float [B, H, W, C]: one of channels times one of places.

    Both as in Roy, Navab, Wachinger, "Concurrent Spatial and Channel Squeeze & Excitation in Fully
    Convolutional Networks" (MICCAI 2018), but that nothing of x is lost where they are 0.
    """
    width = max(x.shape[-1] // self.reduction, 1)
    hidden = nn.relu(layers.dense(width, f"channels{stage}a")(x.mean(axis=(1, 2))))
    channels = nn.sigmoid(layers.dense(x.shape[-1], f"channels{stage}b")(hidden))
    return channels[:, None, None] * nn.sigmoid(layers.dense(1, f"places{stage}")(x))

  def _conv(self, x, channels, window, name, **kwargs):
    return layers.conv(channels, (window,) * 2, name, self.convolution, **kwargs)(x)


def _space_to_depth(x: jax.Array) -> jax.Array:
  """x (float [B, H, W, C]) with the places of 2 x 2 windows as channels, [B, H / 2, W / 2, 4 C]."""
  b, h, w, c = x.shape
  x = x.reshape(b, h // 2, 2, w // 2, 2, c)
  return jnp.moveaxis(x, 3, 2).reshape(b, h // 2, w // 2, 4 * c)
