"""OFF-ApexNet: two small convolutional streams on the optical flow from onset to apex.

Gan, Liong, Yau, Huang, Tan, "OFF-ApexNet on micro-expression recognition system" (Signal
Processing: Image Communication 74, 2019). The form "meb" is that of Varanka et al., "Data Leakage
and Evaluation Issues in Micro-Expression Analysis" (IEEE Trans. Affective Computing 2023).
"""

from typing import Annotated, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from mer_jax import checks
from mer_jax.models import layers
from mer_jax.models.layers import pytorch
from mer_jax.models.layers.sizes import check_image

FORMS = ("paper", "meb")


class OffApexnet(nn.Module):
  """Flow image [B, H, W, at least 2] (u, v first; the rest is not read) -> logits [B, K].

  At 28 x 28 the paper's form has 2.66 M parameters and 3.8 M multiply-adds a clip, meb's .81 M and
  1.1 M.

  Attributes:
    num_classes: K.
    form: "paper": a stream each for u and v of 5 x 5 convolutions, then two layers of `features`;
      "meb": one stream of 3 x 3 convolutions on both, then one such layer.
    channels: filters of the convolutions, each followed by ReLU and max pooling by 2.
    features: width of the fully connected layers.
    dropout: rate after each fully connected layer; of "meb" also before.
    convolution: how convolutions are computed, one of layers.convolution.IMPLEMENTATIONS.
  """

  num_classes: int
  form: Annotated[str, checks.OneOf(FORMS)] = "paper"
  channels: tuple[checks.Size, checks.Size] = (6, 16)
  features: checks.Size = 1024
  dropout: checks.Rate = 0.5
  convolution: str = "auto"

  takes: ClassVar[str] = "image"

  @nn.compact
  def __call__(self, inputs: dict[str, jax.Array], weights: jax.Array, *, train: bool) -> jax.Array:
    """Logits, float [B, K], of inputs["image"] (float [B, H, W, C]); `weights` are not read.

    Raises:
      ConfigError: an image of less than 4 pixels a side.
    """
    del weights
    flow = inputs["image"][..., :2]
    check_image(flow, 4)
    if self.form == "meb":
      x = layers.Dropout(self.dropout)(self._stream(flow, 3, "both"), train=train)
      x = nn.relu(pytorch.dense(x, self.features, "hidden"))
    else:
      u, v = (self._stream(flow[..., i : i + 1], 5, "uv"[i]) for i in (0, 1))
      x = nn.relu(pytorch.dense(jnp.concatenate([u, v], axis=-1), self.features, "hidden"))
      x = layers.Dropout(self.dropout)(x, train=train)
      x = nn.relu(pytorch.dense(x, self.features, "hidden2"))
    self.sow("features", "features", x)
    x = layers.Dropout(self.dropout)(x, train=train)
    return pytorch.dense(x, self.num_classes, "logits")

  def _stream(self, x: jax.Array, window: int, name: str) -> jax.Array:
    for i, channels in enumerate(self.channels, 1):
      x = pytorch.conv(x, channels, (window,) * 2, f"{name}{i}", self.convolution)
      x = layers.max_pool(nn.relu(x), (2, 2))
    return x.reshape(len(x), -1)
