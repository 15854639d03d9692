"""Kernel SVMs, fold by fold: scikit-learn's SVC (LIBSVM) on a matrix of kernel values.

The kernel matrix is one product of matrices for all folds together, which LIBSVM would compute pair
by pair in each of them; what SVC then solves is the same.
"""

from typing import NamedTuple

import numpy as np

from mer_jax.errors import DataError
from mer_jax.runtime.progress import progress
from mer_jax.svm.balance import class_weights
from mer_jax.svm.features import scaled
from mer_jax.svm.problem import Problem

KERNELS = ("rbf", "poly")


class Kernel(NamedTuple):
  """exp(-gamma |x - z|^2) for "rbf", (gamma <x, z> + coef0)^degree for "poly".

  Attributes:
    name: one of `KERNELS`.
    gamma: a number above 0; None: 1 / (D v), v the variance of all numbers in the fold's training
      set, which scikit-learn calls "scale".
    degree: of "poly".
    coef0: of "poly".
  """

  name: str
  gamma: float | None
  degree: int
  coef0: float


def decisions(
  problem: Problem, kernel: Kernel, cost: float, *, shown: bool = True
) -> tuple[np.ndarray, np.ndarray]:
  """Predictions of every clip by the SVM of every fold.

  Args:
    problem: every fold has clips of at least two classes.
    kernel: what is computed of two rows.
    cost: C.
    shown: whether to draw a progress bar.

  Returns:
    decisions: float64 [F, N, K], SVC.decision_function; of two classes the second has the negative
      of the first; 0 for a class that the fold lacks.
    prediction: int64 [F, N], SVC.predict.

  Raises:
    DataError: a number overflows.
  """
  rows, labels, copies, num_classes, balance, scale = problem
  values = np.zeros((len(copies), len(rows), num_classes))
  predicted = np.zeros(values.shape[:2], np.int64)
  shared = _pairs(kernel, rows) if scale == "none" else None
  with progress(len(copies), f"{kernel.name} SVM", "fold", shown=shown) as bar:
    for f, count in enumerate(copies):
      own = rows if shared is not None else scaled(rows, count > 0, scale)
      pairs = _pairs(kernel, own) if shared is None else shared
      trains = np.repeat(np.arange(len(rows)), count)
      gamma = _scale(own[trains]) if kernel.gamma is None else kernel.gamma
      weights = class_weights(labels, count, num_classes, balance)
      table = _table(kernel, pairs[:, trains], own, gamma)
      values[f], predicted[f] = _fold(table, trains, labels, cost, weights)
      bar.update()
  return values, predicted


class Vectors(NamedTuple):
  """What one SVC has learned, of K' classes that it met.

  Attributes:
    support: float64 [V, D], support vectors, class by class.
    duals: float64 [K' - 1, V], their coefficients as SVC.dual_coef_ has them.
    intercept: float64 [K' (K' - 1) / 2], SVC.intercept_.
    counts: float64 [K'], support vectors of each class.
    gamma: of the kernel, a number.
  """

  support: np.ndarray
  duals: np.ndarray
  intercept: np.ndarray
  counts: np.ndarray
  gamma: np.ndarray


def vectors(problem: Problem, kernel: Kernel, cost: float) -> Vectors:
  """What the first fold of `problem` ends with, of its scaled rows; see `decisions`."""
  rows, labels, copies, num_classes, balance, scale = problem
  own = scaled(rows, copies[0] > 0, scale)
  trains = np.repeat(np.arange(len(rows)), copies[0])
  gamma = _scale(own[trains]) if kernel.gamma is None else kernel.gamma
  weights = class_weights(labels, copies[0], num_classes, balance)
  table = _table(kernel, _pairs(kernel, own)[np.ix_(trains, trains)], own, gamma)
  machine = _trained(table, labels[trains], cost, weights)
  return Vectors(
    own[trains][machine.support_],
    machine.dual_coef_,
    machine.intercept_,
    machine.n_support_.astype(np.float64),
    np.asarray(gamma, np.float64),
  )


