"""One fold as pure functions: initialise, one optimisation step, predict. The rest vmaps these.

Nothing here knows that other folds exist. What a fold may learn from is said by its weights [N]; a
clip of weight 0 reaches neither loss, nor gradient, nor statistics.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from mer_jax.training import losses, schedule

# What the keys below a seed's key are for: fold_in of the purpose, then the fold, then the step.
INIT, BATCHES, DROPOUT = range(3)


class FoldState(NamedTuple):
  """What a fold carries from step to step.

  Attributes:
    params: the model's parameters.
    batch_stats: running statistics; empty for models without them.
    opt_state: the optimiser's state.
  """

  params: Any
  batch_stats: Any
  opt_state: Any


class Data(NamedTuple):
  """All clips, on device, the same for every fold.

  Attributes:
    inputs: arrays [N, ...] as an input of mer_jax.inputs made them.
    labels: int32 [N].
  """

  inputs: dict[str, jax.Array]
  labels: jax.Array


class Fold(NamedTuple):
  """Which fold this is.

  Attributes:
    identity: uint32, drawn from the fold's name, so that a fold's randomness is its own whichever
      folds run beside it.
    weights: float32 [N]; 0 for clips that the fold must not learn from.
  """

  identity: jax.Array
  weights: jax.Array


class Sums(NamedTuple):
  """Sums over the steps of a chunk, from which the host makes means.

  Attributes:
    loss: float32, sum of the steps' losses over steps that counted.
    steps: float32, number of those.
    correct, seen: float32, training clips classified correctly and training clips seen.
    first_bad: int32, the first step whose loss was not finite; `NEVER` if there was none.
  """

  loss: jax.Array
  steps: jax.Array
  correct: jax.Array
  seen: jax.Array
  first_bad: jax.Array


NEVER = jnp.iinfo(jnp.int32).max


class Recipe(NamedTuple):
  """Everything about training that does not change from step to step.

  Attributes:
    model: flax module (inputs, weights [B], train) -> logits [B, K].
    optimizer: optax transformation.
    num_classes: K.
    batch_size: B.
    schedule: one of schedule.SCHEDULES.
    balance: one of losses.BALANCES.
    focal_gamma: exponent of the focal loss; 0 is plain cross-entropy.
    fewest: the least number of training clips of any fold.
  """

  model: nn.Module
  optimizer: optax.GradientTransformation
  num_classes: int
  batch_size: int
  schedule: str = "shared"
  balance: str = "none"
  focal_gamma: float = 0.0
  fewest: int = 1


def purpose_key(seed_key: jax.Array, purpose: int, identity: jax.Array) -> jax.Array:
  """The key of one purpose (INIT, BATCHES, DROPOUT) of one fold (uint32) of a seed."""
  return jax.random.fold_in(jax.random.fold_in(seed_key, purpose), identity)


def init(recipe: Recipe, seed_key: jax.Array, fold: Fold, data: Data) -> FoldState:
  """A fold's first state. It depends on the shapes of `data`, never on its values."""
  example = jax.tree.map(lambda x: jnp.zeros((1, *x.shape[1:]), x.dtype), data.inputs)
  variables = recipe.model.init(
    purpose_key(seed_key, INIT, fold.identity), example, jnp.ones(1), train=False
  )
  params = variables["params"]
  return FoldState(params, variables.get("batch_stats", {}), recipe.optimizer.init(params))


def shared_batch(
  recipe: Recipe, seed_key: jax.Array, step: jax.Array, data: Data
) -> tuple[schedule.Batch, Data] | None:
  """The batch that all folds of a seed see at `step`, gathered once; None if each has its own."""
  if recipe.schedule != "shared":
    return None
  key = jax.random.fold_in(seed_key, BATCHES)
  batch = schedule.shared(key, step, len(data.labels), recipe.batch_size)
  return batch, jax.tree.map(lambda x: x[batch.index], data)


