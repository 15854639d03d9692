"""single_class: one class of K for each clip; its loss, prediction columns and scores.

Training minimises a cross-entropy in which only the clips count that a fold may learn from.

In predictions.csv the columns are `label`, `prediction` and for each class a probability
`p_<class>`.

Scores are those of MEGC2019 (See et al., "MEGC 2019 - The Second Facial Micro-Expressions Grand
Challenge", FG 2019). For class c with TP_c, FP_c, FN_c counted over everything that is pooled:
  precision_c = TP_c / (TP_c + FP_c), recall_c = TP_c / (TP_c + FN_c),
  F1_c = 2 TP_c / (2 TP_c + FP_c + FN_c).
Unweighted means over the K classes give precision, UAR (= recall) and UF1.

A class is *absent* from a ratio whose denominator is 0: from recall where it has no clip, from
precision where it is never predicted, from F1 where it is neither. In a pooled table an absent
class counts as 0, as in scikit-learn with zero_division=0. In the mean over folds the choice moves
the result by tens of points, so all three are computed.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mer_jax.errors import DataError

if TYPE_CHECKING:  # who only scores predictions needs no jax
  import jax

BALANCES = ("none", "class_weights")
PROBABILITY_PREFIX = "p_"
# The prediction of a clip whose fold was stopped; its probabilities are NaN.
NO_PREDICTION = -1
# What an absent class counts as; NaN stands for "left out of the mean".
CONVENTIONS = {"absent_as_0": 0.0, "absent_skipped": float("nan"), "absent_as_1": 1.0}
# The keys of every table of scores; recall and uar are one number under its two names.
SCORES = ("accuracy", "precision", "recall", "uf1", "uar")


class SingleClass(NamedTuple):
  """The target of a training: one of K classes.

  Attributes:
    num_classes: K.
    balance: one of `BALANCES`: whether clips of rare classes weigh more.
    smoothing: probability in [0, 1) that the target spreads evenly over all classes (Szegedy et
      al., "Rethinking the Inception Architecture for Computer Vision", CVPR 2016).
  """

  num_classes: int
  balance: str = "none"
  smoothing: float = 0.0

  def loss(
    self,
    logits: "jax.Array",
    labels: "jax.Array",
    weights: "jax.Array",
    focal_gamma: "jax.Array | None" = None,
  ) -> "jax.Array":
    """Weighted mean of the categorical cross-entropy over the examples that count.

    sum_b w_b (1 - p_b)^gamma H_b / #{b : w_b > 0}, p_b the probability of the true class and
    H_b = (1 - smoothing) (-log p_b) + smoothing mean_k(-log p_bk).
    With weights that average 1 over the training set this is Keras' class_weight. gamma = 0 is
    plain cross-entropy; gamma = 2 is the focal loss of Lin et al. (ICCV 2017).

    Args:
      logits: float [B, K].
      labels: int32 [B].
      weights: float [B], 0 for clips that must not count.
      focal_gamma: exponent gamma >= 0, a float scalar; None: plain cross-entropy.

    Returns:
      float scalar; 0 if nothing counts.
    """
    import jax
    import jax.numpy as jnp
    import optax

    loss = of_label = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    if self.smoothing:
      of_all = jax.nn.logsumexp(logits, axis=-1) - logits.mean(axis=-1)
      loss = (1 - self.smoothing) * of_label + self.smoothing * of_all
    if focal_gamma is not None:
      # 0^gamma has no finite slope for gamma < 1, which a fold of a sweep may have.
      wrong = jnp.maximum(-jnp.expm1(-of_label), jnp.finfo(loss.dtype).tiny)
      loss = loss * jnp.power(wrong, focal_gamma)
    return jnp.sum(weights * loss) / jnp.maximum(jnp.sum(weights > 0), 1)

  def clip_weights(self, trains: "jax.Array", labels: "jax.Array") -> "jax.Array":
    """How much each clip weighs in the loss of a fold, from its own training clips alone.

    With balance "class_weights" every class has the same sum: w_n = n_train / (K' n_class), K' the
    classes that the fold's training clips contain.

    Args:
      trains: float [N], 1 where the fold may learn from the clip, else 0.
      labels: int32 [N].

    Returns:
      float [N], 0 where `trains` is 0, otherwise averaging 1.
    """
    if self.balance == "none":
      return trains
    import jax
    import jax.numpy as jnp

    members = jax.nn.one_hot(labels, self.num_classes) * trains[:, None]
    counts = members.sum(axis=0)
    present = jnp.maximum((counts > 0).sum(), 1)
    return members @ (trains.sum() / (present * jnp.maximum(counts, 1)))

  def is_correct(self, logits: "jax.Array", labels: "jax.Array") -> "jax.Array":
    """bool [B]: whether the most probable class of logits [B, K] is the label, int32 [B]."""
    return logits.argmax(axis=-1) == labels

  def probabilities(self, logits: "jax.Array") -> "jax.Array":
    """float32 [B, K], the softmax of logits [B, K]."""
    import jax
    import jax.numpy as jnp

    return jax.nn.softmax(logits.astype(jnp.float32))


def predicted(probabilities: np.ndarray) -> np.ndarray:
  """int64 [...]: the most probable class, the first among equals, of float [..., K].

  `NO_PREDICTION` where every probability is NaN.
  """
  absent = np.isnan(probabilities).all(axis=-1)
  return np.where(absent, NO_PREDICTION, probabilities.argmax(axis=-1))


def columns(class_names: tuple[str, ...]) -> list[str]:
  """The columns of predictions.csv that belong to this target."""
  return ["label", "prediction", *(PROBABILITY_PREFIX + name for name in class_names)]


def class_names_of(columns: list[str]) -> tuple[str, ...]:
  """The classes whose probabilities stand in `columns`, those of this target."""
  return tuple(column.removeprefix(PROBABILITY_PREFIX) for column in columns[2:])


def cells(label: int, prediction: int, probabilities: np.ndarray) -> list[object]:
  """One line of `columns`: empty but for the label where there is no prediction.

  Probabilities have the nine digits that bring back every float32 exactly.
  """
  if prediction == NO_PREDICTION:
    return [label, "", *("" for _ in probabilities)]
  return [label, prediction, *(f"{p:.9g}" for p in probabilities)]


class PerClass(NamedTuple):
  """Scores of each class: float64 [..., K] in 0..1, or NaN; support, int64 [..., K], in clips."""

  precision: np.ndarray
  recall: np.ndarray
  f1: np.ndarray
  support: np.ndarray


def confusion(labels: np.ndarray, predictions: np.ndarray, num_classes: int) -> np.ndarray:
  """Counts how often each true class was taken for each class.

  Args:
    labels: int [N], true classes, 0..K-1.
    predictions: int [N], predicted classes, 0..K-1.
    num_classes: K.

  Returns:
    int64 [K, K]; entry [i, j] counts the clips of class i that were predicted as j.

  Raises:
    DataError: the lengths differ, or a class is outside 0..K-1.
  """
  labels, predictions = np.asarray(labels), np.asarray(predictions)
  if labels.shape != predictions.shape or labels.ndim != 1:
    raise DataError(
      f"There are labels {labels.shape} and predictions {predictions.shape}; expected two [N]."
    )
  both = np.concatenate([labels, predictions])
  if both.size and (both.min() < 0 or both.max() >= num_classes):
    raise DataError(
      f"Classes run from {both.min()} to {both.max()}; expected 0..{num_classes - 1}."
    )
  flat = labels.astype(np.int64) * num_classes + predictions.astype(np.int64)
  return np.bincount(flat, minlength=num_classes**2).reshape(num_classes, num_classes)


def per_class(confusion: np.ndarray, absent: float = 0.0) -> PerClass:
  """Precision, recall and F1 of each class from counts [..., K, K], rows truth.

  Args:
    confusion: int [..., K, K] as `confusion` returns it, any number of axes in front.
    absent: the value of a ratio whose denominator is 0.
  """
  counts = np.asarray(confusion, np.int64)
  hits = np.einsum("...kk->...k", counts)
  predicted, support = counts.sum(-2), counts.sum(-1)
  return PerClass(
    precision=_ratio(hits, predicted, absent),
    recall=_ratio(hits, support, absent),
    f1=_ratio(2 * hits, predicted + support, absent),
    support=support,
  )


def scores(confusion: np.ndarray, absent: float = 0.0) -> dict[str, float]:
  """Accuracy, macro precision, recall (= uar) and uf1 of one confusion matrix.

  Args:
    confusion: int [K, K], rows truth, with at least one clip.
    absent: what an absent class counts as (module docstring); NaN leaves it out of the mean.

  Returns:
    The keys of `SCORES`, each 0..1.

  Raises:
    DataError: the matrix is not square or holds no clip.
  """
  counts = np.asarray(confusion, np.int64)
  if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or counts.sum() == 0:
    raise DataError(f"Scores need counts [K, K] of at least one clip; got {counts.tolist()}.")
  return {name: float(value) for name, value in score_arrays(counts, absent).items()}


def score_arrays(confusions: np.ndarray, absent: float = 0.0) -> dict[str, np.ndarray]:
  """`scores` of many confusion matrices at once.

  Args:
    confusions: whole numbers [..., K, K], rows truth.
    absent: as for `scores`; NaN needs a clip in every matrix.

  Returns:
    The keys of `SCORES`, each float64 [...], 0..1; NaN for a matrix without a clip.
  """
  by_class = per_class(confusions, absent)
  clips = by_class.support.sum(-1)
  hits = np.einsum("...kk->...", confusions)
  # One clip is enough for each of the three to be defined for some class, so no mean is empty.
  recall = np.nanmean(by_class.recall, axis=-1)
  values = {
    "accuracy": hits / np.maximum(clips, 1),
    "precision": np.nanmean(by_class.precision, axis=-1),
    "recall": recall,
    "uf1": np.nanmean(by_class.f1, axis=-1),
    "uar": recall,
  }
  return {name: np.where(clips > 0, value, np.nan) for name, value in values.items()}


def fold_means(confusions: np.ndarray) -> dict[str, dict[str, float]]:
  """The mean over folds of the scores of each fold, under each of `CONVENTIONS`.

  Not what MEGC2019 asks for, but what many papers print. Accuracy is the same under all three.

  Args:
    confusions: int [F, K, K], the counts of each fold's held-out clips.

  Returns:
    Convention -> the keys of `SCORES`.

  Raises:
    DataError: there is no fold, or one holds no clip.
  """
  return {
    name: mean([scores(fold, absent) for fold in confusions])
    for name, absent in CONVENTIONS.items()
  }


def mean(rows: list[dict[str, float]]) -> dict[str, float]:
  """The mean of each of `SCORES` over several tables of them (folds or seeds)."""
  if not rows:
    raise DataError("There is nothing to average: no fold or seed was evaluated.")
  return {name: float(np.mean([row[name] for row in rows])) for name in SCORES}


def _ratio(numerator: np.ndarray, denominator: np.ndarray, absent: float) -> np.ndarray:
  values = numerator / np.maximum(denominator, 1)
  return np.where(denominator > 0, values, absent)