def decisions_by(
  vectors: Vectors, kernel: Kernel, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """What SVC.decision_function and SVC.predict give of `rows` by `vectors`.

  Args:
    vectors: of K' classes.
    kernel: what is computed of two rows.
    rows: float64 [N, D], scaled.

  Returns:
    decisions: float64 [N, K']; of two classes the second has the negative of the first.
    prediction: int64 [N], in 0..K' - 1.
  """
  table = _kernel(kernel, _pairs(kernel, rows, vectors.support), float(vectors.gamma))
  ends = np.cumsum(vectors.counts.astype(int))
  blocks = [slice(end - int(count), end) for end, count in zip(ends, vectors.counts, strict=True)]
  classes = len(blocks)
  if classes == 2:
    values = table @ vectors.duals[0] + vectors.intercept[0]
    return np.stack([-values, values], axis=1), (values > 0).astype(np.int64)
  votes, sums = np.zeros((len(rows), classes)), np.zeros((len(rows), classes))
  pairs = [(i, j) for i in range(classes) for j in range(i + 1, classes)]
  for (i, j), intercept in zip(pairs, vectors.intercept, strict=True):
    # Above 0 it speaks for class i; a class has one coefficient for each of the others.
    value = table[:, blocks[i]] @ vectors.duals[j - 1, blocks[i]]
    value += table[:, blocks[j]] @ vectors.duals[i, blocks[j]] + intercept
    votes[:, i] += value > 0
    votes[:, j] += value <= 0
    sums[:, i] += value
    sums[:, j] -= value
  # scikit-learn's way to make one number a class of votes and margins: the votes decide.
  return votes + sums / (3 * (np.abs(sums) + 1)), votes.argmax(axis=1)


def _pairs(kernel: Kernel, rows: np.ndarray, others: np.ndarray | None = None) -> np.ndarray:
  """|x - z|^2 or <x, z> of `rows` with `others`, or with themselves: float64 [N, M]."""
  products = rows @ (rows if others is None else others).T
  if kernel.name == "poly":
    return products
  squares = np.diag(products) if others is None else np.einsum("nd,nd->n", rows, rows)
  of_others = squares if others is None else np.einsum("nd,nd->n", others, others)
  return np.maximum(squares[:, None] + of_others[None, :] - 2 * products, 0)


def _scale(rows: np.ndarray) -> float:
  variance = rows.var()
  return 1 / (rows.shape[1] * variance) if variance > 0 else 1.0


def _kernel(kernel: Kernel, pairs: np.ndarray, gamma: float) -> np.ndarray:
  if kernel.name == "rbf":
    return np.exp(-gamma * pairs)
  return (gamma * pairs + kernel.coef0) ** kernel.degree


def _table(kernel: Kernel, pairs: np.ndarray, rows: np.ndarray, gamma: float) -> np.ndarray:
  """`_kernel`; raises DataError where a number overflows."""
  with np.errstate(over="ignore"):
    table = _kernel(kernel, pairs, gamma)
  if not np.isfinite(table).all():
    raise DataError(
      f"The {kernel.name} kernel overflows: features as large as {np.abs(rows).max():.3g}, gamma"
      f" {gamma:.3g}. Choose scale=standardise, or gamma=scale."
    )
  return table


def _fold(
  table: np.ndarray, trains: np.ndarray, labels: np.ndarray, cost: float, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """`decisions` of one fold; `table` has the kernel of all clips with those that train."""
  machine = _trained(table[trains], labels[trains], cost, weights)
  values_of_classes = machine.decision_function(table)
  if values_of_classes.ndim == 1:
    values_of_classes = np.stack([-values_of_classes, values_of_classes], axis=1)
  values = np.zeros((len(table), len(weights)))
  values[:, machine.classes_] = values_of_classes
  return values, machine.predict(table)


def _trained(table: np.ndarray, labels: np.ndarray, cost: float, weights: np.ndarray):
  """SVC on the kernel values of its n training clips with each other, [n, n]."""
  from sklearn.svm import SVC  # a second of imports that linear SVMs do without

  machine = SVC(C=cost, kernel="precomputed", class_weight=dict(enumerate(weights)))
  return machine.fit(table, labels)
