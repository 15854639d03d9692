"""How much memory a step takes, estimated from its program before anything is compiled."""

import math
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from mer_jax.training.batch import shared_batch
from mer_jax.training.fold import init, train_step, zero_sums
from mer_jax.training.recipe import Data, Fold, Recipe

# Of a device's memory, the part that one step may take: the rest is for clips, parameters,
# fragmentation, and whatever else runs.
SHARE = 0.5
# So many folds that what they share matters no more.
MANY = 64


class Footprint(NamedTuple):
  """Bytes of one training step at its peak.

  Attributes:
    shared: what a block of folds needs once: the batch, and what is computed from it alone.
    fold: what every fold of the block adds.
  """

  shared: int
  fold: int

  def folds_that_fit(self, memory: int) -> int:
    """The largest block for `memory` bytes; 1 if not even that fits: there is no smaller one."""
    return max(1, int(memory * SHARE - self.shared) // max(self.fold, 1))


def estimate(
  recipe: Recipe, inputs: dict[str, np.ndarray], labels: np.ndarray, hyper: Sequence[str]
) -> Footprint:
  """What a step of `recipe` needs, on inputs [N, ...] and labels [N].

  The values that are alive together are added up along the program of many folds and of twice as
  many; the difference belongs to the folds. The compiler fuses operations and often needs less.

  Args:
    recipe: model, optimiser, batch.
    inputs, labels: only their shapes and dtypes are looked at.
    hyper: names of the hyper-parameters.
  """
  many, twice = (_peak_of_folds(recipe, inputs, labels, hyper, n) for n in (MANY, 2 * MANY))
  each = max((twice - many) // MANY, 1)
  return Footprint(shared=max(many - MANY * each, 0), fold=each)


def bytes_of_state(recipe: Recipe, inputs: dict[str, np.ndarray], hyper: Sequence[str]) -> int:
  """What a fold of one seed keeps from step to step: parameters, statistics, optimiser.

  Args:
    recipe: model and optimiser.
    inputs: [N, ...] each; only shapes and dtypes are looked at.
    hyper: names of the hyper-parameters.
  """
  leaves = jax.tree.leaves(_state(recipe, inputs, _fold(hyper, 0)))
  return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in leaves)


def memory_of(devices: Sequence[jax.Device]) -> int:
  """Bytes that one of `devices` has, whatever is free of them now.

  What is free changes from run to run, and with it would the blocks, and the last bits of results.
  """
  stats = devices[0].memory_stats() or {}
  if "bytes_limit" in stats:
    return stats["bytes_limit"]
  here = sum(device.process_index == jax.process_index() for device in devices)
  return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // max(here, 1)


def _peak_of_folds(recipe: Recipe, inputs, labels, hyper, count: int) -> int:
  shape: Any = jax.ShapeDtypeStruct  # stands where arrays will
  data = Data(
    {name: shape(x.shape, x.dtype) for name, x in inputs.items()}, shape(labels.shape, jnp.int32)
  )
  fold = _fold(hyper, len(labels))

  def step(fold, state, data):
    key = jax.random.key(0)
    shared = shared_batch(recipe, key, jnp.int32(0), data)
    return jax.vmap(
      lambda fold, state: train_step(
        recipe, key, fold, data, shared, jnp.int32(0), state, zero_sums()
      )
    )(fold, state)

  state = _state(recipe, inputs, fold)
  folds, states = jax.tree.map(lambda x: shape((count, *x.shape), x.dtype), (fold, state))
  return _peak(jax.make_jaxpr(step)(folds, states, data).jaxpr)


def _fold(hyper: Sequence[str], clips: int) -> Fold:
  """The shapes of what tells a fold apart."""
  shape: Any = jax.ShapeDtypeStruct
  numbers = dict.fromkeys(hyper, shape((), jnp.float32))
  return Fold(shape((), jnp.uint32), shape((clips,), jnp.float32), numbers)


def _state(recipe: Recipe, inputs: dict[str, np.ndarray], fold: Fold) -> Any:
  """The shapes of a fold's first state."""
  shape: Any = jax.ShapeDtypeStruct
  example = {name: shape((1, *x.shape[1:]), x.dtype) for name, x in inputs.items()}
  return jax.eval_shape(lambda f, x: init(recipe, jax.random.key(0), f, x), fold, example)


def _peak(jaxpr: core.Jaxpr) -> int:
  """The most bytes alive at once while `jaxpr` runs, its arguments left out."""
  last_use = {}
  for i, equation in enumerate(jaxpr.eqns):
    last_use |= {v: i for v in equation.invars if isinstance(v, core.Var)}
  last_use |= {v: len(jaxpr.eqns) for v in jaxpr.outvars if isinstance(v, core.Var)}
  ends: dict[int, list[int]] = {}
  alive = peak = 0
  for i, equation in enumerate(jaxpr.eqns):
    inner = max((_peak(inside) for inside in _inside(equation)), default=0)
    sizes = [(_bytes(v), last_use.get(v, i)) for v in equation.outvars]
    peak = max(peak, alive + max(inner, sum(size for size, _ in sizes)))
    for size, end in sizes:
      alive += size
      ends.setdefault(end, []).append(size)
    alive -= sum(ends.pop(i, []))
  return peak


def _inside(equation) -> list[core.Jaxpr]:
  """The programs that an equation calls."""
  inner = (getattr(p, "jaxpr", p) for p in jax.tree.leaves(list(equation.params.values())))
  return [p for p in inner if isinstance(p, core.Jaxpr)]


def _bytes(variable) -> int:
  shape, dtype = variable.aval.shape, variable.aval.dtype
  size = dtype.itemsize if hasattr(dtype, "itemsize") else 8
  return int(np.prod(shape, dtype=np.int64)) * size
