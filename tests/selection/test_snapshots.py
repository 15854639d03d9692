"""Looks along the way, folds with an end and hyper-parameters of their own, inner folds."""

import types

import jax
import numpy as np
import pytest
from problems import CASES, problem, program

from mer_jax import training
from mer_jax.experiment.selection import snapshots
from mer_jax.experiment.selection.inner_folds import deal
from mer_jax.protocols.split import Split
from mer_jax.targets import SingleClass

NAMES = tuple(f"casme2/sub{f:02d}" for f in range(5))
CHUNKS = 5  # steps in an epoch of 19 clips in batches of 4


def run(loso, folder, epochs, *, chunk=1, every=2, look=1, recorder=snapshots.Snapshots):
  """(state, looks): the state at the end, and what was noted on the way."""
  history = training.History([folder / "history.jsonl"], (0, 1), NAMES)
  looks = recorder({folder / "snapshots.jsonl": lambda p: {"p": p, "half": p[:, :, :1]}}, look)
  with training.Checkpoints(folder / "checkpoints", keep=2) as checkpoints:
    plan = training.Plan(epochs, chunk, every)
    state = training.train(loso, plan, checkpoints, history, looks)
  return jax.device_get(state), snapshots.read(folder / "snapshots.jsonl")


def assert_same_bits(a, b):
  for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
    np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("devices", [1, 4])
def test_a_look_is_what_a_run_of_so_many_epochs_predicts(devices, tmp_path):
  given = problem("image")
  loso = program("ststnet", given, devices=devices)
  state, (epochs, arrays) = run(loso, tmp_path, 5)
  assert epochs == [1, 2, 3, 4, 5]
  assert arrays["p"].shape == (5, 2, 5, 6, 3)  # no dummy among the folds
  assert arrays["p"].dtype == np.float32
  np.testing.assert_array_equal(arrays["half"], arrays["p"][:, :, :, :1])
  for at, epoch in enumerate(epochs):
    after, _ = loso.train(loso.init(), 0, epoch * CHUNKS)
    np.testing.assert_array_equal(arrays["p"][at], np.asarray(loso.predict(after))[:, :5])
  unwatched, _ = loso.train(loso.init(), 0, 5 * CHUNKS)
  assert_same_bits(state, jax.device_get(unwatched))


@pytest.mark.parametrize(
  ("epochs", "chunk", "every", "expected"),
  [
    (5, 1, 1, [1, 2, 3, 4, 5]),
    (5, 1, 2, [2, 4, 5]),
    (7, 3, 1, [3, 6, 7]),
    (9, 2, 3, [4, 6, 9]),
    (2, 5, 9, [2]),
    (6, 6, 1, [6]),
  ],
)
def test_looks_are_at_ends_of_chunks_and_at_the_last_epoch(epochs, chunk, every, expected):
  assert training.snapshot_epochs(training.Plan(epochs, chunk), every) == expected


@pytest.mark.parametrize("case", ["parallel", "ststnet"])
def test_stopped_and_resumed_the_looks_are_the_same_bytes(case, tmp_path):
  loso = program(case, problem(CASES[case][2]))
  whole, _ = run(loso, tmp_path / "whole", 5)
  run(loso, tmp_path / "stopped", 2)
  with open(tmp_path / "stopped" / "snapshots.jsonl", "a") as file:
    # What a run that went on wrote before it was killed, the last of it in half.
    file.write('{"epoch": 3, "p": {"dtype": "<f4", "shape": [1], "data": "AAAA"}}\n{"epoch": 4, "p')
  resumed, _ = run(loso, tmp_path / "stopped", 5)
  assert_same_bits(whole, resumed)
  assert (tmp_path / "whole" / "snapshots.jsonl").read_bytes() == (
    tmp_path / "stopped" / "snapshots.jsonl"
  ).read_bytes()


class Killed(BaseException):
  """What nothing catches."""


def test_killed_between_look_and_checkpoint(tmp_path):
  class Killing(snapshots.Snapshots):
    def append(self, epoch, probabilities):
      super().append(epoch, probabilities)
      if epoch == 4:
        raise Killed

  loso = program("ststnet", problem("image"))
  whole = run(loso, tmp_path / "whole", 6, every=3)
  with pytest.raises(Killed):
    run(loso, tmp_path / "killed", 6, every=3, recorder=Killing)
  assert snapshots.read(tmp_path / "killed" / "snapshots.jsonl")[0] == [1, 2, 3, 4]
  assert_same_bits(whole, run(loso, tmp_path / "killed", 6, every=3))


