"""The same function for many folds: which arguments are each fold's own, and its gradients."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

# For each vmap, the outermost first: whether it goes over an argument.
Batched = Sequence[Sequence[bool]]


def normal(*shape: int, seed: int = 0) -> np.ndarray:
  return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def close(got, expected, *, rtol: float = 2e-4, atol: float = 2e-4) -> None:
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=atol), got, expected)


def weighed(outputs) -> jax.Array:
  """A loss in which every value of every output has a weight of its own, and a curvature."""
  return sum(
    jnp.sum(normal(*out.shape, seed=9 + i) * out * (0.5 + out))
    for i, out in enumerate(jax.tree.leaves(outputs))
  )


def scalar(function: Callable, *options) -> Callable:
  """The loss `weighed` of what `function` returns."""
  return lambda *arguments: weighed(function(*arguments, *options))


def with_outputs(function: Callable, *options) -> Callable:
  """`scalar` together with what `function` returns, for value_and_grad's has_aux."""

  def loss(*arguments):
    outputs = function(*arguments, *options)
    return weighed(outputs), outputs

  return loss


def over(function: Callable, batched: Batched) -> Callable:
  """`function` under one vmap for each of `batched`."""
  for axes in reversed(batched):
    function = jax.vmap(function, tuple(0 if is_batched else None for is_batched in axes))
  return function


def arguments_of(batched: Batched, shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
  """One normal array for each of `shapes`, with an axis for every vmap that goes over it."""
  sizes = (3,) if len(batched) == 1 else (2, 3)
  arrays = []
  for i, shape in enumerate(shapes):
    lead = [size for size, axes in zip(sizes, batched, strict=False) if axes[i]]
    arrays.append(normal(*lead, *shape, seed=i))
  return arrays


def of_each_fold(loss: Callable, batched: Batched, arguments: Sequence, active: tuple[int, ...]):
  """Each fold's value and gradients, those of arguments that folds share too: vmap of grad."""
  return jax.jit(over(jax.value_and_grad(loss, active), batched))(*arguments)


def of_all_folds(loss: Callable, batched: Batched, arguments: Sequence, active: tuple[int, ...]):
  """Gradients of the sum over folds, sums where folds share an argument: grad of vmap."""
  return jax.jit(jax.grad(lambda *a: over(loss, batched)(*a).sum(), active))(*arguments)
