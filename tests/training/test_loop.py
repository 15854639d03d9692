"""Stopped and resumed is uninterrupted, bit by bit, whoever stops it; what is logged meanwhile."""

import io
import json
import shutil
import signal
import threading

import jax
import numpy as np
import pytest
import tqdm
from problems import CASES, problem, program

from mer_jax import training
from mer_jax.errors import Interrupted, TrainingError
from mer_jax.runtime import interrupts
from mer_jax.training import loop
from mer_jax.training.fold import NEVER, Sums

NAMES = tuple(f"casme2/sub{f:02d}" for f in range(5))


def run(loso, folder, epochs, chunk=1, every=2, log=training.History):
  history = log([folder / "history.jsonl"], (0, 1), NAMES)
  with training.Checkpoints(folder / "checkpoints", keep=2) as checkpoints:
    state = training.train(loso, training.Plan(epochs, chunk, every), checkpoints, history)
  return jax.device_get(state)


def assert_same_bits(a, b):
  for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
    np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("case", CASES)
def test_stopped_and_resumed_is_uninterrupted_bit_by_bit(case, tmp_path):
  given = problem(CASES[case][2])
  uninterrupted = run(program(case, given), tmp_path / "whole", 5)
  run(program(case, given), tmp_path / "stopped", 2)
  # Lines written after the checkpoint by a run that was then killed, the last one cut short.
  with open(tmp_path / "stopped" / "history.jsonl", "a") as file:
    file.write('{"epoch": 3, "loss": 99}\n{"epoch": 4, "lo')
  resumed = run(program(case, given), tmp_path / "stopped", 5)
  assert_same_bits(uninterrupted, resumed)
  texts = [(tmp_path / name / "history.jsonl").read_text() for name in ("whole", "stopped")]
  assert texts[0] == texts[1]


def test_resuming_on_other_devices_goes_on_with_the_real_folds(tmp_path):
  given = problem("image")
  uninterrupted = run(program("ststnet", given), tmp_path / "whole", 4)
  run(program("ststnet", given), tmp_path / "moved", 2)
  moved = run(program("ststnet", given, devices=4), tmp_path / "moved", 4)
  for a, b in zip(jax.tree.leaves(uninterrupted), jax.tree.leaves(moved), strict=True):
    np.testing.assert_allclose(a, b[:, :5], rtol=1e-3, atol=1e-4)


def test_a_finished_run_trains_no_more(tmp_path):
  given = problem("image")
  first = run(program("ststnet", given), tmp_path, 3)
  before = (tmp_path / "history.jsonl").read_bytes()
  assert_same_bits(first, run(program("ststnet", given), tmp_path, 3))
  assert (tmp_path / "history.jsonl").read_bytes() == before


def test_how_epochs_are_cut_into_chunks_changes_no_bit(tmp_path):
  given = problem("image")
  singly = run(program("ststnet", given), tmp_path / "one", 5)
  many = run(program("ststnet", given), tmp_path / "many", 5, chunk=3, every=1)
  assert_same_bits(singly, many)
  rows = [json.loads(x) for x in (tmp_path / "many" / "history.jsonl").read_text().splitlines()]
  assert [row["epoch"] for row in rows[::10]] == [3, 5]
  assert [row["step"] for row in rows[::10]] == [15, 25]


def test_a_half_written_checkpoint_is_passed_over(tmp_path):
  given = problem("image")
  unbroken = run(program("ststnet", given), tmp_path / "whole", 4)
  run(program("ststnet", given), tmp_path / "killed", 2)
  newest = tmp_path / "killed" / "checkpoints" / "2"
  # What orbax leaves behind when it is killed while it writes: a folder not yet renamed.
  shutil.copytree(newest, newest.with_name("3.orbax-checkpoint-tmp-1"))
  assert_same_bits(unbroken, run(program("ststnet", given), tmp_path / "killed", 4))


