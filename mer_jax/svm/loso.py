"""Leave-one-subject-out with a support vector machine: from features to a score of every clip."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from mer_jax import checks
from mer_jax.errors import ConfigError, DataError, unknown
from mer_jax.svm import features as rows_of
from mer_jax.svm import libsvm, linear
from mer_jax.svm.balance import BALANCES, copies
from mer_jax.svm.problem import Problem

KERNELS = ("linear", *libsvm.KERNELS)
# Linear: what reproduces the published LBP-TOP rows best. Kernels: the reference on flow maps.
DEFAULT_COST = {"linear": 1000.0, "rbf": 3.0, "poly": 3.0}


class Machine(NamedTuple):
  """The options of a support vector machine.

  Attributes:
    kernel: "linear": one class against the rest, squared hinge, the objective of scikit-learn's
      LinearSVC (see svm.linear). "rbf", "poly": scikit-learn's SVC, one class against one.
    cost: C > 0, the price of an error beside the norm; None: 1000 for "linear", else 3.
    gamma: of "rbf" and "poly", a number above 0 or "scale": 1 / (D v), v the variance of all
      numbers in the fold's training set.
    degree: of "poly", at least 1.
    coef0: of "poly": (gamma <x, z> + coef0)^degree.
    balance: "class_weights": C times n / (K' n_k) for the n_k of n training clips that are of class
      k, K' classes present; in "linear", with more than two classes, for the clips of the class
      that stands against the rest, whose C stays (LinearSVC does so). "oversample": random copies
      of clips until all classes are equally frequent. "none".
    scale: "none", "standardise" (mean 0, deviation 1) or "minmax" (0..1) of every column, fitted on
      the fold's training clips.
    seed: of the copies, an integer >= 0.
  """

  kernel: str = "linear"
  cost: float | None = None
  gamma: float | str = "scale"
  degree: int = 2
  coef0: float = 0.0
  balance: str = "class_weights"
  scale: str = "none"
  seed: int = 0


MACHINE = Machine()


class Scores(NamedTuple):
  """Predictions of N clips, each by the fold that held it out.

  Attributes:
    decisions: float32 [N, K], decision values; -inf for a class of which the fold had no clip.
    prediction: int64 [N].
    probabilities: float32 [N, K], the softmax of the decision values; see `loso`.
  """

  decisions: np.ndarray
  prediction: np.ndarray
  probabilities: np.ndarray


class Everywhere(NamedTuple):
  """Predictions of each of N clips by each of F folds, clips that it learned from included.

  Attributes:
    decisions: float64 [F, N, K]; -inf for a class of which the fold had no clip.
    prediction: int64 [F, N].
  """

  decisions: np.ndarray
  prediction: np.ndarray


def loso(
  features: np.ndarray | Mapping[str, np.ndarray],
  labels: np.ndarray,
  held_out: np.ndarray,
  num_classes: int,
  machine: Machine = MACHINE,
  *,
  shown: bool = True,
) -> Scores:
  """Trains one SVM for each fold, which predicts the clips that the fold holds out.

  A fold lacks the classes that only its held-out clips have: they get the decision value -inf and
  are never predicted. A fold with clips of one class alone says that class, with the value 0.

  Args:
    features: [N, ...] of a real dtype, or a dict of one such array (a "mask" beside it is left
      out), as mer_jax.inputs makes; flattened to [N, D].
    labels: int [N] in 0..K-1.
    held_out: bool [F, N], True where fold f holds out clip n; one True in each column.
    num_classes: K >= 2.
    machine: the options.
    shown: whether to draw a progress bar.

  Returns:
    Scores. The probabilities order the classes of a clip as the decision values do and are no
    more than that: they are not calibrated. Their largest is always that of the prediction; where
    one-against-one votes are tied, SVC.predict takes the first of those classes and not that of the
    largest value, and the two exchange their probabilities.

  Raises:
    ConfigError: an option out of range, or several arrays of features.
    DataError: arrays that contradict each other, or features that are not finite.
    TrainingError: features and cost are beyond double precision.
  """
  of_folds = everywhere(features, labels, held_out, num_classes, machine, shown=shown)
  clips = np.arange(of_folds.decisions.shape[1])
  fold = np.argmax(held_out, axis=0)
  decisions, prediction = of_folds.decisions[fold, clips], of_folds.prediction[fold, clips]
  return Scores(decisions.astype(np.float32), prediction, probabilities_of(decisions, prediction))


def everywhere(
  features: np.ndarray | Mapping[str, np.ndarray],
  labels: np.ndarray,
  held_out: np.ndarray,
  num_classes: int,
  machine: Machine,
  *,
  shown: bool = True,
) -> Everywhere:
  """Predictions of all clips by the SVM of each fold; arguments and errors are those of `loso`."""
  kernel, cost = checked_options(machine)
  rows = rows_of.flat(features)
  labels, held_out = _checked_arrays(len(rows), labels, held_out, num_classes)
  counts = copies(labels, held_out, num_classes, machine.balance, machine.seed)
  present = present_classes(labels, counts, num_classes)
  values = np.zeros((len(counts), len(rows), num_classes))
  prediction = np.broadcast_to(present.argmax(axis=1)[:, None], values.shape[:2]).copy()
  several = present.sum(axis=1) > 1
  problem = Problem(rows, labels, counts[several], num_classes, machine.balance, machine.scale)
  if several.any() and machine.kernel == "linear":
    values[several] = linear.decisions(problem, cost, shown=shown)
  elif several.any():
    values[several], prediction[several] = libsvm.decisions(problem, kernel, cost, shown=shown)
  values = np.where(present[:, None, :], values, -np.inf)
  if machine.kernel == "linear":
    prediction = values.argmax(axis=2)
  return Everywhere(values, prediction)


def checked_options(machine: Machine) -> tuple[libsvm.Kernel, float]:
  """The kernel and C, once every option is known to be allowed."""
  checks.check_choice("balance", machine.balance, BALANCES)
  checks.check_choice("scale", machine.scale, rows_of.SCALES)
  checks.check_at_least("degree", machine.degree, 1)
  checks.check_at_least("seed", machine.seed, 0)
  gamma, coef0 = _gamma(machine.gamma), _finite("coef0", machine.coef0)
  return libsvm.Kernel(machine.kernel, gamma, machine.degree, coef0), cost_of(machine)


def check_options(options: Mapping[str, Any], what: str) -> None:
  """Raises ConfigError, which begins with `what`, unless `options` are options of a `Machine`.

  The seed is no option: runs set it.
  """
  known = [name for name in Machine._fields if name != "seed"]
  for name in options:
    if name not in known:
      raise ConfigError(f"{what}: {unknown('field', name, known)}")
  checked_options(Machine(**options))


def cost_of(machine: Machine) -> float:
  """C of a machine, the default of its kernel where none is given; raises as `loso`."""
  checks.check_choice("kernel", machine.kernel, KERNELS)
  cost = DEFAULT_COST[machine.kernel] if machine.cost is None else machine.cost
  checks.check_positive("cost", cost)
  return cost


def _gamma(gamma: float | str) -> float | None:
  """The number; None for "scale". A number may come as text, from a field that is a text."""
  if gamma == "scale":
    return None
  try:
    number = float(gamma)
  except (TypeError, ValueError):
    number = math.nan
  if isinstance(gamma, bool) or not 0 < number < math.inf:
    raise ConfigError(f"gamma must be 'scale' or a finite number above 0; got {gamma!r}.")
  return number


def _finite(option: str, value: float) -> float:
  if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
    raise ConfigError(f"{option} must be a finite number; got {value!r}.")
  return float(value)


def _checked_arrays(
  n: int, labels: np.ndarray, held_out: np.ndarray, num_classes: int
) -> tuple[np.ndarray, np.ndarray]:
  labels, held_out = np.asarray(labels), np.asarray(held_out)
  if labels.shape != (n,) or not np.issubdtype(labels.dtype, np.integer):
    raise DataError(
      f"Labels must be whole numbers, one for each of {n} rows of features; got {labels.dtype}"
      f" {labels.shape}."
    )
  if num_classes < 2:
    raise DataError(f"There must be at least two classes; got {num_classes}.")
  if labels.min() < 0 or labels.max() >= num_classes:
    raise DataError(
      f"Labels must lie in 0..{num_classes - 1}; got {labels.min()} to {labels.max()}."
    )
  if held_out.ndim != 2 or held_out.shape[1] != n or held_out.dtype != np.bool_:
    raise DataError(
      f"held_out must be bool [F, {n}], a row for each fold; got {held_out.dtype} {held_out.shape}."
    )
  wrong = np.flatnonzero(held_out.sum(axis=0) != 1)
  if len(wrong):
    raise DataError(
      f"Each clip must be held out by exactly one fold; clip {wrong[0]} is by"
      f" {held_out[:, wrong[0]].sum()}."
    )
  if not np.any(~held_out, axis=1).all():
    raise DataError(
      "A fold holds out every clip and has none to learn from; two subjects at least."
    )
  return labels.astype(np.int64), held_out


def present_classes(labels: np.ndarray, counts: np.ndarray, num_classes: int) -> np.ndarray:
  """bool [F, K], whether a fold has clips of a class to learn from."""
  return counts.astype(bool) @ (labels[:, None] == np.arange(num_classes))


def probabilities_of(decisions: np.ndarray, prediction: np.ndarray) -> np.ndarray:
  """float32 [N, K], see `loso`; the prediction has the largest of its row, the first of equals."""
  shifted = np.exp(decisions - decisions.max(axis=1, keepdims=True))
  p = (shifted / shifted.sum(axis=1, keepdims=True)).astype(np.float32)
  for n in np.flatnonzero(p.argmax(axis=1) != prediction):
    predicted, top = prediction[n], p[n].argmax()
    p[n, [predicted, top]] = p[n, [top, predicted]]
    if p[n].argmax() != predicted:  # they were equal, in decision or by rounding
      p[n, predicted] = np.nextafter(p[n, predicted], np.float32(1))
  return p
