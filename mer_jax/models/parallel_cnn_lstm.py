"""The parallel CNN + LSTM: one branch for what is where, one for what follows what, then fusion.

Vibha, "Capturing Subtle Emotions: A Novel Parallel CNN-LSTM Architecture for Micro-expression
Recognition" (doi 10.5281/zenodo.15751631). The paper prints no layer table. What it states is the
input (48 frames of 48 x 48, gray, in [0, 1]), two parallel branches, and fusion before a softmax.
The sizes below are our reading of it; every choice it leaves open is a field.
"""

from typing import Annotated, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from mer_jax import checks
from mer_jax.errors import ConfigError
from mer_jax.models import layers
from mer_jax.models.layers import multi_layer_fusion

CNN_BRANCHES = ("stack", "stack_wrong_axis", "td_mean", "td_gap", "conv3d")
BRANCHES = ("both", "cnn", "lstm", "sequential")
FUSIONS = ("concat", "sum", "gated", "late")
LSTM_INPUTS = ("raw", "difference_to_onset", "pooled_8x8")
NORMS = ("none", "batch", "group")


class ParallelCnnLstm(nn.Module):
  """Frames [B, T, H, W, C] -> logits [B, K].

  Attributes:
    num_classes: K.
    cnn_branch: how the CNN sees the clip. "stack": the frames as channels of one image, which a
      padded array of 48 x 48 x 48 invites (1.96 M parameters at the default sizes);
      "stack_wrong_axis": the same array read with image columns as channels, as happens when nobody
      transposes it; "td_mean", "td_gap": the CNN on every frame, averaged over time before or after
      global pooling; "conv3d": 3 x 3 x 3 windows over space and time, half as many channels.
    channels: filters of the three convolutions, each 3 x 3 with ReLU and pooling by 2.
    cnn_features: width of the CNN branch's last layer.
    lstm_features: width of the LSTM's state.
    lstm_input: "raw" pixels (with a CNN on the stack nothing else is left for the LSTM to read);
      their "difference_to_onset", the first frame; "pooled_8x8", each channel's mean over a grid of
      8 x 8 cells, which of an input of flow is the motion of each part of the face.
    head_features: width of the layer between fusion and logits.
    dropout: rate before the logits.
    branch: "both"; "cnn" or "lstm" alone; "sequential": the control in which the LSTM reads the
      CNN's features of each frame.
    fusion: "concat" (the paper's); "sum"; "gated", a learned convex mix; "late", the mean of two
      separate logits.
    layer_fusion: "none" (the paper names none); "sum" or "concat": the CNN branch gives on what all
      of its convolutions see, fused as in `layers.MultiLayerFusion`; not with "conv3d".
    norm: "none" (the paper names none); "batch"; "group".
    mask_padding: let the LSTM and the averages over time pass over padded frames. The paper pads
      with zeros and names no mask, hence False.
    convolution: how convolutions are computed, one of layers.convolution.IMPLEMENTATIONS.
  """

  num_classes: int
  cnn_branch: Annotated[str, checks.OneOf(CNN_BRANCHES)] = "stack"
  channels: tuple[checks.Size, ...] = (32, 64, 128)
  cnn_features: checks.Size = 128
  lstm_features: checks.Size = 128
  lstm_input: Annotated[str, checks.OneOf(LSTM_INPUTS)] = "raw"
  head_features: checks.Size = 64
  dropout: checks.Rate = 0.5
  branch: Annotated[str, checks.OneOf(BRANCHES)] = "both"
  fusion: Annotated[str, checks.OneOf(FUSIONS)] = "concat"
  layer_fusion: Annotated[str, checks.OneOf(multi_layer_fusion.FUSIONS)] = "none"
  norm: Annotated[str, checks.OneOf(NORMS)] = "none"
  mask_padding: bool = False
  convolution: str = "auto"

  takes: ClassVar[str] = "frames"

  @nn.compact
  def __call__(self, inputs: dict[str, jax.Array], weights: jax.Array, *, train: bool) -> jax.Array:
    """Logits of a batch.

    Args:
      inputs: "frames" float [B, T, H, W, C] and "mask" bool [B, T], True where a real frame stands.
      weights: float [B], 0 for examples that must not enter any statistic.
      train: whether dropout and batch statistics are on.

    Returns:
      float [B, K].

    Raises:
      ConfigError: frames of less than 8 x 8 pixels, of which the LSTM reads "pooled_8x8", or
        switches that do not go together.
    """
    self._check()
    frames = inputs["frames"]
    mask = inputs["mask"] if self.mask_padding else None
    if self.branch == "sequential":
      per_frame = self._frame_features(frames, weights, train)
      return self._head(layers.LSTM(self.lstm_features, name="lstm")(per_frame, mask), train)
    parts = []
    if self.branch in ("both", "cnn"):
      parts.append(self._cnn(frames, mask, weights, train))
    if self.branch in ("both", "lstm"):
      parts.append(self._lstm(frames, mask))
    return self._fuse(parts, train)

  def _check(self) -> None:
    if self.layer_fusion != "none" and self.cnn_branch == "conv3d":
      raise ConfigError(
        f"model.layer_fusion {self.layer_fusion!r} fuses maps of images, not of model.cnn_branch"
        " 'conv3d'. Choose another branch, or layer_fusion 'none'."
      )

  def _cnn(self, frames, mask, weights, train):
    b, t, h, w, c = frames.shape
    if self.cnn_branch == "conv3d":
      x = self._convolutions(frames, weights, train, [max(1, f // 2) for f in self.channels])
    elif self.cnn_branch == "stack":
      x = jnp.moveaxis(frames, 1, 3).reshape(b, h, w, t * c)
      x = self._convolutions(x, weights, train, self.channels)
    elif self.cnn_branch == "stack_wrong_axis":
      x = self._convolutions(frames.reshape(b, t, h, w * c), weights, train, self.channels)
    else:
      x = self._each_frame(frames, weights, train)
      if self.cnn_branch == "td_gap":
        x = x.mean(axis=(2, 3))
      x = _mean_over_time(x, mask)
    return nn.relu(layers.dense(self.cnn_features, "cnn_dense")(x.reshape(b, -1)))

  def _lstm(self, frames, mask):
    if self.lstm_input == "difference_to_onset":
      frames = frames - frames[:, :1]
    elif self.lstm_input == "pooled_8x8":
      frames = _grid_means(frames, 8)
    flat = frames.reshape(*frames.shape[:2], -1)
    return layers.LSTM(self.lstm_features, name="lstm")(flat, mask)

  def _frame_features(self, frames, weights, train):
    x = self._each_frame(frames, weights, train)
    return nn.relu(layers.dense(self.cnn_features, "cnn_dense")(x.reshape(*x.shape[:2], -1)))

  def _each_frame(self, frames, weights, train):
    b, t = frames.shape[:2]
    x = frames.reshape(b * t, *frames.shape[2:])
    x = self._convolutions(x, jnp.repeat(weights, t), train, self.channels)
    return x.reshape(b, t, *x.shape[1:])

  def _convolutions(self, x, weights, train, channels):
    maps = []
    for i, features in enumerate(channels, 1):
      x = self._convolution(x, weights, train, features, i)
      maps.append(x)
    if self.layer_fusion == "none":
      return x
    fusion = layers.MultiLayerFusion(self.layer_fusion, convolution=self.convolution, name="fusion")
    return fusion(maps)[:, None, None]

  def _convolution(self, x, weights, train, features, i):
    dims = x.ndim - 2
    if self.norm == "none":
      return layers.ConvPoolRelu(features, (3,) * dims, 2, self.convolution, name=f"conv{i}")(x)
    x = layers.conv(features, (3,) * dims, f"conv{i}", self.convolution)(x)
    if self.norm == "batch":
      x = layers.BatchNorm(features, name=f"norm{i}")(x, weights, train=train)
    else:
      x = nn.GroupNorm(num_groups=None, group_size=features // 4 or 1, name=f"norm{i}")(x)
    return layers.max_pool(nn.relu(x), (2,) * dims)

  def _fuse(self, parts, train):
    if len(parts) == 1:
      return self._head(parts[0], train)
    if self.fusion == "concat":
      return self._head(jnp.concatenate(parts, axis=-1), train)
    cnn, lstm = parts
    if self.fusion == "late":
      return (self._head(cnn, train, "cnn_") + self._head(lstm, train, "lstm_")) / 2
    lstm = layers.dense(self.cnn_features, "lstm_to_cnn")(lstm)
    if self.fusion == "sum":
      return self._head(cnn + lstm, train)
    gate = nn.sigmoid(layers.dense(self.cnn_features, "gate")(jnp.concatenate(parts, axis=-1)))
    return self._head(gate * cnn + (1 - gate) * lstm, train)

  def _head(self, x, train, prefix=""):
    x = nn.relu(layers.dense(self.head_features, prefix + "head")(x))
    self.sow("features", "features", x)
    x = layers.Dropout(self.dropout)(x, train=train)
    return layers.dense(self.num_classes, prefix + "logits")(x)


def _mean_over_time(x: jax.Array, mask: jax.Array | None) -> jax.Array:
  """Mean of x (float [B, T, ...]) over T, over real frames only if there is a mask."""
  if mask is None:
    return x.mean(axis=1)
  count = jnp.maximum(mask.sum(axis=1), 1).reshape(-1, *(1,) * (x.ndim - 2))
  return jnp.einsum("bt,bt...->b...", mask.astype(x.dtype), x) / count


def _grid_means(frames: jax.Array, cells: int) -> jax.Array:
  """Means of frames (float [B, T, H, W, C]) over cells x cells parts; [B, T, cells, cells, C]."""
  height, width = frames.shape[2:4]
  if height < cells or width < cells:
    raise ConfigError(
      f"model.lstm_input 'pooled_8x8' needs frames of at least {cells} x {cells} pixels; these are"
      f" {height} x {width}. Raise config.input.size."
    )
  return jnp.einsum(
    "bthwc,ih,jw->btijc", frames, _cell_weights(height, cells), _cell_weights(width, cells)
  )


def _cell_weights(pixels: int, cells: int) -> np.ndarray:
  """float32 [cells, pixels], rows of ones over each cell's pixels divided by their number."""
  cell = np.arange(pixels) * cells // pixels
  member = np.arange(cells)[:, None] == cell
  return (member / member.sum(axis=1, keepdims=True)).astype(np.float32)
