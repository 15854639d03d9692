"""ResNet-10 for one face image, the backbone that Micro-Attention and ATNet share.

Simon, Rodner, Denzler, "ImageNet pre-trained models with batch normalization" (2016), as the
authors of both systems set it up in Caffe: normalisation before activation (He et al., ECCV 2016),
explicit padding, and convolutions without bias inside the residual stages.
"""

import functools
from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from mer_jax.errors import ConfigError
from mer_jax.models import layers
from mer_jax.models.layers.sizes import check_image

# Caffe's "msra" and "xavier", which differ from what Keras and flax call He and Glorot.
MSRA = nn.initializers.variance_scaling(2.0, "fan_in", "normal")
XAVIER = nn.initializers.variance_scaling(1.0, "fan_in", "uniform")
SMALLEST = 4  # pixels; of fewer nothing is left after the first two layers


class Res10(nn.Module):
  """Image [B, H, W, C] -> features [B, H', W', channels[-1]] after the last ReLU.

  H' = H / 32 at the default depth: 7 x 7 for 224 pixels, 2 x 2 for 64.

  Attributes:
    channels: filters of each stage; the first keeps the size, every other halves it.
    attention: whether each stage ends with a micro-attention unit (Wang et al., 2020): the stage's
      output R becomes R + A R, with a mask A [B, H, W, 1] in 0..1 that is read off the stage's
      shortcut and both of its convolutions.
    first_pool: whether the maximum over 3 x 3 places with stride 2 follows the first convolution,
      as published. Without it a small image keeps twice the resolution, at four times the cost.
    norm_momentum: of the running statistics, weighed as Caffe weighs them: without the zeros and
      ones they start from.
    convolution: how convolutions are computed, one of convolution.IMPLEMENTATIONS.
  """

  channels: tuple[int, ...] = (64, 128, 256, 512)
  attention: bool = False
  first_pool: bool = True
  norm_momentum: float = 0.99
  convolution: str = "auto"

  @nn.compact
  def __call__(self, image: jax.Array, weights: jax.Array, *, train: bool) -> jax.Array:
    """Features of `image` (float [B, H, W, C], any range: the first layer normalises it).

    `weights` (float [B]) are 0 for examples that must not enter the batch statistics.

    Raises:
      ConfigError: the image is smaller than 4 pixels, or there is no stage.
    """
    self._check(image)

    def norm(x, name):
      return layers.BatchNorm(
        x.shape[-1], self.norm_momentum, epsilon=1e-5, debias=True, name=name
      )(x, weights, train=train)

    x = norm(image, "norm_of_data")
    conv = functools.partial(_conv, self.convolution)
    x = conv(self.channels[0], 7, 2, "conv1", bias=True)(x)
    x = nn.relu(norm(x, "norm1"))
    if self.first_pool:
      x = layers.max_pool_overlapping(x, 3, 2)
    last = len(self.channels) - 1
    for i, features in enumerate(self.channels):
      name = f"stage{i + 1}"
      if i:
        x = nn.relu(norm(x, f"{name}_norm"))
      h = conv(features, 3, 2 if i else 1, f"{name}_conv1")(x)
      h = nn.relu(norm(h, f"{name}_inner_norm"))
      o = conv(features, 3, 1, f"{name}_conv2")(h)
      shortcut = conv(features, 1, 2, f"{name}_shortcut")(x) if i else x
      x = shortcut + o
      if i == last:
        x = nn.relu(norm(x, "last_norm"))
      if self.attention:
        x = x + x * MicroAttentionUnit(features, name=f"{name}_attention")((shortcut, h, o))
    return x

  def _check(self, image: jax.Array) -> None:
    if not self.channels:
      raise ConfigError("config.model.channels is empty; name the filters of at least one stage.")
    check_image(image, SMALLEST)


class MicroAttentionUnit(nn.Module):
  """Mask [B, H, W, 1] in 0..1 from the parts of a stage, each [B, H, W, features].

  Published as two 1 x 1 convolutions of the parts side by side, to `features` and on to 1, with
  nothing between them. Both weights are learnt as such; what is computed is their product.
  """

  features: int

  @nn.compact
  def __call__(self, parts: Sequence[jax.Array]) -> jax.Array:
    """The mask of `parts`, shortcut first."""
    inner = self.param("inner", MSRA, (1, 1, len(parts) * self.features, self.features))
    outer = self.param("outer", MSRA, (1, 1, self.features, 1))
    kernels = jnp.split(inner[0, 0] @ outer[0, 0, :, 0], len(parts))
    logits = sum(part @ kernel for part, kernel in zip(parts, kernels, strict=True))
    return nn.sigmoid(logits)[..., None]


def logits(x: jax.Array, num_classes: int) -> jax.Array:
  """Logits [B, K] of features [B, D], to be called inside a compact method."""
  return nn.Dense(
    num_classes, kernel_init=XAVIER, bias_init=nn.initializers.constant(0.2), name="logits"
  )(x)


def _conv(
  implementation: str, features: int, size: int, stride: int, name: str, *, bias: bool = False
) -> nn.Conv:
  return layers.conv(
    features,
    (size, size),
    name,
    implementation,
    strides=(stride, stride),
    padding=((size // 2, size // 2),) * 2,
    use_bias=bias,
    kernel_init=MSRA,
  )
