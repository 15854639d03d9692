"""The contract of the engine, for every model in the table."""

import functools
import pathlib

import jax
import numpy as np
import optax
import pytest
from non_interference import STEPS, check_noise, leaves
from problems import CASES, PEERS, problem, program

from mer_jax import models, training
from mer_jax.errors import DataError
from mer_jax.training import program as programs
from mer_jax.training.fold import NEVER
from mer_jax.training.recipe import BATCHES
from mer_jax.training.schedule import shared

SCHEDULES = ("shared", "per_fold", "balanced")
# Their programs take long to compile.
DEEP = ("micro_attention", "atnet")
every_case = pytest.mark.parametrize("case", [case for case in CASES if case not in PEERS])
# For what is the engine's own: how steps are cut into chunks, folds into blocks, seeds into groups.
every_shallow_case = pytest.mark.parametrize(
  "case", [case for case in CASES if case not in (*DEEP, *PEERS)]
)


# Every schedule with one model, every model with one schedule.
cases_with_schedules = pytest.mark.parametrize(
  ("case", "schedule"),
  [
    (case, schedule)
    for case in CASES
    for schedule in SCHEDULES
    if schedule == "shared" or case == "ststnet"
  ],
)


@pytest.fixture(autouse=True)
def few_programs():
  """Linux gives a process 65530 maps of memory; a program that is not optimised takes 1500."""
  yield
  maps = pathlib.Path("/proc/self/maps")
  if maps.is_file() and len(maps.read_bytes().splitlines()) > 30_000:
    jax.clear_caches()


def train(loso, steps=STEPS, first=0, state=None):
  state, sums = loso.train(loso.init() if state is None else state, first, steps)
  return jax.device_get(state), jax.device_get(sums)


@functools.cache
def all_folds(case):
  """The program of all folds at once on one device, which many tests compare with."""
  return program(case, problem(CASES[case][2]))


@functools.cache
def trained(case):
  """The state of that program after STEPS steps, and its sums."""
  return train(all_folds(case))


def assert_close(one_state, other):
  for a, b in zip(one_state, other, strict=True):
    # A maximum or a ReLU that rounding decides otherwise moves single numbers by more than others.
    np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-4)


@cases_with_schedules
def test_noise_in_place_of_the_held_out_subject_changes_no_bit_of_its_fold(case, schedule):
  check_noise(case, schedule=schedule)


@pytest.mark.parametrize("case", ["atnet_fusion", "rcn_f"])
def test_noise_changes_no_bit_of_a_larger_model(case):
  check_noise(case)


@cases_with_schedules
def test_one_fold_alone_is_that_fold_among_all(case, schedule):
  given = problem(CASES[case][2])
  together = all_folds(case) if schedule == "shared" else program(case, given, schedule=schedule)
  among, _ = train(together, steps=7)
  for fold in (1, 4):  # held out: one clip, and six
    alone, _ = train(program(case, given, folds=slice(fold, fold + 1), schedule=schedule), steps=7)
    assert_close(leaves(among, fold), leaves(alone, 0))


@every_shallow_case
def test_one_seed_alone_is_that_seed_among_all(case):
  given = problem(CASES[case][2])
  among, _ = trained(case)
  alone, _ = train(program(case, given, seeds=(1,)))
  for a, b in zip(jax.tree.leaves(among), jax.tree.leaves(alone), strict=True):
    np.testing.assert_allclose(a[1], b[0], rtol=1e-3, atol=1e-4)


@every_case
def test_four_devices_are_one_device(case):
  given = problem(CASES[case][2])  # five folds, which four does not divide
  spread = program(case, given, devices=4)
  assert spread.layout.padded == 8
  assert len(spread.layout.mesh.devices) == 4
  state, sums = trained(case)
  state4, sums4 = train(spread)
  for fold in range(5):
    assert_close(leaves(state, fold), leaves(state4, fold))
    assert_close(leaves(sums, fold), leaves(sums4, fold))
  single = program(case, given, devices=1)
  np.testing.assert_allclose(
    single.predict(single.init()), spread.predict(spread.init())[:, :5], rtol=1e-4, atol=1e-6
  )


@every_shallow_case
def test_blocks_of_folds_are_all_folds_at_once(case):
  given = problem(CASES[case][2])
  at_once, _ = trained(case)
  blocks, _ = train(program(case, given, block=2))
  for fold in range(5):
    assert_close(leaves(at_once, fold), leaves(blocks, fold))


@every_case
def test_folds_of_one_clip_or_one_class_stay_finite(case):
  given = problem(CASES[case][2], sizes=(1, 1, 2, 9))  # fold 3 learns from four clips
  loso = program(case, given)
  state, sums = train(loso, steps=30)
  assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(state))
  assert np.all(sums.stopped == NEVER)
  probabilities = training.by_clip(np.asarray(loso.predict(state)), given.held_out)
  np.testing.assert_allclose(probabilities.sum(axis=-1), 1, rtol=1e-5)


