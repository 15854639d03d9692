"""RCN: recurrent convolutions on one map of facial motion, and what attends without parameters.

Xia, Peng, Khor, Feng, Zhao, "Revealing the Invisible with Model and Data Shrinking for
Composite-Database Micro-Expression Recognition" (IEEE Trans. Image Processing 29, 2020), as in the
authors' code.
"""

from typing import Annotated, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from mer_jax import checks
from mer_jax.models import layers
from mer_jax.models.layers import pytorch
from mer_jax.models.layers.sizes import check_image

FORMS = ("A", "S", "W", "F")
# He's, on outgoing connections, as the authors choose it.
HE_OUT = nn.initializers.variance_scaling(2.0, "fan_out", "normal")
DILATIONS = (1, 2, 3)


class Rcn(nn.Module):
  """Flow image [B, H, W, 3] (u, v, optical strain) -> logits [B, K].

  At 60 x 60 form A has 15 thousand parameters and 23 M multiply-adds a clip with 32 channels and 5
  x 5 parts, 51 thousand and 76 M with 64.

  Attributes:
    num_classes: K.
    form: "A": a convolution of 5 x 5, a recurrent block, and attention by class activation maps
      between the first layer and the logits; "S": further shortcuts in the block; "W": a wider
      beginning, three convolutions with dilations 1, 2 and 3; "F": the beginning of W, and a block
      with the shortcuts of S and the attention of A in it.
    channels: filters of every layer, a multiple of 4.
    parts: the logits read means over parts x parts areas of the map.
    dropout: rate after the first layer and after the block.
    convolution: how convolutions are computed, one of layers.convolution.IMPLEMENTATIONS.
  """

  num_classes: int
  form: Annotated[str, checks.OneOf(FORMS)] = "A"
  channels: checks.Size = 64
  parts: checks.Size = 5
  dropout: checks.Rate = 0.5
  convolution: str = "auto"

  takes: ClassVar[str] = "image"

  @nn.compact
  def __call__(self, inputs: dict[str, jax.Array], weights: jax.Array, *, train: bool) -> jax.Array:
    """Logits, float [B, K], of inputs["image"] (float [B, H, W, C]).

    `weights` (float [B]) are 0 for examples that must not enter the batch statistics.

    Raises:
      ConfigError: an image of less than 8 pixels a side.
    """
    check_image(inputs["image"], 8)
    shape = (self.parts**2 * self.channels, self.num_classes)
    kernel = self.param("logits_kernel", nn.initializers.normal(0.01), shape)
    bias = self.param("logits_bias", nn.initializers.zeros, (self.num_classes,))
    begin = self._wide_beginning if self.form in "WF" else self._beginning
    first = begin(inputs["image"], weights, train)
    x = self._block(first, kernel, weights, train)
    x = layers.Dropout(self.dropout)(layers.max_pool(x, (2, 2)), train=train)
    x = layers.adaptive_avg_pool(x, self.parts)
    if self.form == "A":
      x = x * self._attention(first, kernel)
    x = x.reshape(len(x), -1)
    self.sow("features", "features", x)
    return x @ kernel + bias

  def _beginning(self, image, weights, train):
    x = self._conv(image, self.channels, 5, "first", padding="VALID")
    x = nn.relu(pytorch.norm(x, weights, "first_norm", train=train))
    return layers.Dropout(self.dropout)(layers.max_pool(x, (2, 2)), train=train)

  def _wide_beginning(self, image, weights, train):
    streams = []
    # The authors' F runs the stream of dilation 2 twice and leaves that of 3 unused.
    for dilation in DILATIONS if self.form == "W" else (1, 2):
      channels = self.channels // (2 if dilation == 1 else 4)
      x = self._conv(
        image,
        channels,
        3,
        f"dilated{dilation}",
        strides=(3, 3),
        padding=((dilation, dilation),) * 2,
        kernel_dilation=(dilation, dilation),
      )
      x = pytorch.norm(nn.relu(x), weights, f"dilated{dilation}_norm", train=train)
      again = 2 if self.form == "F" and dilation == 2 else 1
      streams += [layers.Dropout(self.dropout)(x, train=train) for _ in range(again)]
    return jnp.concatenate(streams, axis=-1)

  def _block(self, x, kernel, weights, train):
    """The recurrent block on x [B, h, w, C]; one convolution of 3 x 3 is its every repetition."""
    recurrent = layers.conv(
      self.channels, (3, 3), "recurrent", self.convolution, kernel_init=HE_OUT
    )
    norm = layers.BatchNorm(self.channels, 0.9, 1e-5, name="recurrent_norm")

    def step(y):
      return nn.relu(norm(recurrent(y), weights, train=train))

    y = self._conv(x, self.channels, 1, "forward")
    y = nn.relu(pytorch.norm(y, weights, "forward_norm", train=train))
    if self.form in "AW":
      return step(x + step(x + y))
    if self.form == "F":
      y = y * _enlarged(self._attention(x, kernel), y.shape[1:3])
    z = step(x + y)
    e = step(x + y + z)
    return step(x + y + z + e)

  def _attention(self, x, kernel):
    """Mean class activation map of x, float [B, parts, parts, 1], each scaled to 0..1.

    Zhou et al., "Learning Deep Features for Discriminative Localization" (CVPR 2016).
    """
    x = layers.adaptive_avg_pool(x, self.parts)
    maps = jnp.einsum("bijc,ijck->bijk", x, kernel.reshape(*x.shape[1:], -1)) / x.shape[-1]
    low, high = (f(maps, axis=(1, 2), keepdims=True) for f in (jnp.min, jnp.max))
    # A map without any contrast gives 0; theirs would be no number.
    return ((maps - low) / jnp.maximum(high - low, 1e-12)).mean(axis=-1, keepdims=True)

  def _conv(self, x, channels, window, name, **kwargs):
    return pytorch.conv(
      x, channels, (window,) * 2, name, self.convolution, kernel_init=HE_OUT, **kwargs
    )


def _enlarged(x: jax.Array, size: tuple[int, ...]) -> jax.Array:
  """x (float [B, h, w, C]) with the nearest places, as PyTorch finds them, [B, *size, C]."""
  rows, columns = (
    np.eye(n, dtype=np.float32)[np.arange(out) * n // out]
    for n, out in zip(x.shape[1:3], size, strict=True)
  )
  return jnp.einsum("bhwc,ih,jw->bijc", x, rows, columns)
