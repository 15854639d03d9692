"""Convolutions of many small models in one program, in several ways that compute the same.

Which is fastest depends on the device. Inside a loop XLA:CPU runs the gradient of a convolution
with respect to its weights some 25 times slower than outside, and under vmap over weights every
convolution becomes a grouped one, whose gradients are slow on GPUs too.

- "product": shifted slices side by side, and one matrix product. A batch that all folds share is
  sliced once and enters one product for all of them.
- "fused": the same, a few images and one fold at a time (conv_by_parts.py); where ReLU and max
  pooling follow they are one operation with the convolution (conv_pool.py). The fastest on CPUs.
- "grouped": what jax makes of a vmapped convolution.
"""

from collections.abc import Sequence
from typing import Any

import jax
from jax import lax

from mer_jax.models.layers.conv_by_parts import conv_by_parts
from mer_jax.models.layers.patches import Geometry, product

IMPLEMENTATIONS = ("auto", "fused", "product", "grouped")


def resolve(implementation: str) -> str:
  """`implementation`, one of `IMPLEMENTATIONS`; for "auto" the fastest on the default backend.

  That is "fused" on CPUs and "product" elsewhere.
  """
  if implementation != "auto":
    return implementation
  return "fused" if jax.default_backend() == "cpu" else "product"


def convolve(
  lhs: jax.Array,
  rhs: jax.Array,
  window_strides: Sequence[int],
  padding: str | Sequence[tuple[int, int]],
  *,
  implementation: str = "auto",
  rhs_dilation: Sequence[int] | None = None,
  precision: lax.PrecisionLike = None,
  **of_flax: Any,
) -> jax.Array:
  """`lax.conv_general_dilated` in the way of `implementation`, to be handed to nn.Conv.

  Args:
    lhs: float [B, *spatial, C], channels last as flax hands it over.
    rhs: float [*window, C, features].
    window_strides, padding, rhs_dilation: as in lax.conv_general_dilated.
    implementation: one of `IMPLEMENTATIONS`.
    precision: precision of the products.
    **of_flax: what nn.Conv hands over besides: dimension_numbers, always channels last;
      lhs_dilation and feature_group_count, which must be 1.

  Returns:
    float [B, *out, features].

  Raises:
    NotImplementedError: grouped or transposed convolution, which no model here uses.
  """
  grouped = of_flax.get("feature_group_count", 1) != 1
  if grouped or any(d != 1 for d in of_flax.get("lhs_dilation") or ()):
    raise NotImplementedError("convolve: grouped or input-dilated convolutions")
  dilation = tuple(rhs_dilation or (1,) * (rhs.ndim - 2))
  if isinstance(padding, str):
    reach = [(w - 1) * d + 1 for w, d in zip(rhs.shape[:-2], dilation, strict=True)]
    padding = lax.padtype_to_pads(lhs.shape[1:-1], reach, window_strides, padding)
  padding = tuple((int(low), int(high)) for low, high in padding)
  strides = tuple(window_strides)
  if resolve(implementation) == "grouped":
    return lax.conv_general_dilated(
      lhs,
      rhs,
      strides,
      padding,
      rhs_dilation=dilation,
      dimension_numbers=of_flax.get("dimension_numbers"),
      precision=precision,
    )
  geometry = Geometry(strides, padding, dilation, precision)
  # A window of one place looks at what there is already, and nothing is copied.
  if resolve(implementation) == "fused" and max(rhs.shape[:-2]) > 1:
    return conv_by_parts(lhs, rhs, geometry)
  return product(lhs, rhs, geometry)
