"""Convolutions of many small models in one program, in several ways that compute the same.

Which is fastest depends on the device. Inside a loop XLA:CPU runs the gradient of a convolution
with respect to its weights some 25 times slower than outside, and under vmap over weights every
convolution becomes a grouped one, whose gradients are slow on GPUs too.

- "product": shifted slices side by side, and one matrix product. A batch that all folds share is
  sliced once and enters one product for all of them.
- "fused": the same, but where ReLU and max pooling follow they are one operation with the
  convolution (mer_jax.models.conv_pool). The fastest on CPUs.
- "grouped": what jax makes of a vmapped convolution.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

# Windows up to this size are sliced place by place, which copies less; larger ones axis by axis.
LARGEST_SLICED = 3

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
  return _product(lhs, rhs, strides, padding, dilation, precision)


def _product(lhs, rhs, strides, padding, dilation, precision) -> jax.Array:
  patches_of = _patches if max(rhs.shape[:-2]) <= LARGEST_SLICED else _patches_by_axis
  patches = patches_of(lhs, rhs.shape[:-2], strides, padding, dilation)
  return jnp.dot(patches, rhs.reshape(-1, rhs.shape[-1]), precision=precision)


def _patches(lhs, window, strides, padding, dilation) -> jax.Array:
  """What each output looks at, float [B, *out, window * C]."""
  lhs = jnp.pad(lhs, ((0, 0), *padding, (0, 0)))
  out = [
    (n - (w - 1) * d - 1) // s + 1
    for n, w, d, s in zip(lhs.shape[1:-1], window, dilation, strides, strict=True)
  ]
  slices = []
  for offset in itertools.product(*map(range, window)):
    first = [o * d for o, d in zip(offset, dilation, strict=True)]
    end = [f + (n - 1) * s + 1 for f, n, s in zip(first, out, strides, strict=True)]
    slices.append(
      lax.slice(lhs, (0, *first, 0), (lhs.shape[0], *end, lhs.shape[-1]), (1, *strides, 1))
    )
  return jnp.concatenate(slices, axis=-1)


def _patches_by_axis(lhs, window, strides, padding, dilation) -> jax.Array:
  """As `_patches`, the last axis first: a window of 7 x 7 is then 14 slices instead of 49."""
  x = jnp.pad(lhs, ((0, 0), *padding, (0, 0)))
  for axis in reversed(range(1, x.ndim - 1)):
    size, stride, dilate = window[axis - 1], strides[axis - 1], dilation[axis - 1]
    out = (x.shape[axis] - (size - 1) * dilate - 1) // stride + 1
    starts = [i * dilate for i in range(size)]
    slices = [lax.slice_in_dim(x, i, i + (out - 1) * stride + 1, stride, axis) for i in starts]
    x = jnp.concatenate(slices, axis=-1)
  return x
