"""Several settings in one program, folds that leave the finite numbers, and how much fits."""

import jax
import numpy as np
import pytest
from problems import CASES, LARGER_CASES, problem, program, recipe_of

from mer_jax import models, training
from mer_jax.errors import ConfigError
from mer_jax.experiment import settings, sweep
from mer_jax.training import footprint, layout, optimizers
from mer_jax.training import program as programs
from mer_jax.training.fold import NEVER

STEPS = 7
HYPER = {
  "learning_rate": [0.01, 0.05, 0.1],
  "momentum": [0.9, 0.0, 0.5],
  "weight_decay": [0.0, 0.01, 0.1],
  "dropout": [0.0, 0.5, 0.2],
  "focal_gamma": [0.0, 2.0, 0.5],
}


def train(loso, steps=STEPS):
  state, sums = loso.train(loso.init(), 0, steps)
  return jax.device_get(state), jax.device_get(sums)


def fold_of(state, fold):
  return [leaf[:, fold] for leaf in jax.tree.leaves(state)]


def assert_close(a, b):
  for x, y in zip(a, b, strict=True):
    np.testing.assert_allclose(x, y, rtol=5e-3, atol=5e-4)


@pytest.mark.parametrize(
  ("case", "name"),
  [("parallel" if name in ("learning_rate", "dropout") else "ststnet", name) for name in HYPER],
)
def test_settings_side_by_side_are_settings_one_by_one(case, name):
  given = problem(CASES[case][2])
  common = {"learning_rate": [0.05], "momentum": [0.9]}
  values = HYPER[name]
  together = {**{key: value * 3 for key, value in common.items()}, name: values}
  state, _ = train(program(case, given, hyper=together))
  for point in (0, 2):
    alone, _ = train(program(case, given, hyper={**common, name: [values[point]]}))
    for fold in (0, 3):
      assert_close(fold_of(state, 5 * point + fold), fold_of(alone, fold))
  assert any(np.any(a != b) for a, b in zip(fold_of(state, 0), fold_of(state, 10), strict=True))


def test_settings_spread_over_devices():
  given = problem("image")
  hyper = {"learning_rate": [0.01, 0.05, 0.1]}
  single, spread = (program("ststnet", given, hyper=hyper, devices=n) for n in (1, 4))
  assert spread.layout.padded == 16  # 15 folds of three settings
  state, state4 = train(single)[0], train(spread)[0]
  for fold in range(15):
    assert_close(fold_of(state, fold), fold_of(state4, fold))


def test_another_value_compiles_nothing():
  given = problem("image")
  train(program("ststnet", given, hyper={"learning_rate": [0.01]}))
  compiled = programs._train._cache_size()
  train(program("ststnet", given, hyper={"learning_rate": [0.7]}))
  assert programs._train._cache_size() == compiled


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_an_absent_hyper_parameter_is_zero(name):
  params, grads = {"w": np.float32([1, -2])}, {"w": np.float32([0.3, 0.1])}

  def after_two_steps(hyper):
    optimizer = optimizers.build(name)({k: np.float32(v) for k, v in hyper.items()})
    state = optimizer.init(params)
    for _ in range(2):
      updates, state = optimizer.update(grads, state, params)
    return updates["w"]

  zeros = {"learning_rate": 0.1, "momentum": 0.0, "weight_decay": 0.0}
  np.testing.assert_allclose(
    after_two_steps({"learning_rate": 0.1}), after_two_steps(zeros), rtol=1e-6
  )


@pytest.mark.parametrize("case", ["parallel", "ststnet"])
def test_a_fold_that_leaves_the_finite_numbers_stops_alone(case):
  given = problem(CASES[case][2])
  good = {"learning_rate": [0.05]}
  both = program(case, given, hyper={"learning_rate": [0.05, 1e25]})
  state, sums = train(both)
  alone, _ = train(program(case, given, hyper=good))
  assert np.all(sums.stopped[:, :5] == NEVER)
  assert np.all(sums.stopped[:, 5:] < STEPS)
  for fold in range(5):
    assert_close(fold_of(state, fold), fold_of(alone, fold))
  probabilities = np.asarray(both.predict(jax.device_put(state, both.layout.by_seed_and_fold)))
  assert np.all(np.isfinite(probabilities[:, :5]))
  assert np.all(np.isnan(probabilities[:, 5:]))
  # from the bad step on nothing of it counts or changes
  assert np.all(sums.steps[:, 5:] <= sums.stopped[:, 5:])
  assert np.all(np.isfinite(sums.loss))
  further, _ = both.train(jax.device_put(state, both.layout.by_seed_and_fold), STEPS, 3)
  for before, after in zip(jax.tree.leaves(state), jax.tree.leaves(further), strict=True):
    np.testing.assert_array_equal(before[:, 5:], np.asarray(after)[:, 5:])


def test_a_last_step_that_overflows_leaves_no_prediction():
  given = problem("image")
  loso = program("ststnet", given)
  state = loso.init()
  kernel = state.params["logits"]["kernel"]
  params = state.params | {
    "logits": state.params["logits"] | {"kernel": kernel.at[0, 2].set(np.inf)}
  }
  probabilities = np.asarray(loso.predict(state._replace(params=params)))
  assert np.all(np.isnan(probabilities[0, 2]))
  assert np.all(np.isfinite(probabilities[1]))
  assert np.all(np.isfinite(probabilities[0, [0, 1, 3, 4]]))