def test_a_run_that_diverges_everywhere_ends_without_a_checkpoint(tmp_path):
  hyper = {"learning_rate": [1e30]}
  with pytest.raises(TrainingError, match=r"casme2/sub\d+ \(seed [01]\) at step \d+"):
    run(program("ststnet", problem("image"), hyper=hyper), tmp_path, 6, every=6)
  assert training.Checkpoints(tmp_path / "checkpoints").latest() is None


def test_stopped_folds_are_logged_and_the_end_of_all_names_the_first(tmp_path):
  history = training.History([tmp_path / "history.jsonl"], (0, 1), NAMES)
  ones = np.ones((2, 5), np.float32)
  stopped = np.full((2, 5), NEVER)
  stopped[0, 2], stopped[1, 3] = 9, 7
  history.append(0, 2, 10, Sums(ones, ones, ones, ones, stopped))
  rows = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
  assert {(row["seed"], row["fold"]): row["stopped_at"] for row in rows if "stopped_at" in row} == {
    (0, 2): 9,
    (1, 3): 7,
  }
  stopped = np.minimum(stopped, 11)
  with pytest.raises(TrainingError, match=r"first .* was casme2/sub03 \(seed 1\) at step 7"):
    history.append(1, 4, 20, Sums(ones, ones, ones, ones, stopped))


def test_a_fold_that_saw_nothing_in_a_chunk_has_no_loss(tmp_path):
  history = training.History([tmp_path / "history.jsonl"], (0,), NAMES[:1])
  zero = np.zeros((1, 1), np.float32)
  history.append(0, 1, 1, Sums(zero, zero, zero, zero, np.array([[NEVER]])))
  row = json.loads((tmp_path / "history.jsonl").read_text())
  assert row["loss"] is None
  assert row["accuracy"] is None


class Watched:
  """A program that keeps what the bar says whenever it is called."""

  def __init__(self, inner, bar):
    self.inner, self.bar, self.texts = inner, bar, {"train": [], "predict": []}

  def __getattr__(self, name):
    return getattr(self.inner, name)

  def train(self, *arguments):
    self.texts["train"].append(self.bar().postfix)
    return self.inner.train(*arguments)

  def predict(self, *arguments):
    self.texts["predict"].append(self.bar().postfix)
    return self.inner.predict(*arguments)


class Discarding:
  every_epochs = 2

  def rewind(self, epoch):
    pass

  def append(self, epoch, probabilities):
    pass

  def synchronise(self):
    pass


def test_the_bar_says_when_it_compiles(tmp_path, monkeypatch):
  bars = []

  def visible(total, what, unit, initial, *, shown):
    bars.append(tqdm.tqdm(total=total, initial=initial, file=io.StringIO()))
    return bars[-1]

  monkeypatch.setattr(loop, "progress", visible)
  watched = Watched(program("ststnet", problem("image")), lambda: bars[-1])
  history = training.History([tmp_path / "history.jsonl"], (0, 1), NAMES)
  with training.Checkpoints(tmp_path / "checkpoints", keep=2) as checkpoints:
    training.train(watched, training.Plan(5), checkpoints, history, Discarding())
  first, second, *others = watched.texts["train"]
  assert (first, second) == ("compiling", "")
  assert len(others) == 3
  assert all(text.startswith("loss ") for text in others)
  assert watched.texts["predict"][0] == "compiling"
  assert "compiling" not in watched.texts["predict"][1:]
  assert bars[-1].postfix.startswith("loss ")  # and it does not stay


def signalling(*numbers, at=2):
  """A log that receives signals while it writes the chunk of epoch `at`."""

  class Signalling(training.History):
    def append(self, chunk, epoch, step, sums):
      super().append(chunk, epoch, step, sums)
      for number in numbers if epoch == at else ():
        signal.raise_signal(number)

  return Signalling


def handlers():
  return [signal.getsignal(number) for number in interrupts.SIGNALS]


