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
      with np.errstate(over="ignore"):
        table = _kernel(kernel, pairs, gamma)[:, trains]
      if not np.isfinite(table).all():
        raise DataError(
          f"The {kernel.name} kernel overflows: features as large as {np.abs(own).max():.3g}, gamma"
          f" {gamma:.3g}. Choose scale=standardise, or gamma=scale."
        )
      values[f], predicted[f] = _fold(table, trains, labels, cost, weights)
      bar.update()
  return values, predicted


def _pairs(kernel: Kernel, rows: np.ndarray) -> np.ndarray:
  """|x - z|^2 or <x, z> of all pairs, float64 [N, N]."""
  products = rows @ rows.T
  if kernel.name == "poly":
    return products
  squares = np.diag(products)
  return np.maximum(squares[:, None] + squares[None, :] - 2 * products, 0)


def _scale(rows: np.ndarray) -> float:
  variance = rows.var()
  return 1 / (rows.shape[1] * variance) if variance > 0 else 1.0


def _kernel(kernel: Kernel, pairs: np.ndarray, gamma: float) -> np.ndarray:
  if kernel.name == "rbf":
    return np.exp(-gamma * pairs)
  return (gamma * pairs + kernel.coef0) ** kernel.degree


def _fold(
  table: np.ndarray, trains: np.ndarray, labels: np.ndarray, cost: float, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """`decisions` of one fold; `table` has the kernel of all clips with those that train."""
  from sklearn.svm import SVC  # a second of imports that linear SVMs do without

  machine = SVC(C=cost, kernel="precomputed", class_weight=dict(enumerate(weights)))
  machine.fit(table[trains], labels[trains])
  values_of_classes = machine.decision_function(table)
  if values_of_classes.ndim == 1:
    values_of_classes = np.stack([-values_of_classes, values_of_classes], axis=1)
  values = np.zeros((len(table), len(weights)))
  values[:, machine.classes_] = values_of_classes
  return values, machine.predict(table)
