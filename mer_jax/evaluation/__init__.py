"""Evaluation: pooled predictions, and the scores that follow from them alone."""

from mer_jax.evaluation.megc_log import read_megc_log, write_megc_log, write_megc_logs
from mer_jax.evaluation.predictions import Predictions, predictions_of, read_csv, write_csv
from mer_jax.evaluation.summary import stopped, summarise, write_json

__all__ = [
  "Predictions",
  "predictions_of",
  "read_csv",
  "read_megc_log",
  "stopped",
  "summarise",
  "write_csv",
  "write_json",
  "write_megc_log",
  "write_megc_logs",
]
