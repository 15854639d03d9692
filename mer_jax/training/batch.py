"""The examples of one step: clips of the schedule and drawn ones, augmented; and their weights."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from mer_jax.training import augment, schedule
from mer_jax.training.recipe import AUGMENT, BATCHES, DRAWN, Data, Fold, Recipe, purpose_key


class Batch(NamedTuple):
  """B examples, of which the last D are drawn.

  Attributes:
    clips: which clips the first B - D are, and which of these only fill up; None where D = B.
    inputs: arrays [B, ...], augmented.
    labels: int32 [B].
    action_units: float32 [D, A] of the drawn ones before they were mixed.
    mix: how examples were mixed; None: they were not.
  """

  clips: schedule.Batch | None
  inputs: dict[str, jax.Array]
  labels: jax.Array
  action_units: jax.Array
  mix: augment.Mix | None = None


def shared_batch(recipe: Recipe, seed_key: jax.Array, step: jax.Array, data: Data) -> Batch | None:
  """The batch that all folds of a seed see at `step`, made once; None if each has its own."""
  if recipe.schedule != "shared":
    return None
  batch = _before_changes(recipe, seed_key, step, data)
  return _augmented(recipe, jax.random.fold_in(seed_key, AUGMENT), step, batch)


def own_batch(
  recipe: Recipe, seed_key: jax.Array, fold: Fold, data: Data, step: jax.Array
) -> Batch:
  """The batch of one fold at `step`, with a schedule in which each fold has its own."""
  key = purpose_key(seed_key, BATCHES, fold.identity)
  trains = fold.weights > 0
  if recipe.schedule == "per_fold":
    clips = schedule.per_fold(key, step, trains, recipe.batch_size, recipe.fewest)
  else:
    classes = recipe.target.num_classes
    clips = schedule.balanced(key, step, trains, data.labels, recipe.batch_size, classes)
  key = purpose_key(seed_key, AUGMENT, fold.identity)
  return _augmented(recipe, key, step, _gathered(clips, data))


def weights_of(recipe: Recipe, fold: Fold, data: Data, batch: Batch, step: jax.Array) -> jax.Array:
  """How much each example of `batch` counts for `fold`, float32 [B].

  A drawn example is of nobody and weighs 1. A mixed one counts only where the fold may learn from
  both partners, whose weights are mixed as they are.
  """
  parts = []
  if batch.clips:
    of_clips = recipe.target.clip_weights(fold.weights, data.labels)
    parts.append(of_clips[batch.clips.index] * batch.clips.valid)
  if recipe.drawn:
    parts.append(jnp.ones(recipe.drawn, jnp.float32))
  weights = parts[0] if len(parts) == 1 else jnp.concatenate(parts)
  if batch.mix:
    partner, share = weights[batch.mix.partner], batch.mix.share
    both = (weights > 0) & (partner > 0)
    weights = jnp.where(both, share * weights + (1 - share) * partner, 0)
  if fold.until is not None:  # a step without a clip is none
    weights = weights * (step < fold.until)
  return weights


def _before_changes(recipe: Recipe, seed_key: jax.Array, step: jax.Array, data: Data) -> Batch:
  """The clips of a shared batch, then its drawn examples."""
  key, count = jax.random.fold_in(seed_key, BATCHES), recipe.batch_size - recipe.drawn
  if recipe.source is None or not recipe.drawn:
    return _gathered(schedule.shared(key, step, len(data.labels), count), data)
  drawn = recipe.source(jax.random.fold_in(jax.random.fold_in(seed_key, DRAWN), step), recipe.drawn)
  if not count:
    return Batch(None, drawn.inputs, drawn.labels, drawn.action_units)
  clips = _gathered(schedule.shared(key, step, len(data.labels), count), data)
  inputs, labels = jax.tree.map(
    lambda *parts: jnp.concatenate(parts), (clips.inputs, clips.labels), drawn[:2]
  )
  return Batch(clips.clips, inputs, labels, drawn.action_units)


def _gathered(clips: schedule.Batch, data: Data) -> Batch:
  inputs, labels = jax.tree.map(lambda x: x[clips.index], data)
  return Batch(clips, inputs, labels, action_units=jnp.zeros((0, 0), jnp.float32))


def _augmented(recipe: Recipe, key: jax.Array, step: jax.Array, batch: Batch) -> Batch:
  if recipe.augment == augment.Augment():
    return batch
  of_changes, of_mix = jax.random.split(jax.random.fold_in(key, step))
  inputs, mix = augment.changed(recipe.augment, of_changes, batch.inputs), None
  if recipe.augment.mixup:
    inputs, mix = augment.mix(recipe.augment.mixup, of_mix, inputs)
  return batch._replace(inputs=inputs, mix=mix)
