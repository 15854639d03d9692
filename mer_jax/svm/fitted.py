"""An SVM trained on all clips, as arrays that can be kept, and what it predicts of other clips."""

from collections.abc import Mapping

import numpy as np

from mer_jax.errors import DataError
from mer_jax.svm import features as rows_of
from mer_jax.svm import libsvm, linear
from mer_jax.svm.balance import copies
from mer_jax.svm.loso import Machine, Scores, checked_options, present_classes, probabilities_of
from mer_jax.svm.problem import Problem


def fit(
  features: np.ndarray | Mapping[str, np.ndarray],
  labels: np.ndarray,
  num_classes: int,
  machine: Machine,
) -> dict[str, np.ndarray]:
  """Trains one SVM on all clips.

  Args:
    features: as of svm.loso.
    labels: int [N] in 0..K-1, of two classes at least.
    num_classes: K.
    machine: the options.

  Returns:
    float64 arrays. "present" [K]: 1 where there was a clip of a class; "shift", "size" [D]: what is
    subtracted from each column, and then divides it. Of a linear kernel "weights" [K, D + 1], the
    bias last; of another the fields of libsvm.Vectors.

  Raises:
    ConfigError: an option out of range, or several arrays of features.
    DataError: features that are not finite, or clips of a single class.
    TrainingError: features and cost are beyond double precision.
  """
  kernel, cost = checked_options(machine)
  rows = rows_of.flat(features)
  nobody = np.zeros((1, len(rows)), bool)
  counts = copies(np.asarray(labels), nobody, num_classes, machine.balance, machine.seed)
  present = present_classes(np.asarray(labels), counts, num_classes)[0]
  if present.sum() < 2:
    raise DataError("An SVM learns from clips of two classes at least; these are of one.")
  problem = Problem(rows, labels, counts, num_classes, machine.balance, machine.scale)
  shift, size = rows_of.scaling(rows, counts[0] > 0, machine.scale)
  learned = {"present": present.astype(np.float64), "shift": shift, "size": size}
  if machine.kernel == "linear":
    return learned | {"weights": linear.weights(problem, cost)}
  return learned | libsvm.vectors(problem, kernel, cost)._asdict()


def predict(
  learned: Mapping[str, np.ndarray],
  machine: Machine,
  features: np.ndarray | Mapping[str, np.ndarray],
) -> Scores:
  """Predictions of N clips by what `fit` returned; decision values as of svm.loso.

  Raises:
    DataError: features of another number of columns than it was trained with, or not finite.
  """
  rows = rows_of.flat(features)
  if rows.shape[1] != len(learned["shift"]):
    raise DataError(
      f"The SVM was trained with {len(learned['shift'])} features of a clip; got {rows.shape[1]}."
    )
  rows = (rows - learned["shift"]) / learned["size"]
  present = learned["present"] > 0
  values = np.full((len(rows), len(present)), -np.inf)
  if machine.kernel == "linear":
    weights = learned["weights"]
    values[:, present] = (rows @ weights[:, :-1].T + weights[:, -1])[:, present]
    prediction = values.argmax(axis=1)
  else:
    vectors = libsvm.Vectors(**{name: learned[name] for name in libsvm.Vectors._fields})
    kernel, _ = checked_options(machine)
    values[:, present], place = libsvm.decisions_by(vectors, kernel, rows)
    prediction = np.flatnonzero(present)[place]
  return Scores(values.astype(np.float32), prediction, probabilities_of(values, prediction))
