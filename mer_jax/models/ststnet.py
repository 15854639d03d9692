"""STSTNet: three shallow streams of one convolution each on one optical-flow image.

Liong, Gan, See, Khor, Huang, "Shallow Triple Stream Three-dimensional CNN (STSTNet) for
Micro-expression Recognition" (FG 2019).
"""

from typing import Annotated, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from mer_jax import checks
from mer_jax.models import layers
from mer_jax.models.layers import pytorch

INITIALISATIONS = ("keras", "pytorch")


class Ststnet(nn.Module):
  """Flow image [B, H, W, 3] (u, v, optical strain) -> logits [B, K].

  1.7 thousand parameters at 28 x 28. The streams of 3, 5 and 8 filters differ in nothing but their
  number, so they are one convolution of 16 filters.

  Attributes:
    num_classes: K.
    streams: filters of each stream.
    dropout: rate after pooling.
    padding: zeros around the image before the convolution of 3 x 3: 1 keeps its size, 2 is what the
      authors' PyTorch code has.
    norm_momentum, norm_epsilon: of the normalisation, as in `layers.BatchNorm`.
    initialisation: "keras": Glorot-uniform weights, biases of 0; "pytorch": both uniform within 1 /
      sqrt(fan in).
    factor: on the image; 255 for the authors' range where the input is in 0..1.
    convolution: how convolutions are computed, one of layers.convolution.IMPLEMENTATIONS.
  """

  num_classes: int
  streams: tuple[checks.Size, ...] = (3, 5, 8)
  dropout: checks.Rate = 0.5
  padding: checks.Size = 1
  norm_momentum: checks.Rate = 0.99
  norm_epsilon: checks.Positive = 1e-3
  initialisation: Annotated[str, checks.OneOf(INITIALISATIONS)] = "keras"
  factor: float = 1.0
  convolution: str = "auto"

  takes: ClassVar[str] = "image"

  @nn.compact
  def __call__(self, inputs: dict[str, jax.Array], weights: jax.Array, *, train: bool) -> jax.Array:
    """Logits, float [B, K], of inputs["image"] (float [B, H, W, C]).

    `weights` (float [B]) are 0 for examples that must not enter the batch statistics.
    """
    x = inputs["image"] if self.factor == 1 else self.factor * inputs["image"]
    wider = self.padding - 1
    x = jnp.pad(x, ((0, 0), (wider, wider), (wider, wider), (0, 0))) if wider else x
    x = self._streams(9 * x.shape[-1])(x, weights, train=train)
    x = layers.Dropout(self.dropout)(x, train=train)
    x = layers.avg_pool(x, (2, 2)).reshape(x.shape[0], -1)
    self.sow("features", "features", x)
    if self.initialisation == "pytorch":
      return pytorch.dense(x, self.num_classes, "logits")
    return layers.dense(self.num_classes, "logits")(x)

  def _streams(self, fan_in: int) -> layers.ConvReluNormPool:
    in_pytorch = self.initialisation == "pytorch"
    return layers.ConvReluNormPool(
      sum(self.streams),
      (3, 3),
      3,
      padding=1,
      momentum=self.norm_momentum,
      epsilon=self.norm_epsilon,
      kernel_init=pytorch.KERNEL if in_pytorch else nn.initializers.glorot_uniform(),
      bias_init=pytorch.bias(fan_in) if in_pytorch else nn.initializers.zeros,
      implementation=self.convolution,
      name="streams",
    )
