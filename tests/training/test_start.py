"""Folds that begin with given weights: all of the engine's promises hold for them too."""

import jax
import numpy as np
import trained_models
from problems import problem, program

from mer_jax import training
from mer_jax.training import optimizers
from mer_jax.training.start import name_of

FACTORS = (("streams", 0.0), ("streams/norm", 0.1))
HYPER = {"learning_rate": [0.05], "momentum": [0.9], "weight_decay": [0.1]}


def started(given, **options):
  """Folds of two seeds that begin with a model's weights, its convolution frozen."""
  optimizer = optimizers.build("adamw")._replace(factors=FACTORS)
  built = program("ststnet", given, hyper=HYPER, optimizer=optimizer, **options)
  return built._replace(start=dict(trained_models.ststnet().weights))


def leaves(tree):
  return {name_of(path): np.asarray(x) for path, x in jax.tree.leaves_with_path(tree)}


def trained(folds, steps=6):
  state, _ = folds.train(folds.init(), 0, steps)
  return jax.device_get(state)


def test_folds_begin_with_the_weights_of_their_seed_and_frozen_layers_keep_every_bit():
  given, weights = problem("image"), dict(trained_models.ststnet().weights)
  weights["params/streams/kernel"][0, 0, 0] = -0.0
  folds = started(given)._replace(start=weights)
  first, last = (leaves(state.params) for state in (folds.init(), trained(folds)))
  for name in first:
    expected = np.repeat(weights[f"params/{name}"][:, None], 5, axis=1)
    np.testing.assert_array_equal(first[name][:, :5], expected)
    same = np.array_equal(first[name].view(np.uint32), last[name].view(np.uint32))
    assert same == (name.startswith("streams") and not name.startswith("streams/norm")), name


def test_a_factor_multiplies_the_update():
  given = problem("image")
  full, tenth = (
    program(
      "ststnet",
      given,
      hyper={"learning_rate": [0.05]},
      optimizer=optimizers.build("sgd")._replace(factors=factors),
    )
    for factors in ((("logits", 1.0),), (("logits", 0.1),))
  )
  begin = leaves(full.init().params)["logits/kernel"]
  moved = [leaves(trained(folds, 1).params)["logits/kernel"] - begin for folds in (full, tenth)]
  np.testing.assert_allclose(moved[1], 0.1 * moved[0], atol=1e-6)
  assert np.abs(moved[0]).max() > 1e-3


def test_the_held_out_subject_changes_no_bit_of_its_fold():
  given = problem("image")
  honest = trained(started(given))
  for f in (0, 3):
    noise = np.random.default_rng(9).normal(size=given.inputs["image"].shape).astype(np.float32)
    held = given.held_out[f][:, None, None, None]
    image = np.where(held, noise, given.inputs["image"])
    other = trained(started(given._replace(inputs={"image": image})))
    for a, b in zip(jax.tree.leaves(honest), jax.tree.leaves(other), strict=True):
      np.testing.assert_array_equal(a[:, f], b[:, f])


def test_stopped_and_resumed_is_uninterrupted_bit_by_bit(tmp_path):
  folds = started(problem("image"))

  def run(folder, epochs):
    history = training.History([folder / "history.jsonl"], (0, 1), [str(f) for f in range(5)])
    with training.Checkpoints(folder / "checkpoints") as checkpoints:
      return jax.device_get(training.train(folds, training.Plan(epochs), checkpoints, history))

  whole = run(tmp_path / "whole", 3)
  run(tmp_path / "stopped", 1)
  resumed = run(tmp_path / "stopped", 3)
  for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(resumed), strict=True):
    np.testing.assert_array_equal(a, b)


def test_no_epoch_is_the_weights_as_they_are(tmp_path):
  folds = started(problem("image"))
  history = training.History([tmp_path / "history.jsonl"], (0, 1), [str(f) for f in range(5)])
  with training.Checkpoints(tmp_path / "checkpoints") as checkpoints:
    state = training.train(folds, training.Plan(0), checkpoints, history)
  for a, b in zip(jax.tree.leaves(folds.init()), jax.tree.leaves(state), strict=True):
    np.testing.assert_array_equal(a, b)
  assert (tmp_path / "history.jsonl").read_text() == ""
