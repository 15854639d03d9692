"""The host's side of training: chunks of epochs, the bar, the log, checkpoints."""

from typing import NamedTuple

import jax
import numpy as np

from mer_jax.progress import progress
from mer_jax.training.checkpoints import Checkpoints
from mer_jax.training.fold import FoldState, Sums
from mer_jax.training.history import History
from mer_jax.training.program import Program
from mer_jax.training.schedule import steps_per_epoch


class Plan(NamedTuple):
  """How long to train and how often to look up.

  Attributes:
    epochs: all of them, those of an interrupted run included.
    chunk_epochs: epochs in one call of the program, and between two lines of the log.
    checkpoint_every: epochs between two checkpoints; the last epoch always gets one.
  """

  epochs: int
  chunk_epochs: int = 1
  checkpoint_every: int = 10


def train(program: Program, plan: Plan, checkpoints: Checkpoints, history: History) -> FoldState:
  """Trains every fold to the end of `plan`.

  In this order: (1) the newest checkpoint, or a fresh state; (2) the log is cut back to it;
  (3) chunk after chunk, each dispatched before the one before it is logged; (4) a checkpoint when
  it is due, never of a state whose losses have not been checked.

  Returns:
    The state after the last epoch, leaves [S, F', ...]: bitwise the same with and without a stop
    in between.

  Raises:
    TrainingError: a loss is not finite.
  """
  layout = program.layout
  per_epoch = steps_per_epoch(len(program.data.labels), program.recipe.batch_size)
  epoch = checkpoints.latest() or 0
  state = checkpoints.restore(epoch, program.init, layout) if epoch else program.init()
  history.rewind(epoch)
  pending: tuple[int, int, Sums] | None = None
  with progress(plan.epochs, "training", "epoch", initial=epoch) as bar:

    def log(chunk: tuple[int, int, Sums] | None) -> None:
      if chunk is None:
        return
      before, after, sums = chunk
      sums = jax.tree.map(lambda x: np.asarray(x)[:, : layout.folds], sums)
      history.append(before // plan.chunk_epochs, after, after * per_epoch, sums)
      bar.update(after - before)
      bar.set_postfix_str(f"loss {np.sum(sums.loss) / max(np.sum(sums.steps), 1):.3f}")

    while epoch < plan.epochs:
      until = min(_next_multiple(epoch, plan.chunk_epochs), plan.epochs)
      state, sums = program.train(state, epoch * per_epoch, (until - epoch) * per_epoch)
      log(pending)
      pending = (epoch, until, sums)
      due = until // plan.checkpoint_every > epoch // plan.checkpoint_every
      epoch = until
      if due or epoch == plan.epochs:
        log(pending)
        pending = None
        checkpoints.save(epoch, state, layout)
  return state


def _next_multiple(value: int, step: int) -> int:
  return (value // step + 1) * step
