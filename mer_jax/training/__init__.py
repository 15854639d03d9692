"""The LOSO engine: all folds, settings and seeds of a run in one XLA program."""

from mer_jax.training.augment import Augment
from mer_jax.training.average import Average
from mer_jax.training.checkpoints import Checkpoints, newest_leaves
from mer_jax.training.footprint import Footprint, estimate
from mer_jax.training.history import History
from mer_jax.training.layout import Layout, arrange
from mer_jax.training.loop import Plan, Recorder, snapshot_epochs, train
from mer_jax.training.program import Folds, Program, build, by_clip
from mer_jax.training.recipe import Recipe
from mer_jax.training.source import Examples, Source

__all__ = [
  "Augment",
  "Average",
  "Checkpoints",
  "Examples",
  "Folds",
  "Footprint",
  "History",
  "Layout",
  "Plan",
  "Program",
  "Recipe",
  "Recorder",
  "Source",
  "arrange",
  "build",
  "by_clip",
  "estimate",
  "newest_leaves",
  "snapshot_epochs",
  "train",
]
