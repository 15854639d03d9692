"""How much each training clip counts, so that rare classes are learned too."""

import numpy as np

BALANCES = ("class_weights", "oversample", "none")


def copies(
  labels: np.ndarray, held_out: np.ndarray, num_classes: int, balance: str, seed: int
) -> np.ndarray:
  """How often each clip stands in the training set of each fold.

  Args:
    labels: int [N] in 0..K-1.
    held_out: bool [F, N].
    num_classes: K.
    balance: one of `BALANCES`. "oversample" draws clips of each class again, with replacement,
      until every class that the fold has is as frequent as its most frequent one.
    seed: of the draws.

  Returns:
    int64 [F, N], 0 where a clip is held out, otherwise at least 1.
  """
  counts = (~held_out).astype(np.int64)
  if balance != "oversample":
    return counts
  for count, holds in zip(counts, held_out, strict=True):
    # From what the fold holds out, so that its draws are its own whichever folds stand beside it.
    generator = np.random.default_rng((seed, int(np.argmax(holds))))
    sizes = np.bincount(labels[~holds], minlength=num_classes)
    for k in np.flatnonzero(sizes):
      members = np.flatnonzero((labels == k) & ~holds)
      drawn = generator.choice(members, int(sizes.max() - sizes[k]))
      count += np.bincount(drawn, minlength=len(count))
  return counts


def class_weights(
  labels: np.ndarray, copies: np.ndarray, num_classes: int, balance: str
) -> np.ndarray:
  """The factor on the cost of a clip of each class, in one fold.

  n / (K' n_k), scikit-learn's "balanced": n training clips, n_k of class k, K' classes present.

  Args:
    labels: int [N] in 0..K-1.
    copies: int [N], how often each clip stands in the fold's training set.
    num_classes: K.
    balance: one of `BALANCES`; all factors are 1 but for "class_weights".

  Returns:
    float64 [K], 0 for a class without a training clip.
  """
  sizes = np.bincount(labels, weights=copies, minlength=num_classes)
  present = sizes > 0
  if balance != "class_weights":
    return present.astype(np.float64)
  return present * sizes.sum() / (present.sum() * np.maximum(sizes, 1))
