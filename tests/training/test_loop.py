"""Stopped and resumed is uninterrupted, bit by bit; a loss that is not finite stops the run."""

import json
import shutil

import jax
import numpy as np
import pytest
from problems import CASES, problem, program

from mer_jax import training
from mer_jax.errors import TrainingError
from mer_jax.training.fold import NEVER, Sums

NAMES = tuple(f"casme2/sub{f:02d}" for f in range(5))


def run(loso, folder, epochs, chunk=1, every=2):
  history = training.History(folder / "history.jsonl", (0, 1), NAMES)
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
  one = run(program("ststnet", given), tmp_path / "one", 5)
  many = run(program("ststnet", given), tmp_path / "many", 5, chunk=3, every=1)
  assert_same_bits(one, many)
  rows = [json.loads(x) for x in (tmp_path / "many" / "history.jsonl").read_text().splitlines()]
  assert [row["epoch"] for row in rows[::10]] == [3, 5]
  assert [row["step"] for row in rows[::10]] == [15, 25]


def test_a_half_written_checkpoint_is_passed_over(tmp_path):
  given = problem("image")
  whole = run(program("ststnet", given), tmp_path / "whole", 4)
  run(program("ststnet", given), tmp_path / "killed", 2)
  newest = tmp_path / "killed" / "checkpoints" / "2"
  # What orbax leaves behind when it is killed while it writes: a folder not yet renamed.
  shutil.copytree(newest, newest.with_name("3.orbax-checkpoint-tmp-1"))
  assert_same_bits(whole, run(program("ststnet", given), tmp_path / "killed", 4))


def test_a_run_whose_loss_is_not_finite_stops_without_a_checkpoint(tmp_path):
  with pytest.raises(TrainingError, match=r"fold casme2/sub\d+ \(seed [01]\).* step \d+"):
    run(program("ststnet", problem("image"), learning_rate=1e30), tmp_path, 6, every=6)
  assert training.Checkpoints(tmp_path / "checkpoints").latest() is None


def test_the_message_names_the_first_bad_fold_seed_and_step_and_nothing_is_logged(tmp_path):
  history = training.History(tmp_path / "history.jsonl", (0, 1), NAMES)
  ones = np.ones((2, 5), np.float32)
  first_bad = np.full((2, 5), NEVER)
  first_bad[0, 2], first_bad[1, 3] = 9, 7
  with pytest.raises(TrainingError, match=r"sub03 \(seed 1\) is not finite from step 7 .*1 other"):
    history.append(0, 2, 10, Sums(ones, ones, ones, ones, first_bad))
  assert not (tmp_path / "history.jsonl").exists()


def test_a_fold_that_saw_nothing_in_a_chunk_has_no_loss(tmp_path):
  history = training.History(tmp_path / "history.jsonl", (0,), NAMES[:1])
  zero = np.zeros((1, 1), np.float32)
  history.append(0, 1, 1, Sums(zero, zero, zero, zero, np.array([[NEVER]])))
  row = json.loads((tmp_path / "history.jsonl").read_text())
  assert row["loss"] is None
  assert row["accuracy"] is None
