"""After TSNN: the apex frame, the motion towards it and the course of the clip in three streams.

Wu, Guo, "TSNN: Three-Stream Combining 2D and 3D Convolutional Neural Network for Micro-Expression
Recognition" (IEEJ Trans. Electrical and Electronic Engineering 16, 2021). The abstract states three
streams of 2D and 3D convolutions, the temporal sampling deformation, and the variants IF
(intermediate fusion) and LF (late fusion); no code and no table of layers are public, so that what
the streams read, their layers and sizes are of our choice.
"""

from typing import Annotated

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from mer_jax import checks
from mer_jax.models import layers

FORMS = ("IF", "LF")
STREAMS = {"apex": ("apex",), "flow": ("image",), "frames": ("frames", "ratios")}


class Tsnn(nn.Module):
  """Apex and image [B, H, W, C], frames [B, T, H, W, C], ratios [B, 2] -> logits [B, K].

  At the default sizes, on 48 x 48 pixels and 16 frames, .13 M parameters and 123 M multiply-adds a
  clip, of which the frames take 111 M.

  Attributes:
    num_classes: K.
    form: "IF": what the streams see is put side by side, with the ratios, before a layer of
      `features`; "LF": each stream has its own logits, and their probabilities are averaged.
    streams: of "apex", the gray apex frame; "flow", the image of motion from onset to apex;
      "frames", the clip in 3 x 3 x 3 windows, together with by how much its halves were stretched.
    channels: filters of the convolutions of a stream, each of 3 places along every axis with
      pooling by 2 and ReLU; a mean over all places follows the last.
    features: width of the layer before the logits of "IF".
    dropout: rate before the logits.
    convolution: how convolutions are computed, one of layers.convolution.IMPLEMENTATIONS.
  """

  num_classes: int
  form: Annotated[str, checks.OneOf(FORMS)] = "IF"
  streams: tuple[Annotated[str, checks.OneOf(STREAMS)], ...] = ("apex", "flow", "frames")
  channels: tuple[checks.Size, ...] = (16, 32, 64)
  features: checks.Size = 64
  dropout: checks.Rate = 0.5
  convolution: str = "auto"

  @property
  def takes(self) -> tuple[str, ...]:
    """The arrays that the streams read."""
    return tuple(array for stream in self.streams for array in STREAMS[stream])

  @nn.compact
  def __call__(self, inputs: dict[str, jax.Array], weights: jax.Array, *, train: bool) -> jax.Array:
    """Logits of a batch; of "LF" the logarithms of the averaged probabilities.

    Args:
      inputs: what `takes` names of "apex" and "image", float [B, H, W, C], "frames", float
        [B, T, H, W, C], and "ratios", float [B, 2].
      weights: float [B], not read.
      train: whether dropout is on.

    Returns:
      float [B, K].
    """
    del weights
    streams = {
      array: self._stream(inputs[array], array) for array in self.takes if array != "ratios"
    }
    if "frames" in streams:
      streams["frames"] = jnp.concatenate([streams["frames"], inputs["ratios"]], axis=-1)
    joined = jnp.concatenate(list(streams.values()), axis=-1)
    if self.form == "IF":
      joined = nn.relu(layers.dense(self.features, "hidden")(joined))
    self.sow("features", "features", joined)
    if self.form == "IF":
      return self._logits(joined, "logits", train)
    each = [self._logits(x, f"{name}_logits", train) for name, x in streams.items()]
    return jax.nn.logsumexp(nn.log_softmax(jnp.stack(each)), axis=0) - np.log(len(each))

  def _stream(self, x: jax.Array, name: str) -> jax.Array:
    """Features of x (float [B, *spatial, C]), float [B, channels[-1]]."""
    spatial = x.ndim - 2
    for i, channels in enumerate(self.channels, 1):
      x = layers.ConvPoolRelu(channels, (3,) * spatial, 2, self.convolution, name=f"{name}{i}")(x)
    return x.mean(axis=tuple(range(1, spatial + 1)))

  def _logits(self, x: jax.Array, name: str, train: bool) -> jax.Array:
    x = layers.Dropout(self.dropout)(x, train=train)
    return layers.dense(self.num_classes, name)(x)
