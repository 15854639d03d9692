"""The LOSO engine: all folds, settings and seeds of a run in one XLA program."""

from mer_jax.training.augment import Augment
from mer_jax.training.average import Average
from mer_jax.training.checkpoints import Checkpoints, newest_leaves
from mer_jax.training.features import by_fold as features_by_fold
from mer_jax.training.features import check as check_layer
from mer_jax.training.footprint import Footprint, estimate
from mer_jax.training.history import History
from mer_jax.training.layout import Layout, arrange
from mer_jax.training.loop import Plan, Recorder, snapshot_epochs, train
from mer_jax.training.program import Folds, Program, build, by_clip
from mer_jax.training.recipe import Recipe
from mer_jax.training.source import Examples, Source
from mer_jax.training.stages import entries, preceded, with_selected

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
  "check_layer",
  "entries",
  "estimate",
  "features_by_fold",
  "newest_leaves",
  "preceded",
  "snapshot_epochs",
  "train",
  "with_selected",
]
