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

from mer_jax.training import augment, auxiliary, average, losses, start, subtrees
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
  return beginning(recipe, fold, variables["params"], variables.get("batch_stats", {}))


def beginning(recipe: Recipe, fold: Fold, params: Any, batch_stats: Any) -> FoldState:
  """The state of a fold that begins to train with these parameters and statistics."""
  learnt, _ = subtrees.split(params, recipe.trained, recipe.frozen)
  return FoldState(
    params=params,
    batch_stats=batch_stats,
    opt_state=recipe.optimizer(fold.hyper).init(learnt),
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
  learnt, kept = subtrees.split(state.params, recipe.trained, recipe.frozen)

  def loss_of(learnt):
    logits, changed = model.apply(
      {"params": subtrees.join(learnt, kept), "batch_stats": state.batch_stats},
      batch.inputs,
      weights,
      train=True,
      rngs={"dropout": dropout},
      mutable=["batch_stats", *([losses.COLLECTION] if _reads_sown(recipe) else [])],
    )
    loss, decisive = _loss(recipe, fold, batch, logits, changed, weights)
    if recipe.action_unit_loss:
      loss += recipe.action_unit_loss * auxiliary.loss(changed, batch, weights)
    return loss, (decisive, changed.get("batch_stats", {}))

  (loss, (logits, stats)), grads = jax.value_and_grad(loss_of, has_aux=True)(learnt)
  updates, opt_state = optimizer.update(grads, state.opt_state, learnt)
  finite = jnp.isfinite(loss)
  stopped = jnp.where(finite, state.stopped, jnp.minimum(state.stopped, step))
  params = subtrees.join(optax.apply_updates(learnt, updates), kept)
  new = FoldState(params, _statistics(recipe, state, stats), opt_state, stopped)
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

  Of `variables_of`; with `mirror_at_test`, the mean over a clip and its mirror image. NaN
  throughout where they are not `usable`.
  """
  ones = jnp.ones(len(jax.tree.leaves(inputs)[0]))
  variables = variables_of(recipe, state)

  def probabilities(inputs: Mapping[str, jax.Array]) -> jax.Array:
    logits = recipe.model.apply(variables, inputs, ones, train=False)
    return recipe.target.probabilities(jnp.asarray(logits))

  is_usable = usable(variables, state)
  predicted = probabilities(inputs)
  if recipe.mirror_at_test:
    predicted = (predicted + probabilities(augment.mirrored(inputs))) / 2
  return jnp.where(is_usable, predicted, jnp.nan)


def variables_of(recipe: Recipe, state: FoldState) -> dict[str, Any]:
  """Parameters and statistics that a fold predicts with, averaged where the recipe averages."""
  params, batch_stats = state.params, state.batch_stats
  if recipe.average:
    params, batch_stats = average.variables(state.average, params, batch_stats)
  return {"params": params, "batch_stats": batch_stats}


def usable(variables: Mapping[str, Any], state: FoldState) -> jax.Array:
  """bool: whether the fold was not stopped, and its last step left all numbers finite."""
  finite = [jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(dict(variables))]
  return jnp.all(jnp.stack(finite)) & (state.stopped == NEVER)


def zero_sums() -> Sums:
  """The sums of a chunk that has not begun."""
  zero = jnp.zeros((), jnp.float32)
  return Sums(zero, zero, zero, zero, jnp.array(NEVER, jnp.int32))


def _model(recipe: Recipe, fold: Fold) -> nn.Module:
  if "dropout" not in fold.hyper:
    return recipe.model
  return recipe.model.clone(dropout=fold.hyper["dropout"])


def _reads_sown(recipe: Recipe) -> bool:
  return bool(recipe.action_unit_loss) or any(losses.READS[name] for name, _ in recipe.losses)


def _loss(
  recipe: Recipe, fold: Fold, batch: Batch, logits: jax.Array, changed: Mapping[str, Any], weights
) -> tuple[jax.Array, jax.Array]:
  """The losses, of mixed examples by either partner's labels and share; and decisive logits."""
  parts = {name: x[0] for name, x in changed.get(losses.COLLECTION, {}).items()}
  gamma = fold.hyper.get("focal_gamma")
  outputs = losses.Outputs(logits, parts, batch.labels, weights, recipe.target, gamma)
  loss, decisive = (f(recipe.losses, outputs) for f in (losses.total, losses.decisive_logits))
  if not batch.mix:
    return loss, decisive
  partners = outputs._replace(labels=batch.labels[batch.mix.partner])
  partner = losses.total(recipe.losses, partners)
  return batch.mix.share * loss + (1 - batch.mix.share) * partner, decisive


def _statistics(recipe: Recipe, state: FoldState, stats: Any) -> Any:
  """Running statistics after a step: `stats`, but for layers that are not trained."""
  fresh, _ = subtrees.split(stats, recipe.trained, recipe.frozen)
  _, kept = subtrees.split(state.batch_stats, recipe.trained, recipe.frozen)
  return subtrees.join(fresh, kept)


def _add(sums: Sums, loss, correct, weights, stopped) -> Sums:
  counts = (weights > 0) & (stopped == NEVER)
  return Sums(
    loss=sums.loss + jnp.where(counts.any(), loss, 0),
    steps=sums.steps + counts.any(),
    correct=sums.correct + jnp.sum(correct & counts),
    seen=sums.seen + counts.sum(),
    stopped=stopped,
  )
