"""A convolution a few images at a time, fold by fold: what it is whole, whatever is batched."""

import jax
import numpy as np
import pytest
from batching import arguments_of, close, normal, of_all_folds, of_each_fold, over, scalar
from jax import lax

from mer_jax.models.layers import side_by_side
from mer_jax.models.layers.conv_by_parts import conv_by_parts
from mer_jax.models.layers.patches import Geometry, product

SAME = Geometry((1, 1), ((1, 1), (1, 1)), (1, 1))
UNEVEN = Geometry((2, 1), ((0, 1), (2, 0)), (1, 2))
# Which of x and kernel have an axis of folds, or an outer one of seeds.
PATTERNS = {
  "own_weights": [(False, True)],
  "own_weights_and_images": [(True, True)],
  "own_images": [(True, False)],
  "seeds_of_folds": [(True, True), (False, True)],
  "seeds_share_images": [(False, True), (False, True)],
}
SHAPES = [(6, 5, 4, 2), (3, 3, 2, 4)]


def plain(x, kernel, geometry):
  return lax.conv_general_dilated(
    x,
    kernel,
    geometry.strides,
    geometry.padding,
    rhs_dilation=geometry.dilation,
    dimension_numbers=("NHWC", "HWIO", "NHWC"),
  )


@pytest.fixture(params=[1, 3000, side_by_side.PART_BYTES], ids=["image", "some", "whole"])
def part(monkeypatch, request):
  """Parts of one image, of some images, and of all."""
  monkeypatch.setattr(side_by_side, "PART_BYTES", request.param)


@pytest.mark.parametrize("geometry", [SAME, UNEVEN], ids=["same", "uneven"])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_folds_and_their_gradients_are_those_of_the_convolution(part, pattern, geometry):
  batched = PATTERNS[pattern]
  arguments = arguments_of(batched, SHAPES)
  got, expected = (
    of_each_fold(scalar(function, geometry), batched, arguments, (0, 1))
    for function in (conv_by_parts, plain)
  )
  close(got, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("pattern", ["own_weights", "seeds_of_folds"])
def test_gradients_of_what_folds_share_are_summed_outside_vmap(part, pattern):
  batched = PATTERNS[pattern]
  arguments = arguments_of(batched, SHAPES)
  got, expected = (
    of_all_folds(scalar(function, SAME), batched, arguments, (0, 1))
    for function in (conv_by_parts, plain)
  )
  assert got[0].shape == arguments[0].shape
  close(got, expected, rtol=1e-3, atol=1e-3)


def test_a_fold_that_is_not_finite_changes_no_bit_of_the_others(part):
  batched = PATTERNS["own_weights"]
  x, kernel = arguments_of(batched, SHAPES)
  run = jax.jit(over(jax.value_and_grad(scalar(conv_by_parts, SAME), (0, 1)), batched))
  broken = kernel.copy()
  broken[1] = np.nan
  before, after = run(x, kernel), run(x, broken)
  assert np.isnan(after[0][1])
  for a, b in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True):
    np.testing.assert_array_equal(a[::2], b[::2])


def test_nothing_of_the_size_of_what_is_looked_at_is_kept_for_the_gradient():
  x, kernel = normal(6, 16, 16, 8), normal(5, 5, 8, 8, seed=1)

  def kept(function):
    pull = jax.eval_shape(lambda *a: jax.vjp(lambda x, k: function(x, k, SAME), *a)[1], x, kernel)
    return sum(leaf.size for leaf in jax.tree.leaves(pull))

  assert kept(conv_by_parts) == x.size + kernel.size
  assert kept(product) > 10 * x.size
