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

from mer_jax.training import augment, auxiliary, average, start
from mer_jax.training.batch import Batch, own_batch, weights_of
from mer_jax.training.recipe import DROPOUT, INIT, Data, Fold, Recipe, purpose_key


class FoldState(NamedTuple):
  """What a fold carries from step to step.

  Attributes:
    params: the model's parameters.
    batch_stats: running statistics; empty for models without them.
    opt_state: the optimiser's state.
    stopped: int32, the step whose loss was not finite, from which on the fold stays as it is;
      `NEVER` while it trains.
    average: average.Averaged where the recipe asks for it, else empty.
  """

  params: Any
  batch_stats: Any
  opt_state: Any
  stopped: jax.Array
  average: Any = ()


class Sums(NamedTuple):
  """Sums over the steps of a chunk, from which the host makes means.

  Attributes:
    loss: float32, sum of the steps' losses over steps that counted.
    steps: float32, number of those.
    correct, seen: float32, training clips classified correctly and training clips seen.
    stopped: int32, FoldState.stopped after the last of them.
  """

  loss: jax.Array
  steps: jax.Array
  correct: jax.Array
  seen: jax.Array
  stopped: jax.Array


NEVER = jnp.iinfo(jnp.int32).max


def init(
  recipe: Recipe,
  seed_key: jax.Array,
  fold: Fold,
  example: Mapping[str, jax.Array],
  weights: Mapping[str, jax.Array] | None = None,
) -> FoldState:
  """A fold's first state; only the shapes of `example` (inputs of one clip, [1, ...]) count.

  `weights` are leaves by name that stand in for random ones, see `start.replaced`.
  """
  variables = recipe.model.init(
    purpose_key(seed_key, INIT, fold.identity), example, jnp.ones(1), train=False
  )
  variables = start.replaced(variables, weights)
  params, batch_stats = variables["params"], variables.get("batch_stats", {})
  return FoldState(
    params=params,
    batch_stats=batch_stats,
    opt_state=recipe.optimizer(fold.hyper).init(params),
    stopped=jnp.array(NEVER, jnp.int32),
    average=average.empty(params, batch_stats) if recipe.average else (),
  )


def train_step(
  recipe: Recipe,
  seed_key: jax.Array,
  fold: Fold,
  data: Data,
  shared: Batch | None,
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
    shared: what `batch.shared_batch` returned for this step.
    step: int32 scalar, counted from 0 over the whole run.
    state: the fold's state.
    sums: the chunk's sums so far.

  Returns:
    The next state and sums. A batch that holds nothing for this fold changes neither, and neither
    does one whose loss is not finite, or any after that, or any from fold.until on.
  """
  batch = shared or own_batch(recipe, seed_key, fold, data, step)
  weights = weights_of(recipe, fold, data, batch, step)
  dropout = jax.random.fold_in(purpose_key(seed_key, DROPOUT, fold.identity), step)
  model, optimizer = _model(recipe, fold), recipe.optimizer(fold.hyper)

  def loss_of(params):
    logits, changed = model.apply(
      {"params": params, "batch_stats": state.batch_stats},
      batch.inputs,
      weights,
      train=True,
      rngs={"dropout": dropout},
      mutable=["batch_stats", *([auxiliary.COLLECTION] if recipe.action_unit_loss else [])],
    )
    loss = _loss(recipe, fold, batch, logits, weights)
    if recipe.action_unit_loss:
      loss += recipe.action_unit_loss * auxiliary.loss(changed, batch, weights)
    return loss, (logits, changed.get("batch_stats", {}))

  (loss, (logits, stats)), grads = jax.value_and_grad(loss_of, has_aux=True)(state.params)
  updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
  finite = jnp.isfinite(loss)
  stopped = jnp.where(finite, state.stopped, jnp.minimum(state.stopped, step))
  new = FoldState(optax.apply_updates(state.params, updates), stats, opt_state, stopped)
  if recipe.average:
    mean = average.add(recipe.average, state.average, new.params, stats, step)
    new = new._replace(average=mean)
  counts = jnp.any(weights > 0) & (stopped == NEVER)
  new = jax.tree.map(lambda fresh, old: jnp.where(counts, fresh, old), new, state)
  new = new._replace(stopped=stopped)
  correct = recipe.target.is_correct(logits, batch.labels)
  return new, _add(sums, loss, correct, weights, stopped)


def predict(recipe: Recipe, state: FoldState, inputs: Mapping[str, jax.Array]) -> jax.Array:
  """Class probabilities, float32 [B, K], of clips `inputs` ([B, ...]) by one fold.

  Of the averaged parameters where the recipe averages; with `mirror_at_test`, the mean over a clip
  and its mirror image. NaN throughout if the fold was stopped, or its last step left the finite
  numbers.
  """
  ones = jnp.ones(len(jax.tree.leaves(inputs)[0]))
  params, batch_stats = state.params, state.batch_stats
  if recipe.average:
    params, batch_stats = average.variables(state.average, params, batch_stats)
  variables = {"params": params, "batch_stats": batch_stats}

  def probabilities(inputs: Mapping[str, jax.Array]) -> jax.Array:
    logits = recipe.model.apply(variables, inputs, ones, train=False)
    return recipe.target.probabilities(jnp.asarray(logits))

  finite = [jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(variables)]
  usable = jnp.all(jnp.stack(finite)) & (state.stopped == NEVER)
  predicted = probabilities(inputs)
  if recipe.mirror_at_test:
    predicted = (predicted + probabilities(augment.mirrored(inputs))) / 2
  return jnp.where(usable, predicted, jnp.nan)


def zero_sums() -> Sums:
  """The sums of a chunk that has not begun."""
  zero = jnp.zeros((), jnp.float32)
  return Sums(zero, zero, zero, zero, jnp.array(NEVER, jnp.int32))


def _model(recipe: Recipe, fold: Fold) -> nn.Module:
  if "dropout" not in fold.hyper:
    return recipe.model
  return recipe.model.clone(dropout=fold.hyper["dropout"])


def _loss(
  recipe: Recipe, fold: Fold, batch: Batch, logits: jax.Array, weights: jax.Array
) -> jax.Array:
  """The target's loss; of mixed examples, that of either partner's labels by its share."""
  gamma = fold.hyper.get("focal_gamma")
  loss = recipe.target.loss(logits, batch.labels, weights, gamma)
  if not batch.mix:
    return loss
  partner = recipe.target.loss(logits, batch.labels[batch.mix.partner], weights, gamma)
  return batch.mix.share * loss + (1 - batch.mix.share) * partner


def _add(sums: Sums, loss, correct, weights, stopped) -> Sums:
  counts = (weights > 0) & (stopped == NEVER)
  return Sums(
    loss=sums.loss + jnp.where(counts.any(), loss, 0),
    steps=sums.steps + counts.any(),
    correct=sums.correct + jnp.sum(correct & counts),
    seen=sums.seen + counts.sum(),
    stopped=stopped,
  )
