"""Report: what a run says before and after, its figures, and one self-contained page."""

from mer_jax.report.announcement import announcement
from mer_jax.report.page import write
from mer_jax.report.table import console

__all__ = ["announcement", "console", "write"]