def train_step(
  recipe: Recipe,
  seed_key: jax.Array,
  fold: Fold,
  data: Data,
  shared: tuple[schedule.Batch, Data] | None,
  step: jax.Array,
  state: FoldState,
  sums: Sums,
) -> tuple[FoldState, Sums]:
  """One optimisation step of one fold.

  Args:
    recipe: what does not change.
    seed_key: typed key of the seed.
    fold: identity and weights [N].
    data: all clips.
    shared: what `shared_batch` returned for this step.
    step: int32 scalar, counted from 0 over the whole run.
    state: the fold's state.
    sums: the chunk's sums so far.

  Returns:
    The next state and sums. A batch that holds nothing for this fold changes neither.
  """
  batch, chosen = shared or _own_batch(recipe, seed_key, fold, data, step)
  weights = (fold.weights if recipe.balance == "none" else _balanced(recipe, fold, data))[
    batch.index
  ]
  weights = weights * batch.valid
  dropout = jax.random.fold_in(purpose_key(seed_key, DROPOUT, fold.identity), step)

  def loss_of(params):
    logits, changed = recipe.model.apply(
      {"params": params, "batch_stats": state.batch_stats},
      chosen.inputs,
      weights,
      train=True,
      rngs={"dropout": dropout},
      mutable=["batch_stats"],
    )
    loss = losses.weighted(logits, chosen.labels, weights, recipe.focal_gamma)
    return loss, (logits, changed.get("batch_stats", {}))

  (loss, (logits, stats)), grads = jax.value_and_grad(loss_of, has_aux=True)(state.params)
  updates, opt_state = recipe.optimizer.update(grads, state.opt_state, state.params)
  new = FoldState(optax.apply_updates(state.params, updates), stats, opt_state)
  counts = jnp.any(weights > 0)
  new = jax.tree.map(lambda fresh, old: jnp.where(counts, fresh, old), new, state)
  return new, _add(sums, step, loss, logits, chosen.labels, weights)


def predict(recipe: Recipe, state: FoldState, inputs: Mapping[str, jax.Array]) -> jax.Array:
  """Class probabilities, float32 [B, K], of clips `inputs` ([B, ...]) by one fold."""
  ones = jnp.ones(len(jax.tree.leaves(inputs)[0]))
  variables = {"params": state.params, "batch_stats": state.batch_stats}
  logits = recipe.model.apply(variables, inputs, ones, train=False)
  return jax.nn.softmax(jnp.asarray(logits, jnp.float32))


def zero_sums() -> Sums:
  """The sums of a chunk that has not begun."""
  zero = jnp.zeros((), jnp.float32)
  return Sums(zero, zero, zero, zero, jnp.array(NEVER, jnp.int32))


def _own_batch(
  recipe: Recipe, seed_key, fold: Fold, data: Data, step
) -> tuple[schedule.Batch, Data]:
  key = purpose_key(seed_key, BATCHES, fold.identity)
  trains = fold.weights > 0
  if recipe.schedule == "per_fold":
    batch = schedule.per_fold(key, step, trains, recipe.batch_size, recipe.fewest)
  else:
    batch = schedule.balanced(key, step, trains, data.labels, recipe.batch_size, recipe.num_classes)
  return batch, jax.tree.map(lambda x: x[batch.index], data)


def _balanced(recipe: Recipe, fold: Fold, data: Data) -> jax.Array:
  return losses.class_weights(fold.weights, data.labels, recipe.num_classes)


def _add(sums: Sums, step, loss, logits, labels, weights) -> Sums:
  counts = (weights > 0).astype(jnp.float32)
  any_counts = (counts.sum() > 0).astype(jnp.float32)
  hits = (logits.argmax(axis=-1) == labels).astype(jnp.float32)
  bad = jnp.where(jnp.isfinite(loss), NEVER, step).astype(jnp.int32)
  return Sums(
    loss=sums.loss + jnp.where(any_counts > 0, loss, 0),
    steps=sums.steps + any_counts,
    correct=sums.correct + jnp.sum(hits * counts),
    seen=sums.seen + counts.sum(),
    first_bad=jnp.minimum(sums.first_bad, bad),
  )
