"""HTNet: a hierarchical transformer on four crops of the optical flow from onset to apex.

Wang, Zhang, Luo, Sankaranarayana, "HTNet for micro-expression recognition" (Neurocomputing 602,
2024), as in the authors' code but for one thing: they find five landmarks on every face, which maps
of flow do not show; here they are constants, as in CausalNet's code.
"""

from typing import ClassVar

import flax.linen as nn
import jax

from mer_jax import checks
from mer_jax.models.layers import pytorch, transformer

# Rows and columns of eyes and mouth corners, of 28, in CausalNet's order: top left, top right,
# bottom left, bottom right of what is tiled. Theirs are (x, y), and read as (row, column).
CENTRES = ((9, 11), (21, 10), (10, 21), (20, 21))


class Htnet(nn.Module):
  """Flow image [B, H, W, 3] (u, v, optical strain) -> logits [B, K].

  At the default sizes, the authors', 139.6 M parameters and 214 M multiply-adds a clip of 28 x 28;
  .62 M with width 32, heads 2 and repeats (2, 2, 2).

  Attributes:
    num_classes: K.
    patch, width, heads, repeats, convolution: as in `transformer.NestedTransformer`.
    factor: on the image; 255 for the authors' range where the input is in 0..1.
  """

  num_classes: int
  patch: checks.Size = 7
  width: checks.Size = 256
  heads: checks.Size = 3
  repeats: tuple[checks.Size, ...] = (2, 2, 10)
  factor: float = 1.0
  convolution: str = "auto"

  takes: ClassVar[str] = "image"

  @nn.compact
  def __call__(self, inputs: dict[str, jax.Array], weights: jax.Array, *, train: bool) -> jax.Array:
    """Logits, float [B, K], of inputs["image"] (float [B, H, W, C]); neither other is read.

    Raises:
      ConfigError: as `transformer.check_patches`.
    """
    del weights, train
    image = inputs["image"]
    transformer.check_patches(image, self.patch, len(self.repeats))
    crops = transformer.face_crops(image * self.factor, CENTRES)
    x = transformer.NestedTransformer(
      self.patch, self.width, self.heads, self.repeats, self.convolution, name="trunk"
    )(crops)
    x = transformer.layer_norm("last_norm")(x).mean(axis=(1, 2))
    self.sow("features", "features", x)
    return pytorch.dense(x, self.num_classes, "logits")
