"""The LOSO engine: all folds, settings and seeds of a run in one XLA program."""

from mer_jax.training.checkpoints import Checkpoints
from mer_jax.training.fold import Recipe
from mer_jax.training.footprint import Footprint, estimate
from mer_jax.training.history import History
from mer_jax.training.layout import Layout, arrange
from mer_jax.training.loop import Plan, look_epochs, train
from mer_jax.training.program import Program, build, by_clip
from mer_jax.training.watch import Watch

__all__ = [
  "Checkpoints",
  "Footprint",
  "History",
  "Layout",
  "Plan",
  "Program",
  "Recipe",
  "Watch",
  "arrange",
  "build",
  "by_clip",
  "estimate",
  "look_epochs",
  "train",
]
