"""What a recipe, its model and the inputs must be before a program is made of them."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from mer_jax.errors import ConfigError, DataError
from mer_jax.models import shapes
from mer_jax.training import auxiliary, losses, start, subtrees
from mer_jax.training.recipe import Recipe


def check(recipe: Recipe, inputs: Mapping[str, Any]) -> None:
  """Checks that losses, trained layers and the model go together.

  Args:
    recipe: of a training, or of a stage of one.
    inputs: arrays [N, ...], of which only shapes and dtypes are looked at.

  Raises:
    ConfigError: a loss reads what the model does not sow, a prefix fits no parameter, or none is
      left to train.
  """
  if recipe.action_unit_loss:
    auxiliary.check(recipe, inputs)
  if recipe.losses == losses.DEFAULT and not recipe.trained and not recipe.frozen:
    return
  variables = shapes.of_variables(recipe.model, inputs)
  _check_sown(recipe, variables.get(losses.COLLECTION, {}))
  _check_trained(recipe, variables["params"])


def check_finite(inputs: Mapping[str, np.ndarray]) -> None:
  """Raises DataError unless all `inputs`, [N, ...], are finite.

  A held-out clip enters every sum times 0, which is 0 for finite numbers alone.
  """
  for name, array in inputs.items():
    finite = np.isfinite(array).all(axis=tuple(range(1, np.ndim(array))))
    bad = np.flatnonzero(~finite)
    if len(bad):
      raise DataError(
        f"Input {name!r} is not finite in {len(bad)} of {len(array)} clips, the first of them clip"
        f" {bad[0]} of the split. Look at the options of the input and at the data."
      )


def _check_sown(recipe: Recipe, sown: Mapping[str, Any]) -> None:
  """Features are [1, P, D] with P and D of the model, logits [1, P, ...] with as many."""
  last = {"part_logits": recipe.target.num_classes}
  for loss, _ in recipe.losses:
    for name in losses.READS[loss]:
      given = [tuple(x.shape) for x in sown.get(name, ())]
      if len(given) != 1 or len(given[0]) != 3 or given[0][2] != last.get(name, given[0][2]):
        raise ConfigError(
          f"The loss {loss!r} (config.training.losses) reads {name}, one array [B, P, ...], of"
          f" the model {type(recipe.model).__name__}, which has"
          f" {', '.join(map(str, given)) or 'none'}. A model offers it by"
          f" self.sow({losses.COLLECTION!r}, {name!r}, x); or leave out that loss."
        )


def _check_trained(recipe: Recipe, params: Any) -> None:
  names = [start.name_of(path) for path, _ in jax.tree.leaves_with_path(params)]
  for field in ("trained", "frozen"):
    for prefix in getattr(recipe, field):
      if not any(name.startswith(prefix) for name in names):
        layers = sorted({name.rpartition("/")[0] or name for name in names})
        raise ConfigError(
          f"config.training.{field} holds {prefix!r}, which no parameter's name begins with:"
          f" {', '.join(layers)}."
        )
  if not any(subtrees.learns(name, recipe.trained, recipe.frozen) for name in names):
    raise ConfigError(
      f"Nothing is left to train: config.training.trained is {recipe.trained} and frozen"
      f" {recipe.frozen}. Freeze fewer layers."
    )
