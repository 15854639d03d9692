"""SSSNet: two convolutions and a fully connected layer on one map of facial motion.

Varanka, Li, Peng, Zhao, "Data Leakage and Evaluation Issues in Micro-Expression Analysis" (IEEE
Trans. Affective Computing 2023), layers as in the code of their benchmark, meb.
"""

from typing import Annotated, ClassVar

import flax.linen as nn
import jax

from mer_jax import checks
from mer_jax.models import layers
from mer_jax.models.layers import multi_layer_fusion, pytorch
from mer_jax.models.layers.sizes import check_image


class Sssnet(nn.Module):
  """Flow image [B, H, W, 3] (u, v, optical strain) -> logits [B, K].

  1.35 M parameters and 16 M multiply-adds a clip at 64 x 64.

  Attributes:
    num_classes: K.
    channels: filters of the convolutions, of 5 x 5 and 3 x 3 places without padding; each is
      followed by ReLU, max pooling, batch normalisation and dropout of channels.
    pools: window and stride of the two poolings.
    features: width of the fully connected layer.
    dropout: rate of channels, and of features before the logits.
    layer_fusion: "none", as published; "sum" or "concat": the fully connected layer reads the maps
      of both convolutions, fused as in `layers.MultiLayerFusion`.
    convolution: how convolutions are computed, one of layers.convolution.IMPLEMENTATIONS.
  """

  num_classes: int
  channels: tuple[checks.Size, checks.Size] = (32, 64)
  pools: tuple[checks.Size, checks.Size] = (3, 2)
  features: checks.Size = 256
  dropout: checks.Rate = 0.5
  layer_fusion: Annotated[str, checks.OneOf(multi_layer_fusion.FUSIONS)] = "none"
  convolution: str = "auto"

  takes: ClassVar[str] = "image"

  @nn.compact
  def __call__(self, inputs: dict[str, jax.Array], weights: jax.Array, *, train: bool) -> jax.Array:
    """Logits, float [B, K], of inputs["image"] (float [B, H, W, C]).

    `weights` (float [B]) are 0 for examples that must not enter the batch statistics.

    Raises:
      ConfigError: an image of which the convolutions leave nothing.
    """
    x, maps = inputs["image"], []
    check_image(x, 5 + 3 * self.pools[0] - 1)
    for i, (channels, window, pool) in enumerate(
      zip(self.channels, (5, 3), self.pools, strict=True), 1
    ):
      x = pytorch.conv(x, channels, (window, window), f"conv{i}", self.convolution, padding="VALID")
      x = layers.max_pool(nn.relu(x), (pool, pool))
      x = pytorch.norm(x, weights, f"norm{i}", train=train)
      x = layers.Dropout(self.dropout, by_channel=True)(x, train=train)
      maps.append(x)
    if self.layer_fusion != "none":
      fusion = layers.MultiLayerFusion(
        self.layer_fusion, convolution=self.convolution, name="fusion"
      )
      x = fusion(maps)
    x = nn.relu(pytorch.dense(x.reshape(len(x), -1), self.features, "hidden"))
    self.sow("features", "features", x)
    x = layers.Dropout(self.dropout)(x, train=train)
    return pytorch.dense(x, self.num_classes, "logits")
