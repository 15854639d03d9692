"""Report: what a run prints before and after, its figures, and one self-contained page."""

from mer_jax.report.announcement import announcement
from mer_jax.report.score_table import console

__all__ = ["announcement", "console", "write"]


def __getattr__(name: str):
  # What draws pulls in matplotlib, which nobody needs before the end of a run.
  if name == "write":
    from mer_jax.report.page import write

    return write
  raise AttributeError(f"module 'mer_jax.report' has no attribute {name!r}")
