"""Support vector machines under leave-one-subject-out, on one row of features for each clip."""

from mer_jax.svm.fitted import fit, predict
from mer_jax.svm.loso import (
  MACHINE,
  Everywhere,
  Machine,
  Scores,
  check_options,
  cost_of,
  everywhere,
  loso,
)

__all__ = [
  "MACHINE",
  "Everywhere",
  "Machine",
  "Scores",
  "check_options",
  "cost_of",
  "everywhere",
  "fit",
  "loso",
  "predict",
]
