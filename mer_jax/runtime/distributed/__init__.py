"""Several processes as one run; with one process everything here is the identity.

Every process runs the same code on the same data, and its devices hold some of the folds. Process 0
alone reads and writes the workdir, and talks.
"""

from mer_jax.runtime.distributed.agreement import (
  barrier,
  check_same,
  initialize,
  is_everywhere,
  is_main,
  largest,
  on_main,
  processes,
  together,
)
from mer_jax.runtime.distributed.arrays import broadcast, devices, fetch, put

__all__ = [
  "barrier",
  "broadcast",
  "check_same",
  "devices",
  "fetch",
  "initialize",
  "is_everywhere",
  "is_main",
  "largest",
  "on_main",
  "processes",
  "put",
  "together",
]
