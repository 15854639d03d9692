"""Linear SVMs, one class against the rest, of all folds by one program: squared hinge and L2.

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

from mer_jax.errors import TrainingError
from mer_jax.runtime import xla_guard
from mer_jax.runtime.progress import progress
from mer_jax.svm.balance import class_weights
from mer_jax.svm.features import scaled
from mer_jax.svm.problem import Problem

_MOST_STEPS = 1000  # ten do, unless cost and features are so large that next to no error is left
# Decision values that a step moves by no more are at the minimum, though rounding may still change
# which clips count as inside the margin.
_STILL = 1e-11
_GROUP = 8  # folds in one call of the program, and that start from one point


class _Point(NamedTuple):
  """Coefficients (w [D + 1], or a [N]) and the decision values [N] that follow from them."""

  coefficients: jax.Array
  values: jax.Array


class _Solved(NamedTuple):
  """Points of a chunk of folds: [F, K, R] and [F, K, N]."""

  coefficients: np.ndarray
  values: np.ndarray


class _State(NamedTuple):
  """What Newton's method carries: the point, whether it is the minimum, the steps so far."""

  point: _Point
  done: jax.Array
  steps: jax.Array


def decisions(problem: Problem, cost: float, *, shown: bool = True) -> np.ndarray:
  """Decision values of every fold and class for every clip.

  Args:
    problem: the training sets of the folds.
    cost: C.
    shown: whether to draw a progress bar.

  Returns:
    float64 [F, N, K]; 0 for a class that the fold lacks.

  Raises:
    TrainingError: a problem is too badly scaled to be solved in double precision.
  """
  rows, labels, copies, num_classes, balance, scale = problem
  folds, (n, d) = len(copies), rows.shape
  dual = d + 1 > n
  shared = _matrix(rows, dual) if scale == "none" else None
  # Groups of folds pay where there are several, and where all folds have the same coordinates.
  grouped = shared is not None and folds >= 2 * _GROUP
  size = min(folds, _GROUP)

  def matrix_of(part: np.ndarray) -> np.ndarray:
    if shared is not None:
      return shared
    return np.stack([_matrix(scaled(rows, count > 0, scale), dual) for count in part])

  def solve(copies: np.ndarray, starts: np.ndarray | None) -> Iterator[_Solved]:
    costs = _costs(labels, copies, num_classes, cost, balance)
    if starts is None:
      starts = np.zeros((*costs.shape[:2], n if dual else d + 1))
    signs = np.where(labels == np.arange(num_classes)[:, None], 1.0, -1.0)
    for first in range(0, len(copies), size):
      # All chunks have one size, so that one program fits them all: the last ends with some again.
      which = np.minimum(np.arange(first, first + size), len(copies) - 1)
      matrix = matrix_of(copies[which])
      yield _Solved(*_run(matrix, signs, costs[which], starts[which], dual))

  with progress(folds, "linear SVM", "fold", shown=shown) as bar:
    starts = None
    if grouped:
      coefficients = [part.coefficients for part in solve(_training_in_all(copies), None)]
      starts = np.repeat(np.concatenate(coefficients), _GROUP, axis=0)
    values = []
    for part in solve(copies, starts):
      values.append(part.values)
      bar.update(min(size, folds - bar.n))
  return np.concatenate(values)[:folds].transpose(0, 2, 1)


def weights(problem: Problem, cost: float) -> np.ndarray:
  """float64 [K, D + 1]: what the first fold of `problem` ends with, of its scaled rows; bias last.

  Raises:
    TrainingError: as `decisions`.
  """
  rows, labels, copies, num_classes, balance, scale = problem
  own = scaled(rows, copies[0] > 0, scale)
  dual = rows.shape[1] + 1 > len(rows)
  costs = _costs(labels, copies[:1], num_classes, cost, balance)
  signs = np.where(labels == np.arange(num_classes)[:, None], 1.0, -1.0)
  starts = np.zeros((1, num_classes, len(rows) if dual else rows.shape[1] + 1))
  coefficients = _run(_matrix(own, dual), signs, costs, starts, dual)[0][0]
  return coefficients @ _matrix(own, dual=False) if dual else coefficients


def _training_in_all(copies: np.ndarray) -> np.ndarray:
  """int [F / _GROUP, N], 1 where a clip trains in all folds of a group.

  The minimum for these clips is where the folds of the group start: near to their own, and nothing
  that any of them holds out has a part in it.
  """
  groups = [copies[first : first + _GROUP] for first in range(0, len(copies), _GROUP)]
  return np.stack([np.all(group > 0, axis=0) for group in groups]).astype(np.int64)


