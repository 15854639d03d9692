"""A support vector machine as a trained model: its arrays by name, and what it predicts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mer_jax import svm
from mer_jax.errors import DataError

# The name in Model.model, and before the names of its arrays: "svm/weights".
NAME = "svm"
# Support vectors lie along this axis of these arrays; the seeds may have different numbers of them.
_VECTORS_AXIS = {"support": 0, "duals": 1}


def stacked(by_seed: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
  """What svm.fit returned for each of S seeds, as weights of a model, float64 [S, ...] by name.

  Where seeds have different numbers of support vectors, vectors of coefficient 0 fill up.
  """
  weights = {}
  for name in by_seed[0]:
    arrays = [np.asarray(learned[name]) for learned in by_seed]
    axis = _VECTORS_AXIS.get(name)
    if axis is not None:
      most = max(array.shape[axis] for array in arrays)
      arrays = [_filled(array, axis, most) for array in arrays]
    weights[f"{NAME}/{name}"] = np.stack(arrays)
  return weights


def probabilities(
  options: Mapping[str, Any], weights: Mapping[str, np.ndarray], arrays: Mapping[str, np.ndarray]
) -> np.ndarray:
  """float32 [S, N, K], the softmax of decision values, see svm.loso.

  Args:
    options: Model.model, name and options of svm.Machine.
    weights: as `stacked` returns them.
    arrays: what the input gives of N clips.

  Raises:
    DataError: the arrays of the model do not fit each other, or the features do not fit it.
  """
  machine = svm.Machine(**{key: value for key, value in options.items() if key != "name"})
  seeds = len(next(iter(weights.values())))
  return np.stack(
    [svm.predict(_of_seed(weights, seed), machine, arrays).probabilities for seed in range(seeds)]
  )


def check(
  options: Mapping[str, Any], weights: Mapping[str, np.ndarray], classes: int, where: str
) -> None:
  """Raises DataError unless `weights`, from `where`, are those of such a machine."""
  linear = options.get("kernel", svm.MACHINE.kernel) == "linear"
  expected = {"present", "shift", "size"}
  expected |= {"weights"} if linear else {"support", "duals", "intercept", "counts", "gamma"}
  names = {name.partition("/")[2] for name in weights}
  present = weights.get(f"{NAME}/present", np.zeros((1, 0)))
  if names != expected or present.shape[1:] != (classes,):
    raise DataError(
      f"{where}: the weights are not those of an SVM of {classes} classes with its options: got"
      f" {', '.join(sorted(weights))}. Fit the model again."
    )


def _of_seed(weights: Mapping[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
  """One seed's arrays, without the vectors that fill up."""
  own = {name.partition("/")[2]: array[seed] for name, array in weights.items()}
  if "counts" in own:
    count = int(own["counts"].sum())
    own |= {"support": own["support"][:count], "duals": own["duals"][:, :count]}
  return own


def _filled(array: np.ndarray, axis: int, length: int) -> np.ndarray:
  missing = [(0, length - size if axis == place else 0) for place, size in enumerate(array.shape)]
  return np.pad(array, missing)
