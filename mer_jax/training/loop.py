"""The host's side of training: chunks of epochs, the bar, the log, checkpoints, the way to stop."""

import bisect
import pathlib
import signal
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import jax
import numpy as np

from mer_jax.errors import Interrupted
from mer_jax.runtime import distributed, interrupts
from mer_jax.runtime.progress import note_shown, progress
from mer_jax.training import stages
from mer_jax.training.checkpoints import Checkpoints
from mer_jax.training.fold import FoldState, Sums
from mer_jax.training.history import History
from mer_jax.training.profile import tracing
from mer_jax.training.program import Program


class Plan(NamedTuple):
  """How long to train and how often to look up.

  Attributes:
    epochs: all of them, those of an interrupted run included.
    chunk_epochs: epochs in one call of the program, and between two lines of the log.
    checkpoint_every: epochs between two checkpoints; the last epoch always gets one.
    profile: folder for a trace of one chunk, the second if there is one, for the first compiles;
      None: no trace.
    what: what the bar and the message about an interruption call it.
    ends: the epoch at which each stage but the last ends, rising; see stages.py.
  """

  epochs: int
  chunk_epochs: int = 1
  checkpoint_every: int = 10
  profile: pathlib.Path | None = None
  what: str = "training"
  ends: tuple[int, ...] = ()


class Recorder(Protocol):
  """Keeps snapshots of what the folds predict along the way."""

  # Epochs between two snapshots.
  every_epochs: int

  def rewind(self, epoch: int) -> None:
    """Drops the snapshots after `epoch`: they come again."""

  def append(self, epoch: int, probabilities: np.ndarray) -> None:
    """Keeps the snapshot at the end of `epoch`: float32 [S, F, M, K], see Program.predict."""

  def synchronise(self) -> None:
    """Returns when the snapshots would outlast a power loss."""


class Chunk(NamedTuple):
  """Epochs `before` to `after`, dispatched: sums, and a snapshot at their end if it is due."""

  before: int
  after: int
  sums: Sums
  snapshot: jax.Array | None


def train(
  program: Program,
  plan: Plan,
  checkpoints: Checkpoints,
  history: History,
  recorder: Recorder | None = None,
) -> FoldState:
  """Trains every fold to the end of `plan`, stage after stage.

  In this order: (1) the newest checkpoint that can be read, or a fresh state; (2) the log is cut
  back to it; (3) chunk after chunk, each dispatched before the one before it is logged; (4) a
  checkpoint when it is due, or when a signal asks to stop. Nothing crosses between host and device
  meanwhile that is not meant to. Snapshots go with the log: dispatched at once, fetched a chunk
  late.

  Returns:
    The state after the last epoch, leaves [S, F', ...]: bitwise the same with and without a stop
    in between.

  Raises:
    Interrupted: SIGINT or SIGTERM came; what was dispatched is finished and saved.
    WorkdirError: the log or a checkpoint cannot be written.
  """
  layout = program.layout
  per_epoch = program.steps_per_epoch
  began, state = checkpoints.restore(program.init, layout, stages.entries(program, plan.ends))
  epoch = began
  logs = [history, recorder] if distributed.is_main() else []
  for written in filter(None, logs):
    written.rewind(epoch)
  due = set(snapshot_epochs(plan, recorder.every_epochs) if recorder else [])
  pending: Chunk | None = None
  with (
    interrupts.finishing("the chunk of epochs under way") as request,
    progress(plan.epochs, plan.what, "epoch", initial=epoch, shown=distributed.is_main()) as bar,
    jax.transfer_guard("disallow"),
  ):

    def log(chunk: Chunk | None) -> None:
      if chunk is None:
        return
      before, after, *fetched = chunk
      sums, snapshot = jax.tree.map(lambda x: x[:, : layout.folds], distributed.fetch(fetched))
      if distributed.is_main():
        history.append(before // plan.chunk_epochs, after, after * per_epoch, sums)
        if recorder and snapshot is not None:
          recorder.append(after, snapshot)
      bar.update(after - before)
      bar.set_postfix_str(f"loss {np.sum(sums.loss) / max(np.sum(sums.steps), 1):.3f}")

    last = epoch == plan.epochs
    traced = _chunk_to_trace(epoch, plan)
    while not last:
      stage, state = _stage(program, plan, epoch, state)
      until = _end_of_chunk(epoch, plan)
      with tracing(plan.profile if epoch == traced else None) as finish:
        span = epoch * per_epoch, (until - epoch) * per_epoch
        # A program is compiled by its first call, which then returns before it has run.
        with note_shown(bar, "compiling" if epoch in (began, *plan.ends) else ""):
          state, sums = finish(stage.train(state, *span))
      first_snapshot = until in due and due.isdisjoint(range(began, until))
      with note_shown(bar, "compiling" if first_snapshot else ""):
        snapshot = stage.predict(state) if until in due else None
      log(pending)
      pending = Chunk(epoch, until, sums, snapshot)
      last = until == plan.epochs or distributed.largest(request.signal) > 0
      if last or until // plan.checkpoint_every > epoch // plan.checkpoint_every:
        log(pending)
        pending = None
        # Before the checkpoint: after a power loss a run may repeat epochs, but must not lack any.
        _synchronise(logs)
        checkpoints.save(until, state, layout)
      epoch = until
  if number := distributed.largest(request.signal):  # whichever process it came to
    checkpoints.wait()
    raise Interrupted(
      f"{signal.Signals(number).name} stopped the {plan.what} after epoch {epoch} of"
      f" {plan.epochs}, which is saved. The same command goes on from there."
    )
  return state


def _stage(program: Program, plan: Plan, epoch: int, state: FoldState) -> tuple[Program, FoldState]:
  """The stage that trains after `epoch` epochs, and its state."""
  place = bisect.bisect_right(plan.ends, epoch)
  stage = (*program.before, program)[place]
  return stage, stages.enter(stage, state) if epoch in plan.ends else state


def _synchronise(logs: Sequence[History | Recorder | None]) -> None:
  for log in filter(None, logs):
    log.synchronise()


def snapshot_epochs(plan: Plan, every: int) -> list[int]:
  """The epochs with a snapshot: the ends of chunks with a multiple of `every` in them.

  The last epoch always is one of them. Of several stages only the last one has any: before it the
  model's own logits may not have been trained.
  """
  first = max(plan.ends, default=0)
  ends = range(plan.chunk_epochs, plan.epochs, plan.chunk_epochs)
  ends = [*(end for end in ends if end > first), plan.epochs]
  begins = [first, *ends[:-1]]
  return [
    end
    for begin, end in zip(begins, ends, strict=True)
    if end // every > begin // every or end == plan.epochs
  ]


def _chunk_to_trace(epoch: int, plan: Plan) -> int:
  """The epoch from which on the chunk goes whose trace tells the most."""
  second = _next_multiple(epoch, plan.chunk_epochs)
  return second if second < plan.epochs else epoch


def _end_of_chunk(epoch: int, plan: Plan) -> int:
  ends = (*(end for end in plan.ends if end > epoch), plan.epochs)
  return min(_next_multiple(epoch, plan.chunk_epochs), *ends)


def _next_multiple(value: int, step: int) -> int:
  return (value // step + 1) * step