def test_seeds_vmapped_are_seeds_one_after_another():
  given = problem("image")
  loso = program("ststnet", given, seeds=(0, 1, 2))
  one_by_one, _ = train(loso)
  for at_once in (2, 3):
    together, _ = train(loso._replace(layout=loso.layout._replace(seeds_at_once=at_once)))
    assert_close(jax.tree.leaves(one_by_one), jax.tree.leaves(together))


def test_folds_train_in_the_memory_of_their_states():
  # Many folds, so that what a block of one needs beside them hardly counts.
  loso = program("ststnet", problem("image", sizes=(2,) * 24), seeds=tuple(range(9)), block=1)
  states = loso.init()
  size = sum(leaf.nbytes for leaf in jax.tree.leaves(states))
  span = np.array([0, 1], np.int32)
  args = loso.seeds, loso.folds, loso.data, span, states, loso.selected
  needed = programs._train.lower(loso.recipe, loso.layout, *args).compile()
  assert needed.memory_analysis().alias_size_in_bytes >= size
  assert needed.memory_analysis().temp_size_in_bytes < size / 2


def footprint_of(batch_size, **options):
  given = problem("image", sizes=(20, 20))
  # "product" keeps what it computes; "fused" is there to keep none of it.
  recipe = recipe_of(
    "ststnet",
    options,
    optimizer=optimizers.build("adam"),
    batch_size=batch_size,
    convolution="product",
  )
  return training.estimate(recipe, given.inputs, given.labels, ["learning_rate"])


def test_the_footprint_grows_with_what_a_fold_computes():
  small, batch, wide = (
    footprint_of(8),
    footprint_of(16),
    footprint_of(8, streams=(6, 10, 16)),
  )
  image = 8 * 12 * 12 * 16 * 4  # the first layer's output, which no program of it can do without
  assert image < small.fold < 20 * image
  assert 1.8 < batch.fold / small.fold < 2.2
  assert 1.8 < wide.fold / small.fold < 2.2


def test_blocks_are_what_fits_in_memory(monkeypatch):
  step = training.Footprint(shared=100, fold=10)
  assert step.folds_that_fit(400) == 10
  assert step.folds_that_fit(0) == 1

  def block(memory, largest=0, folds=24):
    monkeypatch.setattr(layout, "memory_of", lambda devices: memory)
    return training.arrange(folds, largest, 1, footprint=step).block

  assert block(10**6) == layout.CPU_BLOCK
  assert block(240) == 2  # half of it for a step: 20 beside what is shared
  assert block(0) == 1
  assert block(240, largest=8) == 8  # set by hand, nothing is second-guessed


def test_a_device_other_than_a_cpu_takes_all_that_fits(monkeypatch):
  class Accelerator:
    platform = "gpu"
    process_index = 0

    def memory_stats(self):
      return {"bytes_limit": 1000}

  monkeypatch.setattr(jax, "devices", lambda: [Accelerator()])
  assert footprint.memory_of(jax.devices()) == 1000
  wide = training.arrange(24, 0, seeds=5, footprint=training.Footprint(0, 4))
  assert (wide.block, wide.seeds_at_once) == (24, 5)
  narrow = training.arrange(24, 0, seeds=5, footprint=training.Footprint(0, 50))
  assert (narrow.block, narrow.seeds_at_once) == (8, 1)


WITH_DROPOUT = [name for name in models.MODELS if "dropout" in models.option_names(name)]


@pytest.mark.parametrize("name", WITH_DROPOUT)
def test_dropout_of_every_model_may_differ_from_fold_to_fold(name):
  # ATNet drops nothing in a stream alone, and all others in their first case.
  case = "atnet_fusion" if name == "atnet" else next(c for c, v in CASES.items() if v[0] == name)
  given = problem((CASES | LARGER_CASES)[case][2], sizes=(3, 2))
  hyper = {"learning_rate": [0.05, 0.05], "dropout": [0.0, 0.6]}
  state, _ = train(program(case, given, hyper=hyper), 2)
  none, some = fold_of(state, 0), fold_of(state, 2)
  assert any(np.any(a != b) for a, b in zip(none, some, strict=True))


@pytest.mark.parametrize("name", WITH_DROPOUT)
def test_dropout_is_swept_also_where_a_config_does_not_name_it(name):
  config = settings.default()
  config.model = {"name": name}
  config.sweep.dropout = (0.1, 0.4)
  points = sweep.settings_of(config)
  assert [point.config.model.dropout for point in points] == [0.1, 0.4]
  assert sweep.hyper(points)["dropout"] == [0.1, 0.4]


def test_dropout_of_a_model_without_it_is_refused():
  config = settings.default()
  config.model = {"name": "micro_attention"}
  config.sweep.dropout = (0.1, 0.4)
  with pytest.raises(ConfigError, match="which this config does not have"):
    sweep.settings_of(config)
