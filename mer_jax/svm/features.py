"""Features as the SVMs read them: one row for each clip, scaled by the training clips of a fold."""

from collections.abc import Mapping

import numpy as np

from mer_jax.errors import ConfigError, DataError

SCALES = ("none", "standardise", "minmax")
_LARGEST = 1e150  # squares of larger numbers overflow
# Beside the frames of a sequence input; the frames that it marks as absent are zero.
_MASK = "mask"


def flat(features: np.ndarray | Mapping[str, np.ndarray]) -> np.ndarray:
  """One row for each clip.

  Args:
    features: [N, ...] of a real dtype; or what an input of mer_jax.inputs gives, a dict of one such
      array. A "mask" beside it is left out.

  Returns:
    float64 [N, D], everything behind the first axis flattened in C order.

  Raises:
    ConfigError: the dict holds several arrays.
    DataError: no numbers, no features, a number that is not finite, or too large to square.
  """
  if isinstance(features, Mapping):
    names = [name for name in features if name != _MASK]
    if len(names) != 1:
      raise ConfigError(
        f"An SVM reads one array, [N, ...]; got {', '.join(map(repr, names)) or 'none'}. Choose an"
        " input that gives one, such as flow_maps, or concatenate them yourself."
      )
    features = features[names[0]]
  array = np.asarray(features)
  if array.dtype.kind not in "fiub":
    raise DataError(f"Features must be real numbers; got an array of {array.dtype}.")
  if array.ndim < 2 or array.size == 0:
    raise DataError(f"Features must be [N, ...] with at least one number each; got {array.shape}.")
  rows = array.reshape(len(array), -1).astype(np.float64)
  bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
  if len(bad):
    where = int(np.argmin(np.isfinite(rows[bad[0]])))
    raise DataError(
      f"Features are not finite in {len(bad)} of {len(rows)} rows, the first of them row {bad[0]}"
      f" (counted from 0), column {where}: {rows[bad[0], where]}. Repair or leave out those clips."
    )
  if np.abs(rows).max() > _LARGEST:
    raise DataError(
      f"Features reach {np.abs(rows).max():.3g}: too large to square. Scale them down."
    )
  return rows


def scaled(rows: np.ndarray, trains: np.ndarray, scale: str) -> np.ndarray:
  """All rows, shifted and scaled column by column as the training clips of one fold say.

  Args:
    rows: float64 [N, D].
    trains: bool [N], True for the fold's training clips; the others decide nothing.
    scale: "none"; "standardise": mean 0, standard deviation 1; "minmax": range 0..1. A column that
      is constant over the training clips is only shifted.

  Returns:
    float64 [N, D]; clips that do not train may leave the range.
  """
  shift, size = scaling(rows, trains, scale)
  return rows if scale == "none" else (rows - shift) / size


def scaling(rows: np.ndarray, trains: np.ndarray, scale: str) -> tuple[np.ndarray, np.ndarray]:
  """What `scaled` subtracts from each column and divides it by, float64 [D] each."""
  if scale == "none":
    return np.zeros(rows.shape[1]), np.ones(rows.shape[1])
  own = rows[trains]
  if scale == "standardise":
    shift, size = own.mean(axis=0), own.std(axis=0)
  else:
    shift, size = own.min(axis=0), np.ptp(own, axis=0)
  # The deviation of equal numbers may round to something above 0.
  constant = size <= 1e-12 * np.abs(own).max(axis=0)
  return shift, np.where(constant, 1.0, size)