@pytest.mark.parametrize(
  "damage",
  [
    lambda text: text[: len(text) // 2 + 9],
    lambda text: text.replace('"epoch": 2', '"epoch": "two"'),
    lambda text: text.replace('"data": "', '"data": "?', 3),
    lambda text: text.replace('"shape": [2,', '"shape": [3,'),
    lambda text: text.replace('"p"', '"p', 2),
    lambda text: "[1, 2]\n" + text,
    lambda text: "",
  ],
)
def test_looks_behind_damage_are_left_out(damage, tmp_path):
  path = tmp_path / "snapshots.jsonl"
  watching = snapshots.Snapshots({path: lambda p: {"p": p}}, 1)
  looks = [np.full((2, 1, 1, 3), e, np.float32) for e in (1, 2, 3)]
  for epoch, look in enumerate(looks, 1):
    watching.append(epoch, look)
  epochs, arrays = snapshots.read(path)
  np.testing.assert_array_equal(arrays["p"], looks)
  path.write_text(damage(path.read_text()))
  epochs, arrays = snapshots.read(path)
  assert epochs in ([], [1])
  assert len(arrays.get("p", [])) == len(epochs)


def test_no_file_is_no_look(tmp_path):
  assert snapshots.read(tmp_path / "absent.jsonl") == ([], {})


HYPER = {"learning_rate": [0.05, 0.01], "momentum": [0.9, 0.5]}


def test_every_seed_and_fold_goes_its_own_way_to_its_own_end():
  """What was chosen for it, and nothing else, is what it would have done alone."""
  given = problem("image")
  setting = np.array([[0, 1, 0, 1, 1], [1, 1, 0, 0, 1]])
  until = np.array([[3, 9, 6, 1, 9], [9, 2, 6, 8, 5]])
  chosen = program("ststnet", given).with_selected(
    {name: np.asarray(values)[setting] for name, values in HYPER.items()}, until
  )
  state, sums = chosen.train(chosen.init(), 0, 9)
  alone = program("ststnet", given, hyper=HYPER)
  for steps in np.unique(until):
    expected, _ = jax.device_get(alone.train(alone.init(), 0, int(steps)))
    for s, f in np.argwhere(until == steps):
      for a, b in zip(jax.tree.leaves(state), jax.tree.leaves(expected), strict=True):
        b = b[s, 5 * setting[s, f] + f]
        np.testing.assert_allclose(np.asarray(a)[s, f], b, rtol=5e-3, atol=5e-4)
  assert np.all(np.asarray(sums.steps)[:, :5] <= until)
  # From its end on not one bit moves.
  parts, _ = chosen.train(chosen.init(), 0, 6)
  parts = jax.device_get(parts)
  ended = until <= 6
  for a, b in zip(jax.tree.leaves(jax.device_get(state)), jax.tree.leaves(parts), strict=True):
    np.testing.assert_array_equal(a[:, :5][ended], b[:, :5][ended])


def test_ends_are_logged_once(tmp_path):
  history = training.History([tmp_path / "history.jsonl"], (0,), NAMES[:2], ends=np.array([[1, 2]]))
  ones, never = np.ones((1, 2), np.float32), np.full((1, 2), training.fold.NEVER)
  for epoch in (1, 2):
    history.append(epoch - 1, epoch, 5 * epoch, training.fold.Sums(ones, ones, ones, ones, never))
  text = (tmp_path / "history.jsonl").read_text()
  assert text.count("\n") == 3
  assert [line for line in text.splitlines() if "ended_at" not in line] == [text.splitlines()[1]]
  assert text.count('"ended_at": 5}') == text.count('"ended_at": 10}') == 1


def inner_of(given, count=2):
  """The inner folds of a problem, and the split that they are of."""
  owner = np.array(given.names)[given.held_out.argmax(axis=0)]
  clips = types.SimpleNamespace(
    dataset=np.array([name.split("/")[0] for name in owner]),
    subject=np.array([name.split("/")[1] for name in owner]),
  )
  split = Split(clips, given.labels, ("a", "b", "c"), given.held_out, given.names, ())
  return split, deal(split, count)


def inner_program(given, inner, rows=slice(None), devices=1, schedule="shared"):
  """Two settings of the inner folds `rows`, ready to train."""
  base = program("ststnet", given)
  folds = inner.folds
  part = folds._replace(
    names=folds.names[rows], held_out=folds.held_out[rows], predicted=folds.predicted[rows]
  )
  return training.build(
    base.recipe._replace(schedule=schedule, target=SingleClass(3, "class_weights")),
    training.arrange(2 * len(part.names), 4, devices),
    (0, 1),
    part,
    given.inputs,
    given.labels,
    HYPER,
  )


def trained(loso, steps=7):
  """(parameters, predictions) as numpy, without dummies."""
  state, _ = loso.train(loso.init(), 0, steps)
  leaves = [*jax.tree.leaves(jax.device_get(state)), np.asarray(loso.predict(state))]
  return [leaf[:, : loso.layout.folds] for leaf in leaves]


def test_inner_folds_of_one_fold_alone_are_those_among_all_on_four_devices():
  given = problem("image")
  _, inner = inner_of(given)
  among = trained(inner_program(given, inner, devices=4))
  rows = slice(6, 8)  # of fold 3
  alone = trained(inner_program(given, inner, rows))
  for a, b in zip(among, alone, strict=True):
    a = a.reshape(2, 2, 10, *a.shape[2:])[:, :, rows]  # seeds, settings, inner folds
    np.testing.assert_allclose(a.reshape(b.shape), b, rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("schedule", ["shared", "per_fold"])
def test_noise_for_the_held_out_subject_moves_no_bit_of_the_inner_folds_of_its_fold(schedule):
  given = problem("image")
  fold, rng = 3, np.random.default_rng(1)
  held = given.held_out[fold]
  image = given.inputs["image"].copy()
  image[held] = 100 * rng.random(image[held].shape)
  labels = np.where(held, (given.labels + 1 + rng.integers(0, 2, len(held))) % 3, given.labels)
  noisy = given._replace(inputs={"image": image}, labels=labels)
  (_, clean), (_, other) = inner_of(given), inner_of(noisy)
  before = trained(inner_program(given, clean, schedule=schedule))
  after = trained(inner_program(noisy, other, schedule=schedule))
  mine = [setting * 10 + 2 * fold + i for setting in range(2) for i in range(2)]
  for a, b in zip(before, after, strict=True):
    np.testing.assert_array_equal(a[:, mine], b[:, mine])
  others = [row for row in range(20) if row not in mine]
  assert any(np.any(a[:, others] != b[:, others]) for a, b in zip(before, after, strict=True))
