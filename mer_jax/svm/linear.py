"""Linear SVMs, one class against the rest, of all folds in one program: squared hinge and L2.

The objective is that of scikit-learn's LinearSVC (LIBLINEAR; Fan et al., JMLR 9, 2008), for the
training clips i of a fold and one class,

  min_w  1/2 |w|^2 + sum_i c_i max(0, 1 - y_i <w, x_i>)^2,   y_i = 1 in the class, else -1,

where x_i ends with a constant 1, so the bias is a part of w and regularised like the rest. The
objective is strictly convex and piecewise quadratic: Newton's method with an exact line search
(Keerthi and DeCoste, JMLR 6, 2005) arrives at the minimum itself after some ten steps, one linear
system each. It is solved for w where D + 1 <= N, else for the coefficients a of w = sum_i a_i x_i
(Chapelle, Neural Computation 19, 2007), where the clips enter as their products <x_i, x_j> alone.
"""

import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from threadpoolctl import threadpool_limits

from mer_jax.errors import DataError, TrainingError
from mer_jax.progress import progress
from mer_jax.svm.features import scaled

_MOST_STEPS = 100
# A clip this near to the margin contributes nothing, whether it counts as inside or outside.
_AT_THE_MARGIN = 1e-9
_CHUNK_BYTES = 2**27


class _Point(NamedTuple):
  """Coefficients (w [D + 1], or a [N]) and the decision values [N] that follow from them."""

  coefficients: jax.Array
  values: jax.Array


class _State(NamedTuple):
  """What Newton's method carries: the point, whether it is the minimum, the steps so far."""

  point: _Point
  done: jax.Array
  steps: jax.Array


def decisions(
  rows: np.ndarray,
  labels: np.ndarray,
  costs: np.ndarray,
  scale: str,
  *,
  shown: bool = True,
) -> np.ndarray:
  """Decision values of every fold and class for every clip.

  Args:
    rows: float64 [N, D].
    labels: int [N] in 0..K-1.
    costs: float64 [F, K, N], the c_i of each problem; 0 for clips that do not train in the fold.
    scale: one of features.SCALES, fitted on the clips with a cost.
    shown: whether to draw a progress bar.

  Returns:
    float64 [F, N, K]; 0 where a problem has no clip with a cost.

  Raises:
    DataError: products of features overflow.
    TrainingError: a problem is too badly scaled to be solved in double precision.
  """
  folds, classes, n = costs.shape
  dual = rows.shape[1] + 1 > n
  size = _folds_in_a_chunk(folds, classes, n, rows.shape[1] + 1)
  signs = np.where(labels == np.arange(classes)[:, None], 1.0, -1.0)
  parts = []
  # Costs of 1000 and features of a histogram are beyond single precision.
  with (
    jax.enable_x64(True),
    progress(folds, "linear SVM", "fold", shown=shown) as bar,
  ):
    for given, part in _chunks(rows, costs, scale, size, dual):
      # On a CPU, LAPACK factorises one small matrix after another; threads would only wait for
      # each other.
      with threadpool_limits(1, user_api="blas"):
        values, done = jax.device_get(_solve_all(given, signs, part, dual))
      if not done.all():
        raise TrainingError(
          f"The linear SVM of {int((~done).any(axis=1).sum())} folds did not reach its minimum in"
          f" {_MOST_STEPS} steps: features and cost together are beyond double precision. Choose"
          " scale=standardise, or a lower cost."
        )
      parts.append(values)
      bar.update(min(size, folds - bar.n))
  return np.concatenate(parts)[:folds].transpose(0, 2, 1)


