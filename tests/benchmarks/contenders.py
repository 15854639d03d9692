"""This engine, all folds at once; and the same step fold by fold. `torch_loop` has the third.

Each contender's `epoch` trains every fold through one pass over the clips and returns when the
device is done.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

import jax

from mer_jax import training
from mer_jax.experiment import trainer
from mer_jax.training import batch
from mer_jax.training import fold as one

from .workloads import Workload, with_config, with_folds


class Contender(Protocol):
  """What is measured.

  Attributes:
    clips: clips that pass through the products of one epoch, over all folds and seeds; weight 0 or
      not.
  """

  clips: int

  def warm_up(self) -> None:
    """The least call that makes later ones quick: compiles, allocates."""

  def epoch(self) -> None:
    """Trains every fold of every seed for one epoch."""


class AllFolds:
  """(a) This engine: all folds and seeds in one program, one call an epoch."""

  def __init__(self, work: Workload):
    """Puts clips and folds on the devices and draws the first states."""
    self.program = trainer.build_program(work.config, work.split, work.arrays)
    self.state = self.program.init()
    self._steps, self._done = work.steps, 0
    folds = len(work.split.fold_names) * work.config.seeds
    self.clips = folds * work.steps * self.program.recipe.batch_size

  def warm_up(self) -> None:
    """Compiles: how many steps a call takes is an argument of the program, so none will do."""
    self.train(0)

  def epoch(self) -> None:
    """One call for all folds and all steps of an epoch."""
    self.train(self._steps)

  def train(self, steps: int) -> None:
    """`steps` more steps of every fold."""
    self.state, _ = self.program.train(self.state, self._done, steps)
    self._done += steps
    jax.block_until_ready(self.state)


class OneByOneChunks:
  """(b) The program of one fold, called for each in turn with all steps of an epoch."""

  def __init__(self, work: Workload, programs: Sequence[training.Program]):
    """`programs` are what `one_by_one` made of `work`."""
    self.programs = programs
    self.states = [program.init() for program in self.programs]
    self._steps, self._done = work.steps, 0
    self.clips = len(self.programs) * work.steps * self.programs[0].recipe.batch_size

  def warm_up(self) -> None:
    """Compiles, without a step."""
    self.train(0, 0)

  def epoch(self) -> None:
    """One call for each fold."""
    for f in range(len(self.programs)):
      self.train(f, self._steps)
    self._done += self._steps

  def train(self, f: int, steps: int) -> None:
    """`steps` steps of fold `f`, from where this epoch begins."""
    self.states[f], _ = self.programs[f].train(self.states[f], self._done, steps)
    jax.block_until_ready(self.states[f])


class OneByOneSteps:
  """(b) The step of one fold, jitted without a loop around it, called for each fold and step."""

  def __init__(self, work: Workload, programs: Sequence[training.Program]):
    """As `OneByOneChunks`, with states that have no axis for folds and seeds."""
    self.programs = programs
    first = [program.init() for program in self.programs]
    self.states = [jax.tree.map(lambda x: x[0, 0], state) for state in first]
    self.folds = [jax.tree.map(lambda x: x[0], program.folds) for program in self.programs]
    self._steps, self._done = work.steps, 0
    self.clips = len(self.programs) * work.steps * self.programs[0].recipe.batch_size

  def warm_up(self) -> None:
    """Compiles; takes one step of the first fold with it."""
    self.train(0, 1)

  def epoch(self) -> None:
    """One call for each step of each fold."""
    for f in range(len(self.programs)):
      self.train(f, self._steps)
    self._done += self._steps

  def train(self, f: int, steps: int) -> None:
    """`steps` steps of fold `f`, from where this epoch begins."""
    program, state = self.programs[f], self.states[f]
    for step in range(self._done, self._done + steps):
      state = _step(program.recipe, program.seeds[0], self.folds[f], program.data, step, state)
    self.states[f] = jax.block_until_ready(state)


def one_by_one(work: Workload) -> Sequence[training.Program]:
  """A program of one fold for each fold of `work`, of one seed, on one device.

  They are compiled once for all: only identity and weights of the fold differ.
  """
  if work.config.seeds != 1:
    raise ValueError("Folds one by one are measured with one seed.")
  whole = with_config(work, devices=1)
  folds = trainer.build_program(whole.config, whole.split, whole.arrays).folds
  alone = with_folds(whole, 1)
  program = trainer.build_program(alone.config, alone.split, alone.arrays)

  def of_fold(f: int) -> Any:
    return jax.tree.map(lambda x: jax.device_put(x[f : f + 1], program.layout.by_fold), folds)

  return [program._replace(folds=of_fold(f)) for f in range(len(work.split.fold_names))]


@partial(jax.jit, static_argnums=0, donate_argnums=5)
def _step(recipe: training.Recipe, seed, fold, data, step, state):
  key = jax.random.key(seed)
  shared = batch.shared_batch(recipe, key, step, data)
  state, _ = one.train_step(recipe, key, fold, data, shared, step, state, one.zero_sums())
  return state
