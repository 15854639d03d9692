"""Features with their labels and folds, as SVMs meet them."""

import numpy as np

from mer_jax import svm

CLASSES = 3


def drawn(
  kind: str, n: int = 60, d: int = 12, folds: int = 5, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """features [N, D], labels [N], held_out [F, N]; every fold trains on all three classes."""
  rng = np.random.default_rng(seed)
  labels = np.concatenate([np.tile(np.arange(CLASSES), folds), rng.choice(3, n, p=[0.6, 0.3, 0.1])])
  labels = labels[:n]
  change = 0.5 * rng.normal(size=(CLASSES, d))[labels]
  features = rng.normal(size=(n, d)) + change
  if kind == "histograms":
    positive = np.maximum(rng.gamma(2, 1, (n, d)) + 0.4 * change, 0)
    features = positive / positive.sum(axis=1, keepdims=True)
  elif kind == "ill scaled":
    features *= 10.0 ** rng.integers(-3, 3, d)
  elif kind == "pixels":
    features = 0.5 + 0.1 * features
  held_out = (np.arange(n) % folds) == np.arange(folds)[:, None]
  return features, labels, held_out


def with_a_class_of_one_subject() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """The same, but the first subject has all clips of the last class and no other."""
  features, labels, _ = drawn("normal", 40, 8)
  subjects = np.where(labels == CLASSES - 1, 0, 1 + np.arange(40) % 3)
  return features, labels, subjects == np.arange(4)[:, None]


def junk(features: np.ndarray, rows: np.ndarray) -> np.ndarray:
  """`features` with other numbers, small and large, in `rows`."""
  rng = np.random.default_rng(9)
  size = features[rows].shape
  out = features.copy()
  out[rows] = rng.normal(size=size) * 10.0 ** rng.integers(-3, 4, size)
  return out


def everywhere(features, labels, held_out, classes: int = CLASSES, **options) -> svm.Everywhere:
  machine = svm.Machine(**options)
  return svm.everywhere(features, labels, held_out, classes, machine, shown=False)
