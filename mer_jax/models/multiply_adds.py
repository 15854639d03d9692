"""Multiply-adds of a function, counted in its jaxpr: products and convolutions, nothing else."""

import math
from collections.abc import Callable

import jax
from jax.extend import core


def multiply_adds(function: Callable, *arguments) -> int:
  """Pairs that `function` multiplies and adds on arguments of these shapes.

  Raises:
    NotImplementedError: they depend on how often a loop runs that ends by a condition.
  """
  return _of_jaxpr(jax.make_jaxpr(function)(*arguments).jaxpr)


def _of_jaxpr(jaxpr: core.Jaxpr) -> int:
  return sum(map(_of_equation, jaxpr.eqns))


def _of_equation(equation) -> int:
  name, params = equation.primitive.name, equation.params
  if name == "dot_general":
    (contracted, _), _ = params["dimension_numbers"]
    sizes = equation.invars[0].aval.shape
    return equation.outvars[0].aval.size * math.prod(sizes[axis] for axis in contracted)
  if name == "conv_general_dilated":
    kernel = equation.invars[1].aval.shape
    features = kernel[params["dimension_numbers"].rhs_spec[0]]
    return equation.outvars[0].aval.size * math.prod(kernel) // features
  inner = [getattr(p, "jaxpr", p) for p in jax.tree.leaves(list(params.values()))]
  count = sum(_of_jaxpr(p) for p in inner if isinstance(p, core.Jaxpr))
  if name == "while" and count:
    raise NotImplementedError("a loop whose length is not in the jaxpr")
  return count * params.get("length", 1)
