"""All folds, settings and seeds as one program: a jitted chunk of steps, and a jitted prediction.

The folds of every setting stand one after another along the one axis "fold": F' = P F and dummies.
Inside each device: groups of seeds one after another, blocks of folds one after another, the seeds
of a group and the folds of a block vmapped. The innermost loop runs over steps, so that a block's
parameters stay in cache while it trains. The trip count of that loop is an argument: chunks of any
length share one compilation.
"""

import functools
import zlib
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec as P

from mer_jax.errors import shown
from mer_jax.runtime import distributed, xla_guard
from mer_jax.training import agreement, blocks
from mer_jax.training.batch import shared_batch
from mer_jax.training.fold import FoldState, Sums, init, predict, train_step, zero_sums
from mer_jax.training.layout import AXIS, Layout
from mer_jax.training.recipe import Data, Fold, Recipe


class Folds(NamedTuple):
  """Who is held out by whom.

  Attributes:
    names: F names; a fold's randomness is drawn from its name, whatever its setting.
    held_out: bool [F, N], True where fold f must not learn from clip n.
    predicted: bool [F, N], True where fold f predicts clip n; None: those that it holds out.
    most, fewest: clips that a fold predicts at the most, and learns from at the least. They decide
      how the program is compiled, and with that the last bits of results, so give them where the
      masks follow from labels; 0: as the masks have it.
  """

  names: Sequence[str]
  held_out: np.ndarray
  predicted: np.ndarray | None = None
  most: int = 0
  fewest: int = 0


class Selected(NamedTuple):
  """What was selected for each seed and fold, where that is not the same for all seeds.

  Attributes:
    hyper: float32 [S, F'] by name; stand in for those of Program.folds.
    until: int32 [S, F'], see fold.Fold.
  """

  hyper: dict[str, jax.Array]
  until: jax.Array


class Program(NamedTuple):
  """A LOSO ready to run; all methods are pure but for the devices they run on.

  Attributes:
    recipe: what does not change from step to step.
    layout: folds on devices, F' = layout.padded.
    seeds: uint32 [S], the seeds.
    folds: identity [F'], weights [F', N] and hyper-parameters [F'] each, on the devices.
    data: all clips, on every device.
    predicted: int32 [F', M / B', B'], the clips each fold predicts in batches of B' <= B, filled up
      with repetitions of clip 0.
    selected: what differs from seed to seed; None: nothing does.
    start: float32 [S, ...] by name, leaves that the folds of each seed begin with in place of
      random ones ("params/logits/kernel"); None: all are random.
    before: stages that train before this one, see stages.py.
  """

  recipe: Recipe
  layout: Layout
  seeds: jax.Array
  folds: Fold
  data: Data
  predicted: jax.Array
  selected: Selected | None = None
  start: Mapping[str, np.ndarray] | None = None
  before: "tuple[Program, ...]" = ()

  @property
  def steps_per_epoch(self) -> int:
    """Steps in which every clip is seen once, see Recipe.steps_per_epoch."""
    return self.recipe.steps_per_epoch(len(self.data.labels))

  def init(self) -> FoldState:
    """The first state of every fold, leaves [S, F', ...]; that of the first stage."""
    if self.before:
      return self.before[0].init()
    # On one device, then spread: initialisers call LAPACK, and on CPUs two devices that do so at a
    # time can wait for each other's threads for ever.
    seeds, folds = distributed.fetch((self.seeds, self.folds))
    example = {name: np.zeros((1, *x.shape[1:]), x.dtype) for name, x in self.data.inputs.items()}
    first_states = _init(jax.default_backend())
    states = jax.device_get(first_states(self.recipe, seeds, folds, example, self.start))
    return jax.tree.map(lambda x: distributed.put(x, self.layout.by_seed_and_fold), states)

  def train(self, state: FoldState, first_step: int, num_steps: int) -> tuple[FoldState, Sums]:
    """`num_steps` steps from `first_step` on; `state` is donated. Sums have leaves [S, F']."""
    span = distributed.put(
      np.array([first_step, first_step + num_steps], np.int32), self.layout.replicated
    )
    args = self.seeds, self.folds, self.data, span, self._spelled(state), self.selected
    return _train(self.recipe, self.layout, *args)

  def predict(self, state: FoldState) -> jax.Array:
    """Probabilities of clips, float32 [S, F', M, K], in the order of `predicted`."""
    if not self.predicted.size:  # all examples are drawn, and there is no clip
      shape = len(self.seeds), self.layout.padded, 0, self.recipe.target.num_classes
      return jnp.zeros(shape, jnp.float32)
    return _predict(self.recipe, self.layout, self.predicted, self.data, self._spelled(state))

  def with_selected(self, hyper: Mapping[str, np.ndarray], until: np.ndarray) -> "Program":
    """The same program with hyper-parameters and an end for each seed and fold.

    Args:
      hyper: float [S, F] for every name in folds.hyper.
      until: int [S, F], the steps after which a fold stays as it is.
    """

    def padded(values, dtype) -> jax.Array:
      dummies = ((0, 0), (0, self.layout.padded - self.layout.folds))
      values = np.pad(np.asarray(values, dtype), dummies, "edge")
      return distributed.put(values, self.layout.by_seed_and_fold)

    own = {name: padded(hyper[name], np.float32) for name in self.folds.hyper}
    return self._replace(selected=Selected(own, padded(until, np.int32)))

  def _spelled(self, state: FoldState) -> FoldState:
    """The same arrays with their sharding written one way.

    On one device jit writes it another way than we do, and would compile again for that.
    """
    return jax.device_put(state, self.layout.by_seed_and_fold)


