"""Selects an epoch, or an epoch and a setting, from snapshots of predictions."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mer_jax.targets import single_class


class Selection(NamedTuple):
  """The selected epoch and setting of each seed and fold.

  Attributes:
    epoch: int [S, F], epochs to train.
    setting: int [S, F], which of the P settings.
    score: float64 [S, F], its score on the validation clips.
  """

  epoch: np.ndarray
  setting: np.ndarray
  score: np.ndarray


def tally(
  probabilities: np.ndarray, validation: np.ndarray, labels: np.ndarray
) -> dict[str, np.ndarray]:
  """What has to be kept of a snapshot of validation clips to compute any of options.METRICS.

  Args:
    probabilities: float32 [S, R, M, K] of R inner folds, each of which predicts up to M clips.
    validation: bool [R, N], the clips that each predicts, in their order.
    labels: int [N].

  Returns:
    counts: int32 [S, R, K, K], confusion counts, rows truth; clips without a prediction count
      nowhere. loss: float64 [S, R], sum of the cross-entropies in nats; NaN where a clip has no
      prediction.
  """
  seeds, rows, _, classes = probabilities.shape
  row, clip = np.nonzero(validation)
  place = np.concatenate([np.arange(n) for n in validation.sum(axis=1)])
  of_clip, truth = probabilities[:, row, place], np.asarray(labels)[clip]
  of_truth = of_clip[:, np.arange(len(clip)), truth].astype(np.float64)
  nats = -np.log(np.maximum(of_truth, np.finfo(np.float32).tiny))
  loss = np.stack([np.bincount(row, of_seed, rows) for of_seed in nats])
  known = ~np.isnan(of_clip).any(axis=-1)
  cell = (np.arange(seeds)[:, None] * rows + row) * classes**2
  cell = cell + truth * classes + of_clip.argmax(-1)
  counts = np.bincount(cell[known], minlength=seeds * rows * classes**2)
  return {
    "counts": counts.reshape(seeds, rows, classes, classes).astype(np.int32),
    "loss": loss,
  }


def by_inner_folds(
  epochs: Sequence[int],
  counts: np.ndarray,
  loss: np.ndarray,
  settings: int,
  inner: int,
  metric: str,
) -> Selection:
  """The best epoch and setting of each seed and fold, by the inner folds alone.

  Scores are pooled over the I inner folds of a fold. Among equals the earliest epoch wins, then the
  first setting; what left clips without a prediction comes after all that did not.

  Args:
    epochs: of the E snapshots.
    counts: int [E, S, P F I, K, K], see `tally`.
    loss: float64 [E, S, P F I].
    settings, inner: P and I.
    metric: one of options.METRICS.
  """
  snapshots, seeds, rows, classes, _ = counts.shape
  folds = rows // (settings * inner)
  shape = (snapshots, seeds, settings, folds, inner)
  pooled = counts.reshape(*shape, classes, classes).sum(axis=4)
  if metric == "loss":
    score = -loss.reshape(shape).sum(axis=4)
    score /= np.maximum(pooled.sum(axis=(-1, -2)), 1)
  else:
    score = single_class.score_arrays(pooled)[metric]
  predicted = pooled.sum(axis=(-1, -2))
  complete = predicted == predicted.max(axis=(0, 2), keepdims=True)
  score = np.where(complete & ~np.isnan(score), score, -np.inf)
  # [E, S, P, F] -> [S, F, E P], so that the first of equals is the earliest.
  candidates = score.transpose(1, 3, 0, 2).reshape(seeds, folds, snapshots * settings)
  best = candidates.argmax(axis=-1)
  return Selection(
    epoch=np.asarray(epochs)[best // settings],
    setting=best % settings,
    score=np.take_along_axis(candidates, best[..., None], axis=-1)[..., 0],
  )


def leaky_test_best(
  probabilities: np.ndarray, labels: np.ndarray, held_out: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """For each seed and fold the snapshot at which most of its held-out clips were right.

  A fold that was stopped before the last snapshot is left without a prediction, as it is there: so
  both are over the same clips, and no fold loses by the selection.

  Args:
    probabilities: float32 [E, S, N, K].
    labels: int [N].
    held_out: bool [F, N].

  Returns:
    int [S, F], the first of the best snapshots; float32 [S, N, K], its probabilities.
  """
  classes = np.where(np.isnan(probabilities).any(axis=-1), -1, probabilities.argmax(axis=-1))
  right = np.einsum("esn,fn->esf", classes == labels, held_out.astype(int))
  best = right.argmax(axis=0)
  owner = held_out.argmax(axis=0)
  of_clip = best[:, owner]  # [S, N]
  selected = np.take_along_axis(probabilities, of_clip[None, :, :, None], axis=0)[0]
  return best, np.where(np.isnan(probabilities[-1]), np.nan, selected)
