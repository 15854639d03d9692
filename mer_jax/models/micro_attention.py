"""Micro-Attention: a small residual network on the apex frame, with a mask after every stage.

Wang, Peng, Bi, Chen, "Micro-attention for micro-expression recognition" (arXiv 1811.02360;
Neurocomputing 410, 2020), as in the authors' network definition. They start from a network trained
on macro-expressions, which is not published; here training starts from random weights.
"""

from typing import ClassVar

import flax.linen as nn
import jax

from mer_jax import checks
from mer_jax.models import layers
from mer_jax.models.layers import residual


class MicroAttention(nn.Module):
  """Image [B, H, W, C] -> logits [B, K].

  At the default sizes 5.94 M parameters, and multiply-adds as published of 965 M at 224 pixels,
  79 M at 64; the masks are computed for a hundredth of what they would take.

  Attributes:
    num_classes: K.
    channels, first_pool, norm_momentum, convolution: as in `residual.Res10`.
    attention: False for the control without masks, ATNet's spatial stream.
  """

  num_classes: int
  channels: tuple[checks.Size, ...] = (64, 128, 256, 512)
  attention: bool = True
  first_pool: bool = True
  norm_momentum: checks.Rate = 0.99
  convolution: str = "auto"

  takes: ClassVar[str] = "image"

  @nn.compact
  def __call__(self, inputs: dict[str, jax.Array], weights: jax.Array, *, train: bool) -> jax.Array:
    """Logits, float [B, K], of inputs["image"] (float [B, H, W, C], any range).

    `weights` (float [B]) are 0 for examples that must not enter the batch statistics.

    Raises:
      ConfigError: as `residual.Res10`.
    """
    backbone = residual.Res10(
      self.channels,
      self.attention,
      self.first_pool,
      self.norm_momentum,
      self.convolution,
      name="res10",
    )
    x = backbone(inputs["image"], weights, train=train).mean(axis=(1, 2))
    x = layers.l2_normalise(x)
    self.sow("features", "features", x)
    return residual.logits(x, self.num_classes)
