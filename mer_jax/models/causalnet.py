"""CausalNet: hierarchical transformers on four maps of facial motion, and attention among them.

"CausalNet" (ICCV 2025), as in the authors' code, which the names of the parts are from.
"""

from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from mer_jax import checks
from mer_jax.errors import ConfigError
from mer_jax.models.htnet import CENTRES
from mer_jax.models.layers import pytorch, transformer

MAPS = 4
PLACES = 4  # of a map, 2 x 2, after its transformer


class Causalnet(nn.Module):
  """The first four of frames [B, T, H, W, C] -> logits [B, K].

  At the default sizes, the authors', about 277 M parameters for maps of 28 x 28.

  Attributes:
    num_classes: K.
    patch, width, heads, repeats, convolution: as in `transformer.NestedTransformer`; two of these
      read maps 1 and 2, and maps 3 and 4. The last width is a multiple of 4 times `cross_heads`.
    cross_heads: of the attention among maps.
    cross_repeats: blocks of the attention between maps 3 and 4.
    gamma: what distant places lose for each step in their number.
    features: width of the layer before the logits.
    factor: on the maps; 255 for the authors' range where the input is in 0..1.
  """

  num_classes: int
  patch: checks.Size = 7
  width: checks.Size = 256
  heads: checks.Size = 3
  repeats: tuple[checks.Size, ...] = (3, 3, 9)
  cross_heads: checks.Size = 8
  cross_repeats: checks.Size = 9
  gamma: float = 0.5
  features: checks.Size = 2048
  factor: float = 1.0
  convolution: str = "auto"

  takes: ClassVar[str] = "frames"

  @nn.compact
  def __call__(self, inputs: dict[str, jax.Array], weights: jax.Array, *, train: bool) -> jax.Array:
    """Logits, float [B, K], of inputs["frames"] (float [B, T, H, W, C]); no other input is read.

    Raises:
      ConfigError: fewer than four maps, or as `transformer.check_patches`.
    """
    del weights, train
    maps = inputs["frames"]
    self._check(maps)
    there, back, first, second = self._tokens(maps[:, :MAPS] * self.factor)
    first, second = self._crossed(first, second)
    x = self._causal(there + first, back + second)
    x = pytorch.dense(x.reshape(len(x), -1), self.features, "hidden")
    self.sow("features", "features", x)
    return pytorch.dense(x, self.num_classes, "logits")  # no ReLU before it, as published

  def _check(self, maps: jax.Array) -> None:
    if maps.shape[1] < MAPS:
      raise ConfigError(
        f"causalnet reads {MAPS} maps of a clip; these have {maps.shape[1]}. Set"
        f" config.input.num_frames={MAPS}."
      )
    transformer.check_patches(maps[:, 0], self.patch, len(self.repeats))
    last = self.width * 2 ** (len(self.repeats) - 1)
    if last % (PLACES * self.cross_heads):
      raise ConfigError(
        f"causalnet: {last} features of the last level do not divide into {PLACES} places of"
        f" {self.cross_heads} heads. Change config.model.width or config.model.cross_heads."
      )

  def _tokens(self, maps: jax.Array) -> list[jax.Array]:
    """Of each map four places, float [B, 4, D]: what its transformer leaves, cut apart."""
    tokens = []
    for pair in (0, 1):
      trunk = transformer.NestedTransformer(
        self.patch, self.width, self.heads, self.repeats, self.convolution, name=f"trunk{pair + 1}"
      )
      for i in (2 * pair, 2 * pair + 1):
        x = trunk(transformer.face_crops(maps[:, i], CENTRES))
        tokens.append(jnp.swapaxes(x.reshape(len(x), -1, PLACES), 1, 2))
    return tokens

  def _crossed(self, a: jax.Array, b: jax.Array) -> tuple[jax.Array, jax.Array]:
    for i in range(self.cross_repeats):
      norm = transformer.layer_norm(f"cross_norm{i}")
      attention = NearAttention(self.cross_heads, self.gamma, a.shape[-1], name=f"cross{i}")
      perceptron = FeedForward(name=f"cross_features{i}")
      norm_a, norm_b = norm(a), norm(b)
      a = a + attention(norm_a, b)
      b = b + attention(norm_b, a)
      a, b = a + perceptron(a), b + perceptron(b)
    return a, b

  def _causal(self, a: jax.Array, b: jax.Array) -> jax.Array:
    """From the first map to the second and back, and the relation of both; float [B, 12, D]."""
    norm = transformer.layer_norm("causal_norm")
    places = NearAttention(
      self.cross_heads, self.gamma, a.shape[-1] // self.cross_heads, name="causal_places"
    )
    times = PairAttention(self.cross_heads, name="causal_times")
    perceptron = FeedForward(name="causal_features")

    def directed(before, after):
      before, after = norm(before), norm(after)
      before = before + places(before, before)
      after = after + places(after, after)
      after = after + times(before, after)
      return before + perceptron(before), after + perceptron(after)

    first, there = directed(a, b)
    last, back = directed(b, a)
    relation = Attention(self.cross_heads, name="causal_relation")(there, back, there + back)
    relation = pytorch.dense(relation + there + back, a.shape[-1], "causal_out")
    return jnp.concatenate([relation, first, last], axis=1)