@every_case
def test_a_batch_of_held_out_clips_only_is_no_step(case):
  given = problem(CASES[case][2], sizes=(10, 1))
  loso = program(case, given, batch_size=1)
  before = jax.device_get(loso.init())
  key = jax.random.fold_in(jax.random.key(0), BATCHES)
  data = programs.Data(given.inputs, given.labels)
  index = [int(shared(key, step, len(data.labels), 1).index[0]) for step in range(11)]
  step = next(s for s, n in enumerate(index) if given.held_out[0, n])
  after, sums = loso.train(loso.init(), step, 1)
  for a, b in zip(leaves(before, 0), leaves(jax.device_get(after), 0), strict=True):
    np.testing.assert_array_equal(a[0], b[0])
  assert sums.steps[0, 0] == 0
  assert sums.steps[0, 1] == 1


@every_shallow_case
def test_chunks_of_any_length_share_one_compilation(case):
  given = problem(CASES[case][2])
  loso = program(case, given)
  state, _ = loso.train(loso.init(), 0, 5)
  compiled = programs._train._cache_size()
  state, _ = loso.train(state, 5, 5)
  loso.train(state, 10, 2)
  assert programs._train._cache_size() == compiled


@every_shallow_case
def test_chunks_one_after_another_are_one_long_chunk(case):
  given = problem(CASES[case][2])
  loso = program(case, given)
  at_once, _ = train(loso, steps=9)
  state, _ = loso.train(loso.init(), 0, 4)
  parts, _ = train(loso, steps=5, first=4, state=state)
  for a, b in zip(jax.tree.leaves(at_once), jax.tree.leaves(parts), strict=True):
    np.testing.assert_array_equal(a, b)


def test_a_fold_is_what_a_plain_loop_over_its_training_clips_computes():
  """The textbook loop: held-out clips are really absent, one fold, no vmap, no weights but ones."""
  given = problem("image")
  loso = program("ststnet", given, seeds=(7,))
  recipe = loso.recipe._replace(model=models.build("ststnet", 3, {"dropout": 0.0}))
  loso = loso._replace(recipe=recipe)
  fold = 2
  first = jax.tree.map(lambda x: x[0, fold], jax.device_get(loso.init()))
  params, stats, opt_state, *_ = first
  hyper = {"learning_rate": np.float32(0.05), "momentum": np.float32(0.9)}
  key = jax.random.fold_in(jax.random.key(7), BATCHES)
  for step in range(6):
    batch = shared(key, step, len(given.labels), recipe.batch_size)
    clips = np.asarray(batch.index)[np.asarray(batch.valid) > 0]
    clips = clips[~given.held_out[fold][clips]]

    def loss_of(params, clips=clips, stats=stats):
      logits, changed = recipe.model.apply(
        {"params": params, "batch_stats": stats},
        {"image": given.inputs["image"][clips]},
        np.ones(len(clips), np.float32),
        train=True,
        mutable=["batch_stats"],
      )
      loss = optax.softmax_cross_entropy_with_integer_labels(logits, given.labels[clips]).mean()
      return loss, changed["batch_stats"]

    grads, stats = jax.grad(loss_of, has_aux=True)(params)
    updates, opt_state = recipe.optimizer(hyper).update(grads, opt_state, params)
    params = optax.apply_updates(params, updates)
  state, _ = train(loso, steps=6)
  expected = jax.tree.leaves((params, stats, opt_state))
  assert_close([leaf[0] for leaf in leaves(state[:3], fold)], expected)


def test_training_learns():
  """Labels that can be read off the pixels are learnt, and held-out subjects are predicted."""
  given = problem("image", sizes=(12, 12, 12, 12))
  shift = np.float32([[1, 0, 0], [0, 1, 0], [0, 0, 1]])[given.labels]
  image = given.inputs["image"] + shift[:, None, None]
  loso = program(
    "ststnet",
    given._replace(inputs={"image": image}),
    hyper={"learning_rate": [0.01], "momentum": [0.9]},
  )
  state, _ = train(loso, steps=100)
  predicted = training.by_clip(np.asarray(loso.predict(state)), given.held_out).argmax(-1)
  assert (predicted == given.labels).mean() > 0.8


def test_inputs_that_are_not_finite_are_refused():
  """A clip of weight 0 adds 0 times its gradient; that is 0 only while the clip is finite."""
  given = problem("image")
  given.inputs["image"][4, 2, 1, 0] = np.nan
  with pytest.raises(DataError, match="clip 4"):
    program("ststnet", given)