def build(
  recipe: Recipe,
  layout: Layout,
  seeds: Sequence[int],
  folds: Folds,
  inputs: dict[str, np.ndarray],
  labels: np.ndarray,
  hyper: Mapping[str, Sequence[float]],
) -> Program:
  """Puts clips and folds on the devices.

  Args:
    recipe: model, optimiser, batches; its `fewest` is set here.
    layout: from layout.arrange(P F, ...).
    seeds: S seeds, each in [0, 2^32).
    folds: F folds over N clips.
    inputs: arrays [N, ...]; N may be 0 where all examples are drawn.
    labels: int [N].
    hyper: P values of each hyper-parameter, one for each setting; see fold.Fold.

  Raises:
    ConfigError: the recipe does not fit its model, see agreement.check.
    DataError: an input is not finite.
  """
  agreement.check_finite(inputs)
  agreement.check(recipe, inputs)
  settings = layout.folds // len(folds.names)
  dummies = layout.padded - layout.folds
  names = [*(list(folds.names) * settings), *(f"dummy {i}" for i in range(dummies))]
  identity = np.array([zlib.crc32(shown(name).encode()) for name in names], np.uint32)
  predicted = folds.held_out if folds.predicted is None else folds.predicted
  predicted = np.tile(predicted, (settings, 1))
  most = folds.most or int(predicted.sum(axis=1).max())
  held_out = np.tile(folds.held_out, (settings, 1))
  weights = np.zeros((layout.padded, len(labels)), np.float32)
  weights[: layout.folds] = ~held_out
  fewest = folds.fewest or int((~held_out).sum(axis=1).min())
  put = distributed.put
  return Program(
    recipe=recipe._replace(fewest=fewest),
    layout=layout,
    seeds=put(np.asarray(seeds, np.uint32), layout.replicated),
    folds=Fold(
      put(identity, layout.by_fold),
      put(weights, layout.by_fold),
      hyper_of_folds(layout, hyper),
    ),
    data=Data(
      {name: put(array, layout.replicated) for name, array in inputs.items()},
      put(np.asarray(labels, np.int32), layout.replicated),
    ),
    predicted=put(_batches(predicted, most, layout.padded, recipe.batch_size), layout.by_fold),
  )


