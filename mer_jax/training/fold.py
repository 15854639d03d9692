"""One fold as pure functions: initialise, one optimisation step, predict. The rest vmaps these.

Nothing here knows that other folds exist. What a fold may learn from is said by its weights [N]; a
clip of weight 0 reaches neither loss, nor gradient, nor statistics.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from mer_jax.targets import SingleClass
from mer_jax.training import schedule, start

# What the keys below a seed's key are for: fold_in of the purpose, then the fold, then the step.
INIT, BATCHES, DROPOUT = range(3)


class FoldState(NamedTuple):
  """What a fold carries from step to step.

  Attributes:
    params: the model's parameters.
    batch_stats: running statistics; empty for models without them.
    opt_state: the optimiser's state.
    stopped: int32, the step whose loss was not finite, from which on the fold stays as it is;
      `NEVER` while it trains.
  """

  params: Any
  batch_stats: Any
  opt_state: Any
  stopped: jax.Array


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
    hyper: float32 scalars by name, see `Recipe.optimizer`; "dropout" and "focal_gamma", where
      present, stand in for the model's rate and for a plain cross-entropy. Being data, they may
      differ from fold to fold, and another value compiles nothing.
    until: int32, the step from which on the fold stays as it is; None: it trains on and on.
  """

  identity: jax.Array
  weights: jax.Array
  hyper: dict[str, jax.Array]
  until: jax.Array | None = None


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


class Recipe(NamedTuple):
  """Everything about training that does not change from step to step.

  Attributes:
    model: flax module (inputs, weights [B], train) -> logits [B, K].
    optimizer: from a fold's hyper-parameters (learning_rate, momentum, weight_decay; one that is
      absent is 0) to an optax transformation.
    target: what is predicted of a clip: its loss, and probabilities from logits.
    batch_size: B.
    schedule: one of schedule.SCHEDULES.
    fewest: the least number of training clips of any fold.
  """

  model: nn.Module
  optimizer: Callable[[Mapping[str, jax.Array]], optax.GradientTransformation]
  target: SingleClass
  batch_size: int
  schedule: str = "shared"
  fewest: int = 1


def purpose_key(seed_key: jax.Array, purpose: int, identity: jax.Array) -> jax.Array:
  """The key of one purpose (INIT, BATCHES, DROPOUT) of one fold (uint32) of a seed."""
  return jax.random.fold_in(jax.random.fold_in(seed_key, purpose), identity)


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
  params = variables["params"]
  return FoldState(
    params=params,
    batch_stats=variables.get("batch_stats", {}),
    opt_state=recipe.optimizer(fold.hyper).init(params),
    stopped=jnp.array(NEVER, jnp.int32),
  )


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
    The next state and sums. A batch that holds nothing for this fold changes neither, and neither
    does one whose loss is not finite, or any after that, or any from fold.until on.
  """
  batch, clips = shared or _own_batch(recipe, seed_key, fold, data, step)
  weights = recipe.target.clip_weights(fold.weights, data.labels)[batch.index] * batch.valid
  if fold.until is not None:  # a step without a clip is none
    weights = weights * (step < fold.until)
  dropout = jax.random.fold_in(purpose_key(seed_key, DROPOUT, fold.identity), step)
  model, optimizer = _model(recipe, fold), recipe.optimizer(fold.hyper)

  def loss_of(params):
    logits, changed = model.apply(
      {"params": params, "batch_stats": state.batch_stats},
      clips.inputs,
      weights,
      train=True,
      rngs={"dropout": dropout},
      mutable=["batch_stats"],
    )
    loss = recipe.target.loss(logits, clips.labels, weights, fold.hyper.get("focal_gamma"))
    return loss, (logits, changed.get("batch_stats", {}))

  (loss, (logits, stats)), grads = jax.value_and_grad(loss_of, has_aux=True)(state.params)
  updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
  finite = jnp.isfinite(loss)
  stopped = jnp.where(finite, state.stopped, jnp.minimum(state.stopped, step))
  new = FoldState(optax.apply_updates(state.params, updates), stats, opt_state, stopped)
  counts = jnp.any(weights > 0) & (stopped == NEVER)
  new = jax.tree.map(lambda fresh, old: jnp.where(counts, fresh, old), new, state)
  new = new._replace(stopped=stopped)
  correct = recipe.target.is_correct(logits, clips.labels)
  return new, _add(sums, loss, correct, weights, stopped)


def predict(recipe: Recipe, state: FoldState, inputs: Mapping[str, jax.Array]) -> jax.Array:
  """Class probabilities, float32 [B, K], of clips `inputs` ([B, ...]) by one fold.

  NaN throughout if the fold was stopped, or its last step left the finite numbers.
  """
  ones = jnp.ones(len(jax.tree.leaves(inputs)[0]))
  variables = {"params": state.params, "batch_stats": state.batch_stats}
  logits = recipe.model.apply(variables, inputs, ones, train=False)
  finite = [jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(variables)]
  usable = jnp.all(jnp.stack(finite)) & (state.stopped == NEVER)
  return jnp.where(usable, recipe.target.probabilities(jnp.asarray(logits)), jnp.nan)


def zero_sums() -> Sums:
  """The sums of a chunk that has not begun."""
  zero = jnp.zeros((), jnp.float32)
  return Sums(zero, zero, zero, zero, jnp.array(NEVER, jnp.int32))


def _model(recipe: Recipe, fold: Fold) -> nn.Module:
  if "dropout" not in fold.hyper:
    return recipe.model
  return recipe.model.clone(dropout=fold.hyper["dropout"])


def _own_batch(
  recipe: Recipe, seed_key, fold: Fold, data: Data, step
) -> tuple[schedule.Batch, Data]:
  key = purpose_key(seed_key, BATCHES, fold.identity)
  trains = fold.weights > 0
  if recipe.schedule == "per_fold":
    batch = schedule.per_fold(key, step, trains, recipe.batch_size, recipe.fewest)
  else:
    classes = recipe.target.num_classes
    batch = schedule.balanced(key, step, trains, data.labels, recipe.batch_size, classes)
  return batch, jax.tree.map(lambda x: x[batch.index], data)


def _add(sums: Sums, loss, correct, weights, stopped) -> Sums:
  counts = (weights > 0) & (stopped == NEVER)
  return Sums(
    loss=sums.loss + jnp.where(counts.any(), loss, 0),
    steps=sums.steps + counts.any(),
    correct=sums.correct + jnp.sum(correct & counts),
    seen=sums.seen + counts.sum(),
    stopped=stopped,
  )
