"""Which clips a step looks at, as a pure function of (key, step): nothing is stored.

Three schedules. `shared`: all folds of a seed see the same batches, each epoch a new permutation of
all N clips; who may learn from which clip is a matter of weights. `per_fold`: every fold walks
through permutations of its own training clips, one after another without a gap, so that every
batch is full. `balanced`: every fold draws its own batches, each class equally often (over-sampling
with replacement).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

SCHEDULES = ("shared", "per_fold", "balanced")


class Batch(NamedTuple):
  """Indices of one batch.

  Attributes:
    index: int32 [B], which of the N clips.
    valid: float32 [B], 0 for places that only fill up the last batch of an epoch.
  """

  index: jax.Array
  valid: jax.Array


def steps_per_epoch(num_clips: int, batch_size: int) -> int:
  """Steps in which N clips are seen once: ceil(N / B)."""
  return -(-num_clips // batch_size)


def shared(key: jax.Array, step: jax.Array, num_clips: int, batch_size: int) -> Batch:
  """Batch `step` (int32 scalar) of a schedule that all folds follow.

  Args:
    key: the seed's key for batches.
    step: counted from 0 over the whole run.
    num_clips, batch_size: N and B.
  """
  per_epoch = steps_per_epoch(num_clips, batch_size)
  order = jax.random.permutation(jax.random.fold_in(key, step // per_epoch), num_clips)
  filled = jnp.pad(order, (0, per_epoch * batch_size - num_clips))
  first = (step % per_epoch) * batch_size
  index = jax.lax.dynamic_slice_in_dim(filled, first, batch_size)
  return Batch(index, (first + jnp.arange(batch_size) < num_clips).astype(jnp.float32))


def per_fold(
  key: jax.Array, step: jax.Array, trains: jax.Array, batch_size: int, fewest: int
) -> Batch:
  """Batch `step` of the fold's own endless walk through permutations of its training clips.

  Args:
    key: the fold's key for batches.
    step: int32 scalar.
    trains: bool [N], the clips that the fold may learn from.
    batch_size: B.
    fewest: the least number of training clips that any fold has; bounds how many permutations one
      batch can touch.
  """
  count = jnp.maximum(trains.sum(), 1)
  position = step * batch_size + jnp.arange(batch_size)
  first_walk = position[0] // count
  walks = first_walk + jnp.arange(batch_size // max(fewest, 1) + 2)

  def order(walk):
    draw = jax.random.uniform(jax.random.fold_in(key, walk), trains.shape)
    return jnp.argsort(jnp.where(trains, draw, 2.0))  # clips that may not be seen come last

  orders = jax.vmap(order)(walks)
  index = orders[position // count - first_walk, position % count]
  return Batch(index, jnp.broadcast_to(trains.any(), (batch_size,)).astype(jnp.float32))


def balanced(
  key: jax.Array,
  step: jax.Array,
  trains: jax.Array,
  labels: jax.Array,
  batch_size: int,
  classes: int,
) -> Batch:
  """A batch drawn with replacement from the fold's training clips, every class equally often.

  Args:
    key: the fold's key for batches.
    step: int32 scalar.
    trains: bool [N].
    labels: int32 [N].
    batch_size: B.
    classes: K.
  """
  members = jax.nn.one_hot(labels, classes) * trains[:, None]
  share = (members / jnp.maximum(members.sum(axis=0), 1)).sum(axis=1)
  index = jax.random.categorical(jax.random.fold_in(key, step), jnp.log(share), shape=(batch_size,))
  return Batch(index, jnp.broadcast_to(trains.any(), (batch_size,)).astype(jnp.float32))