def hyper_of_folds(layout: Layout, hyper: Mapping[str, Sequence[float]]) -> dict[str, jax.Array]:
  """P values of each hyper-parameter, one for each setting, as float32 [F'] on the devices."""
  folds, dummies = layout.folds, layout.padded - layout.folds
  return {
    name: distributed.put(
      np.pad(np.repeat(np.asarray(values, np.float32), folds // len(values)), (0, dummies), "edge"),
      layout.by_fold,
    )
    for name, values in hyper.items()
  }


def by_clip(probabilities: np.ndarray, held_out: np.ndarray) -> np.ndarray:
  """Turns predictions by fold [S, F, M, K] into predictions by clip, float32 [S, N, K].

  Args:
    probabilities: what Program.predict returned, cut to the F folds of one setting.
    held_out: bool [F, N]; a clip is held out by one fold, or by none: its probabilities are NaN.
  """
  seeds, _, _, classes = probabilities.shape
  out = np.full((seeds, held_out.shape[1], classes), np.nan, np.float32)
  for f, holds in enumerate(held_out):
    clips = np.flatnonzero(holds)
    out[:, clips] = probabilities[:, f, : len(clips)]
  return out


def _batches(predicted: np.ndarray, most: int, folds: int, batch_size: int) -> np.ndarray:
  """The clips each fold predicts, `most` or fewer, int32 [folds, batches, clips a batch]."""
  # Never more clips at once than a training batch has: what fitted then fits now.
  batches = max(1, -(-most // batch_size))
  index = np.zeros((folds, batches * -(-most // batches)), np.int32)
  for row, is_predicted in zip(index, predicted, strict=False):
    clips = np.flatnonzero(is_predicted)
    row[: len(clips)] = clips
  return index.reshape(folds, batches, -1)


def sharded(layout: Layout, function, in_specs, out_specs):
  """shard_map over the fold axis. No collective is ever needed, so nothing has to be checked."""
  return jax.shard_map(
    function, mesh=layout.mesh, in_specs=in_specs, out_specs=out_specs, check_vma=False
  )


FOLDS, SEEDS_FOLDS, ALL = P(AXIS), P(None, AXIS), P()


@functools.cache
def _init(platform: str):
  # Initialisers are long programs that run once: on CPUs optimising them takes ten times longer
  # than not, and saves milliseconds.
  options = {"xla_backend_optimization_level": 0} if platform == "cpu" else None
  return xla_guard.jit(_first_states, static_argnums=0, compiler_options=options)


def _first_states(recipe: Recipe, seeds, folds, example, start) -> FoldState:
  def of_fold(seed, weights, fold):
    return init(recipe, jax.random.key(seed), fold, example, weights)

  return jax.vmap(lambda seed, weights: jax.vmap(partial(of_fold, seed, weights))(folds))(
    seeds, start
  )


@partial(xla_guard.jit, static_argnums=(0, 1), donate_argnums=6)
def _train(recipe: Recipe, layout: Layout, seeds, folds, data, span, state, selected):
  def local(seeds, folds, data, span, state, selected):
    def of_block(seed, folds, state, selected):
      folds = folds._replace(**selected._asdict()) if selected else folds
      key = jax.random.key(seed)
      sums = jax.vmap(lambda _: zero_sums())(folds.identity)

      def body(step, carry):
        shared = shared_batch(recipe, key, step, data)
        return jax.vmap(
          lambda fold, state, sums: train_step(recipe, key, fold, data, shared, step, state, sums)
        )(folds, *carry)

      return jax.lax.fori_loop(span[0], span[1], body, (state, sums))

    sums = jax.vmap(lambda _: jax.vmap(lambda _: zero_sums())(folds.identity))(seeds)
    return blocks.in_place(layout, of_block, seeds, folds, state, selected, sums)

  specs = (ALL, FOLDS, ALL, ALL, SEEDS_FOLDS, SEEDS_FOLDS)
  return sharded(layout, local, specs, SEEDS_FOLDS)(seeds, folds, data, span, state, selected)


@partial(xla_guard.jit, static_argnums=(0, 1))
def _predict(recipe: Recipe, layout: Layout, predicted, data, state):
  def local(predicted, data, state):
    def of_fold(args):
      fold_state, clips = args

      def of_batch(index):
        return predict(recipe, fold_state, jax.tree.map(lambda x: x[index], data.inputs))

      return jax.lax.map(of_batch, clips).reshape(-1, recipe.target.num_classes)

    return jax.lax.map(lambda state: jax.lax.map(of_fold, (state, predicted)), state)

  specs = (FOLDS, ALL, SEEDS_FOLDS)
  return sharded(layout, local, specs, SEEDS_FOLDS)(predicted, data, state)