@pytest.mark.parametrize("number", interrupts.SIGNALS)
def test_a_signal_saves_what_is_done_and_nothing_is_done_twice(number, tmp_path, capsys):
  loso, before = program("ststnet", problem("image")), handlers()
  unbroken = run(loso, tmp_path / "whole", 9, every=9)
  # Logged one chunk late: epoch 3 is under way when epoch 2 is written.
  with pytest.raises(Interrupted, match=rf"{number.name} .* after epoch 3 of 9, which is saved"):
    run(loso, tmp_path / "stopped", 9, every=9, log=signalling(number))
  assert handlers() == before
  assert number.name in capsys.readouterr().err
  rows = (tmp_path / "stopped" / "history.jsonl").read_text().splitlines()
  assert json.loads(rows[-1])["epoch"] == 3
  with training.Checkpoints(tmp_path / "stopped" / "checkpoints") as checkpoints:
    assert checkpoints.latest() == 3
  assert_same_bits(unbroken, run(loso, tmp_path / "stopped", 9, every=9))
  assert handlers() == before


def test_signals_at_every_start_still_let_a_run_end(tmp_path):
  loso = program("ststnet", problem("image"))
  unbroken = run(loso, tmp_path / "whole", 7)
  for epoch in (1, 3, 5):  # the first that is logged after each start
    with pytest.raises(Interrupted):
      run(loso, tmp_path / "stopped", 7, log=signalling(signal.SIGTERM, at=epoch))
  assert_same_bits(unbroken, run(loso, tmp_path / "stopped", 7))


def test_a_signal_during_the_last_epoch_is_not_lost(tmp_path):
  loso = program("ststnet", problem("image"))
  with pytest.raises(Interrupted, match="after epoch 3 of 3"):
    run(loso, tmp_path, 3, log=signalling(signal.SIGTERM, at=3))
  before = (tmp_path / "history.jsonl").read_bytes()
  run(loso, tmp_path, 3)
  assert (tmp_path / "history.jsonl").read_bytes() == before


def test_one_request_that_arrives_twice_is_one(tmp_path):
  with pytest.raises(Interrupted):
    run(
      program("ststnet", problem("image")),
      tmp_path,
      9,
      log=signalling(signal.SIGINT, signal.SIGTERM, signal.SIGINT),
    )


def test_a_second_request_stops_at_once_as_outside(tmp_path, monkeypatch):
  monkeypatch.setattr(interrupts, "SAME_REQUEST_SECONDS", 0)
  loso, before = program("ststnet", problem("image")), handlers()
  with pytest.raises(KeyboardInterrupt):
    run(loso, tmp_path, 9, every=9, log=signalling(signal.SIGTERM, signal.SIGINT))
  assert handlers() == before
  with training.Checkpoints(tmp_path / "checkpoints") as checkpoints:
    assert checkpoints.latest() is None


def test_an_ignored_signal_stays_ignored(tmp_path):
  before = signal.signal(signal.SIGINT, signal.SIG_IGN)
  try:
    run(program("ststnet", problem("image")), tmp_path, 3, log=signalling(signal.SIGINT))
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
  finally:
    signal.signal(signal.SIGINT, before)


def test_in_another_thread_training_leaves_signals_alone(tmp_path):
  loso, before, seen = program("ststnet", problem("image")), handlers(), []

  class Looking(training.History):
    def append(self, *args):
      super().append(*args)
      seen.append(handlers())

  thread = threading.Thread(target=lambda: seen.append(run(loso, tmp_path, 3, log=Looking)))
  thread.start()
  thread.join()
  *during, state = seen
  assert during == [before] * 3
  assert_same_bits(state, run(loso, tmp_path, 3))


def test_nothing_crosses_to_the_device_unasked(tmp_path):
  class Careless(training.Program):
    def train(self, state, first_step, num_steps):
      state, sums = super().train(state, first_step, num_steps)
      return jax.tree.map(lambda x: x + np.float32(0), state), sums

  with pytest.raises(Exception, match="Disallowed host-to-device transfer"):
    run(Careless(*program("ststnet", problem("image"))), tmp_path, 3)