def _folds_in_a_chunk(folds: int, classes: int, n: int, d: int) -> int:
  one = 8 * classes * (n * n if d > n else d * (n + d))
  most = max(1, _CHUNK_BYTES // one)
  return -(-folds // -(-folds // most))  # chunks of one size, so that one program fits them all


def _chunks(
  rows: np.ndarray, costs: np.ndarray, scale: str, size: int, dual: bool
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
  """What each call of the program gets: its matrices, with a fold axis if scaled, and its costs."""
  shared = _matrix(rows, dual) if scale == "none" else None
  for start in range(0, len(costs), size):
    part = costs[start : start + size]
    short = size - len(part)
    if short:  # folds without a cost are solved at once
      part = np.concatenate([part, np.zeros((short, *part.shape[1:]))])
    trained_by = part.any(axis=1)
    if shared is not None:
      yield shared, part
    else:
      own = [scaled(rows, trains, scale) if trains.any() else rows for trains in trained_by]
      yield np.stack([_matrix(one, dual) for one in own]), part


def _matrix(rows: np.ndarray, dual: bool) -> np.ndarray:
  """The rows with their constant 1, [N, D + 1]; or the products of each with each, [N, N]."""
  if not dual:
    return np.concatenate([rows, np.ones((len(rows), 1))], axis=1)
  with np.errstate(over="ignore", invalid="ignore"):
    products = rows @ rows.T + 1
  if not np.isfinite(products).all():
    raise DataError("Features are so large that their squares overflow. Scale them down.")
  return products


@functools.partial(jax.jit, static_argnames="dual")
def _solve_all(
  matrix: jax.Array, signs: jax.Array, costs: jax.Array, dual: bool
) -> tuple[jax.Array, jax.Array]:
  """Decision values [F, K, N] and whether each is that of the minimum, bool [F, K]."""
  solve = functools.partial(_solve, dual=dual)
  by_class = jax.vmap(solve, in_axes=(None, 0, 0))
  return jax.vmap(by_class, in_axes=(None if matrix.ndim == 2 else 0, None, 0))(
    matrix, signs, costs
  )


def _solve(
  matrix: jax.Array, sign: jax.Array, cost: jax.Array, dual: bool
) -> tuple[jax.Array, jax.Array]:
  """Newton's method on one problem: [N, D + 1] or [N, N], y [N], c [N]."""
  system = _by_coefficients if dual else _by_weights
  minimise, inner = system(matrix, sign, cost)

  def inside(values: jax.Array) -> jax.Array:
    return (cost > 0) & (sign * values < 1)

  def step(state: _State) -> _State:
    active = inside(state.point.values)
    target = minimise(active)
    settled = (inside(target.values) == active) | (
      jnp.abs(1 - sign * target.values) < _AT_THE_MARGIN
    )
    done = jnp.all(settled)
    length = jnp.where(done, 1.0, _line_search(state.point, target, inner, sign, cost))
    moved = jax.tree.map(lambda a, b: jnp.where(done, b, a + length * (b - a)), state.point, target)
    return _State(moved, done, state.steps + 1)

  start = _Point(jnp.zeros(matrix.shape[1]), jnp.zeros(matrix.shape[0]))
  end = jax.lax.while_loop(
    lambda state: ~state.done & (state.steps < _MOST_STEPS),
    step,
    _State(start, jnp.array(False), jnp.array(0)),
  )
  return end.point.values, end.done


_System = tuple[Callable[[jax.Array], _Point], Callable[[_Point, _Point], jax.Array]]


def _by_weights(rows: jax.Array, sign: jax.Array, cost: jax.Array) -> _System:
  """The minimum of the quadratic piece with the clips `active`, and <w, w'> of two points."""

  def minimise(active: jax.Array) -> _Point:
    weighted = rows * (2 * cost * active)[:, None]
    hessian = jnp.eye(rows.shape[1]) + weighted.T @ rows
    w = _solve_positive(hessian, weighted.T @ sign)
    return _Point(w, rows @ w)

  return minimise, lambda p, q: p.coefficients @ q.coefficients


def _by_coefficients(products: jax.Array, sign: jax.Array, cost: jax.Array) -> _System:
  """The same for w = sum_i a_i x_i. A clip that is not active has a_i = 0."""

  def minimise(active: jax.Array) -> _Point:
    ridge = jnp.where(active, 1 / (2 * jnp.where(active, cost, 1)), 1.0)
    system = products * (active[:, None] & active[None, :]) + jnp.diag(ridge)
    a = _solve_positive(system, sign * active)
    return _Point(a, products @ a)

  return minimise, lambda p, q: p.coefficients @ q.values


def _solve_positive(matrix: jax.Array, right: jax.Array) -> jax.Array:
  return jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(matrix, lower=True), right)


def _line_search(
  point: _Point,
  target: _Point,
  inner: Callable[[_Point, _Point], jax.Array],
  sign: jax.Array,
  cost: jax.Array,
) -> jax.Array:
  """Where in 0..1 between two points the objective is least, by bisection on its slope."""
  along = jax.tree.map(jnp.subtract, target, point)
  linear, quadratic = inner(along, point), inner(along, along)
  rise = sign * along.values

  def slope(s: jax.Array) -> jax.Array:
    short = jnp.maximum(0, 1 - sign * point.values - s * rise)
    return linear + s * quadratic - 2 * jnp.sum(cost * short * rise)

  def halve(_, bounds: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
    middle = (bounds[0] + bounds[1]) / 2
    falls = slope(middle) < 0
    return jnp.where(falls, middle, bounds[0]), jnp.where(falls, bounds[1], middle)

  low, high = jax.lax.fori_loop(0, 50, halve, (jnp.array(0.0), jnp.array(1.0)))
  return (low + high) / 2