def _costs(
  labels: np.ndarray, copies: np.ndarray, num_classes: int, cost: float, balance: str
) -> np.ndarray:
  """float64 [F, K, N]: C_i of LinearSVC in the problem of each class against the rest.

  LIBLINEAR weighs the class that stands against the rest; of only two classes it solves one
  problem, in which both are weighted.
  """
  members = labels == np.arange(num_classes)[:, None]  # [K, N]
  costs = np.zeros((len(copies), num_classes, len(labels)))
  for part, count in zip(costs, copies, strict=True):
    weights = class_weights(labels, count, num_classes, balance)
    two = (weights > 0).sum() == 2
    factor = weights[labels][None] if two else np.where(members, weights[:, None], 1.0)
    part[:] = cost * count * factor * (weights > 0)[:, None]
  return costs


def _run(
  matrix: np.ndarray, signs: np.ndarray, costs: np.ndarray, starts: np.ndarray, dual: bool
) -> tuple[np.ndarray, np.ndarray]:
  """Coefficients [F, K, R] and decision values [F, K, N] at the minimum of every problem."""
  # Costs of 1000 and features of a histogram are beyond single precision, and not every accelerator
  # has more. LAPACK factorises one small matrix after another; threads would wait for each other.
  with (
    jax.enable_x64(True),
    jax.default_device(_cpu()),
    threadpool_limits(1, user_api="blas"),
  ):
    coefficients, values, done = jax.device_get(_solve_all(matrix, signs, costs, starts, dual))
  if not done.all():
    raise TrainingError(
      f"The linear SVM of {int((~done).any(axis=1).sum())} folds did not reach its minimum in"
      f" {_MOST_STEPS} steps: features and cost together are beyond double precision. Choose"
      " scale=standardise, or a lower cost."
    )
  return coefficients, values


def _cpu() -> jax.Device:
  try:
    return jax.local_devices(backend="cpu")[0]
  except RuntimeError:  # JAX_PLATFORMS names an accelerator alone
    return jax.local_devices()[0]


def _matrix(rows: np.ndarray, dual: bool) -> np.ndarray:
  """The rows with their constant 1, [N, D + 1]; or the products of each with each, [N, N]."""
  if not dual:
    return np.concatenate([rows, np.ones((len(rows), 1))], axis=1)
  return rows @ rows.T + 1


@functools.partial(xla_guard.jit, static_argnames="dual")
def _solve_all(
  matrix: jax.Array, signs: jax.Array, costs: jax.Array, starts: jax.Array, dual: bool
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Coefficients [F, K, R], values [F, K, N], and whether that is the minimum, bool [F, K].

  One problem after another: side by side, all would wait for the one with the most steps, and their
  matrices would not stay in the cache.
  """

  def fold(given: tuple[jax.Array, ...]) -> tuple[jax.Array, jax.Array, jax.Array]:
    costs, starts, *own = given
    matrix_of_fold = own[0] if own else matrix
    return jax.lax.map(
      lambda one: _solve(matrix_of_fold, one[0], one[1], one[2], dual), (signs, costs, starts)
    )

  return jax.lax.map(fold, (costs, starts) if matrix.ndim == 2 else (costs, starts, matrix))


def _solve(
  matrix: jax.Array, sign: jax.Array, cost: jax.Array, start: jax.Array, dual: bool
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Newton's method on one problem: [N, D + 1] or [N, N], y [N], c [N], from a point."""
  system = _by_coefficients if dual else _by_weights
  minimise, inner = system(matrix, sign, cost)

  def inside(values: jax.Array) -> jax.Array:
    return (cost > 0) & (sign * values < 1)

  def step(state: _State) -> _State:
    active = inside(state.point.values)
    target = minimise(active)
    # Of the training clips alone: those held out must not decide when to stop.
    moves = jnp.where(cost > 0, jnp.abs(target.values - state.point.values), 0)
    done = jnp.all(inside(target.values) == active) | (jnp.max(moves) < _STILL)
    length = jnp.where(done, 1.0, _line_search(state.point, target, inner, sign, cost))
    moved = jax.tree.map(lambda a, b: jnp.where(done, b, a + length * (b - a)), state.point, target)
    return _State(moved, done, state.steps + 1)

  end = jax.lax.while_loop(
    lambda state: ~state.done & (state.steps < _MOST_STEPS),
    step,
    _State(_Point(start, matrix @ start), jnp.array(False), jnp.array(0)),
  )
  return end.point.coefficients, end.point.values, end.done


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

  low, high = jax.lax.fori_loop(0, 30, halve, (jnp.array(0.0), jnp.array(1.0)))
  return (low + high) / 2
