"""Stages: programs that train the same folds one after another, each by a recipe of its own.

A stage begins with the parameters and statistics that the one before it ended with, and a fresh
state of its optimiser. Steps, and with them batches and keys, count on from stage to stage. The
programs of the earlier stages stand in `Program.before`.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import jax
import numpy as np

from mer_jax.runtime import xla_guard
from mer_jax.training import agreement
from mer_jax.training.fold import FoldState, beginning
from mer_jax.training.layout import Layout
from mer_jax.training.program import FOLDS, SEEDS_FOLDS, Program, hyper_of_folds, sharded
from mer_jax.training.recipe import Recipe


def preceded(
  program: Program, earlier: Sequence[tuple[Recipe, Mapping[str, Sequence[float]]]]
) -> Program:
  """`program`, with stages before it that train the same folds on the same clips.

  Args:
    program: the last stage.
    earlier: recipe and hyper-parameters of each other stage, in their order, see program.build.

  Raises:
    ConfigError: a recipe does not fit its model.
  """
  before = []
  for recipe, hyper in earlier:
    agreement.check(recipe, program.data.inputs)
    folds = program.folds._replace(hyper=hyper_of_folds(program.layout, hyper))
    before.append(
      program._replace(recipe=recipe._replace(fewest=program.recipe.fewest), folds=folds)
    )
  return program._replace(before=tuple(before))


def entries(
  program: Program, ends: Sequence[int]
) -> list[tuple[int, Callable[[FoldState], FoldState]]]:
  """Of every stage but the first the epoch at which it begins, and what makes its first state.

  Args:
    program: the last stage, with those before it.
    ends: the epochs at which these end, as many as there are.
  """
  later = [*program.before[1:], program] if program.before else []
  return [(end, partial(enter, stage)) for end, stage in zip(ends, later, strict=True)]


def enter(stage: Program, state: FoldState) -> FoldState:
  """The first state of `stage`, leaves [S, F', ...], after the last `state` of the one before it.

  A fold that was stopped stays so.
  """
  return _enter(stage.recipe, stage.layout, stage.folds, state, stage.selected)


@partial(xla_guard.jit, static_argnums=(0, 1))
def _enter(recipe: Recipe, layout: Layout, folds, state, selected) -> FoldState:
  def local(folds, state, selected):
    def of_fold(fold, state):
      begun = beginning(recipe, fold, state.params, state.batch_stats)
      return begun._replace(stopped=state.stopped)

    def of_seed(args):
      state, selected = args
      own = folds._replace(**selected._asdict()) if selected else folds
      return jax.vmap(of_fold)(own, state)

    return jax.lax.map(of_seed, (state, selected))

  specs = (FOLDS, SEEDS_FOLDS, SEEDS_FOLDS)
  return sharded(layout, local, specs, SEEDS_FOLDS)(folds, state, selected)


def with_selected(
  program: Program, hyper: Sequence[Mapping[str, np.ndarray]], until: np.ndarray
) -> Program:
  """`program` and the stages before it with what was selected for each seed and fold.

  Args:
    program: the last stage.
    hyper: of every stage, see Program.with_selected.
    until: int [S, F], the steps after which a fold stays as it is.
  """
  *before, last = (
    stage.with_selected(values, until)
    for stage, values in zip((*program.before, program), hyper, strict=True)
  )
  return last._replace(before=tuple(before))
