"""Action units as a second target: only drawn examples, which know theirs, learn them.

A model takes part by `self.sow("auxiliary", "action_units", logits)` with logits [B, A].
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from mer_jax.errors import ConfigError
from mer_jax.models.shapes import of_variables
from mer_jax.training.batch import Batch
from mer_jax.training.losses import COLLECTION
from mer_jax.training.recipe import Recipe

NAME = "action_units"


def loss(changed: Mapping[str, Any], batch: Batch, weights: jax.Array) -> jax.Array:
  """Mean binary cross-entropy over the action units of the drawn examples that count.

  An example that was mixed counts where its partner was drawn too; its action units are mixed.

  Args:
    changed: the collections that the model wrote; its logits [B, A] are in "auxiliary".
    batch: B examples, the last D of which are drawn.
    weights: float32 [B], 0 for examples that must not count.

  Returns:
    float32 scalar; 0 where nothing counts.
  """
  (logits,) = changed[COLLECTION][NAME]
  clips = len(batch.labels) - len(batch.action_units)
  units = jnp.pad(batch.action_units, ((clips, 0), (0, 0)))
  drawn = jnp.arange(len(units)) >= clips
  if batch.mix:
    partner, share = batch.mix
    units = share * units + (1 - share) * units[partner]
    drawn &= drawn[partner]
  counts = drawn & (weights > 0)
  each = optax.sigmoid_binary_cross_entropy(logits, units).mean(axis=-1)
  return jnp.sum(jnp.where(counts, each, 0)) / jnp.maximum(counts.sum(), 1)


def check(recipe: Recipe, inputs: Mapping[str, Any]) -> None:
  """Checks that model and source of `recipe` have the same action units.

  Args:
    recipe: with an action_unit_loss.
    inputs: arrays [N, ...], of which only shapes and dtypes are looked at.

  Raises:
    ConfigError: no example is drawn, the model sows no logits, or of another shape.
  """
  if recipe.source is None or not recipe.drawn:
    raise ConfigError(
      "There is a loss on action units (config.training.action_unit_loss), which only drawn"
      " examples know. Draw some (config.drawn.share), or set it to 0."
    )
  source, count = recipe.source, recipe.drawn
  drawn = jax.eval_shape(lambda: source(jax.random.key(0), count))
  variables = of_variables(recipe.model, inputs, count)
  sown = variables.get(COLLECTION, {}).get(NAME)
  if sown is None:
    raise ConfigError(
      f"There is a loss on action units (config.training.action_unit_loss), but the model"
      f" {type(recipe.model).__name__} has no logits for them. It must call"
      f" self.sow({COLLECTION!r}, {NAME!r}, logits), once and outside of its submodules; or set"
      " the factor to 0."
    )
  shapes = [tuple(x.shape) for x in sown]
  if shapes != [tuple(drawn.action_units.shape)] or not drawn.action_units.shape[1]:
    raise ConfigError(
      f"The model {type(recipe.model).__name__} has logits of action units of the shapes {shapes};"
      f" the drawn examples have action units {tuple(drawn.action_units.shape)}. Both must be one"
      " array [B, A] with A > 0."
    )