class NearAttention(nn.Module):
  """Attention of x [B, 4, D] to the places of `context` that touch its own, of 2 x 2.

  Attributes:
    heads: parts that attend on their own.
    gamma: place j, of 1 to 4, loses j gamma before the softmax where it does not touch.
    scale: scores are divided by its square root.
  """

  heads: int
  gamma: float
  scale: int

  @nn.compact
  def __call__(self, x: jax.Array, context: jax.Array) -> jax.Array:
    """What each place attends to, float [B, 4, D]."""
    width = x.shape[-1]
    q = transformer.split_heads(pytorch.dense(x, width, "query"), self.heads)
    both = pytorch.dense(context, 2 * width, "key_and_value")
    k, v = (transformer.split_heads(part, self.heads) for part in jnp.split(both, 2, axis=-1))
    near = np.array([[1, 1, 1, 0], [1, 1, 0, 1], [1, 0, 1, 1], [0, 1, 1, 1]], np.float32)
    away = -(1 - near) * np.arange(1, PLACES + 1, dtype=np.float32) * self.gamma
    scores = jnp.einsum("bihd,bjhd->bhij", q, k) * self.scale**-0.5
    attention = nn.softmax(scores * near + away, axis=-1) * near
    out = jnp.einsum("bhij,bjhd->bihd", attention, v)
    return pytorch.dense(out.reshape(x.shape), width, "out")


class PairAttention(nn.Module):
  """Attention of each place of a later map to itself and to the same place of an earlier one."""

  heads: int

  @nn.compact
  def __call__(self, before: jax.Array, after: jax.Array) -> jax.Array:
    """What each place attends to, float [B, T, D], of both maps (float [B, T, D])."""
    width = after.shape[-1]
    q = transformer.split_heads(pytorch.dense(after, width, "query"), self.heads)
    maps = jnp.stack([before, after], axis=1)
    both = pytorch.dense(maps, 2 * width, "key_and_value")
    both = both.reshape(*maps.shape[:3], 2, self.heads, -1)
    k, v = both[:, :, :, 0], both[:, :, :, 1]
    scores = jnp.einsum("bnhd,bknhd->bnhk", q, k) * (width // self.heads) ** -0.5
    out = jnp.einsum("bnhk,bknhd->bnhd", nn.softmax(scores, axis=-1), v)
    return pytorch.dense(out.reshape(after.shape), width, "out")


class Attention(nn.Module):
  """Attention with queries, keys and values from arrays of their own."""

  heads: int

  @nn.compact
  def __call__(self, queries: jax.Array, keys: jax.Array, values: jax.Array) -> jax.Array:
    """What each place of `queries` attends to, float [B, T, D]; all are float [B, T, D]."""
    width = queries.shape[-1]
    q, k, v = (
      transformer.split_heads(pytorch.dense(x, width, name), self.heads)
      for x, name in ((queries, "query"), (keys, "key"), (values, "value"))
    )
    scores = jnp.einsum("bihd,bjhd->bhij", q, k) * (width // self.heads) ** -0.5
    out = jnp.einsum("bhij,bjhd->bihd", nn.softmax(scores, axis=-1), v)
    return out.reshape(queries.shape)


class FeedForward(nn.Module):
  """The perceptron of a transformer block as a module, for maps that share it."""

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """x (float [..., D]) through a layer four times as wide."""
    return transformer.feed_forward(x, "block")
