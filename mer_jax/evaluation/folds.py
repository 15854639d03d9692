"""Which fold held out each clip: a subject's, that of a whole corpus, or any other."""

import numpy as np

from mer_jax.protocols import Split

# What folds are, beside those of protocols.split.HELD_OUT: anything else.
SUBJECT, DATASET, OTHER = "subject", "dataset", "fold"


def of_split(split: Split) -> np.ndarray:
  """str [N]: the name of the fold that holds out each clip."""
  return np.array(split.fold_names)[split.held_out.argmax(axis=0)]


def names(dataset: np.ndarray, subject: np.ndarray, fold: np.ndarray | None) -> np.ndarray:
  """str [R]: the names of the folds; "dataset/subject" where `fold` is None."""
  return of_subjects(dataset, subject) if fold is None else np.asarray(fold)


def unless_subjects(
  dataset: np.ndarray, subject: np.ndarray, fold: np.ndarray | None
) -> np.ndarray | None:
  """`fold`, str [R]; None where every fold is a subject, as in leave-one-subject-out."""
  return None if held_out(dataset, subject, fold) == SUBJECT else fold


def held_out(dataset: np.ndarray, subject: np.ndarray, fold: np.ndarray | None) -> str:
  """What the folds (str [R], or None) are: `SUBJECT`, `DATASET`, or `OTHER`."""
  if fold is None or np.array_equal(fold, of_subjects(dataset, subject)):
    return SUBJECT
  return DATASET if np.array_equal(fold, dataset) else OTHER


def of_subjects(dataset: np.ndarray, subject: np.ndarray) -> np.ndarray:
  """str [R]: "casme2/sub01", the fold of each row where subjects are held out."""
  return np.array([f"{d}/{s}" for d, s in zip(dataset, subject, strict=True)], np.str_)
