"""The training problems of all folds, as the solvers read them."""

from typing import NamedTuple

import numpy as np


class Problem(NamedTuple):
  """N clips and the training sets of F folds.

  Attributes:
    rows: float64 [N, D], features.
    labels: int [N] in 0..K-1.
    copies: int [F, N], how often a clip stands in the fold's training set.
    num_classes: K.
    balance: one of balance.BALANCES.
    scale: one of features.SCALES, fitted on the fold's training clips.
  """

  rows: np.ndarray
  labels: np.ndarray
  copies: np.ndarray
  num_classes: int
  balance: str
  scale: str
