"""Trainings in stages: the contract of the engine across their boundary, and losses on parts."""

import json

import jax
import numpy as np
import pytest
from non_interference import check_noise, leaves, trained_through
from problems import CASES, problem, program

from mer_jax import training
from mer_jax.errors import ConfigError
from mer_jax.targets import SingleClass
from mer_jax.training import losses, optimizers, subtrees

CASE = "state_cnn_lstm"
CNN = ("conv", "state_")
FIRST = {
  "trained": CNN,
  "losses": (
    ("part_class", 1.0),
    ("part_index", 0.5),
    ("class_center", 0.1),
    ("part_center", 0.1),
    ("continuity", 0.1),
  ),
}
SECOND = {"before": [FIRST], "frozen": CNN, "optimizer": optimizers.build("adam")}
NAMES = tuple(f"casme2/sub{f:02d}" for f in range(5))
rng = np.random.default_rng(0)


def staged(**options):
  return program(CASE, problem(CASES[CASE][2]), **SECOND, **options)


def run(folder, epochs):
  """A run of two epochs in either stage, stopped after `epochs`."""
  history = training.History(
    [folder / "history.jsonl"], (0, 1), NAMES, stages=[("first", 2), ("second", 4)]
  )
  plan = training.Plan(epochs, checkpoint_every=1, ends=(2,))
  with training.Checkpoints(folder / "checkpoints") as checkpoints:
    return jax.device_get(training.train(staged(), plan, checkpoints, history))


def test_noise_in_place_of_the_held_out_subject_changes_no_bit_through_all_stages():
  check_noise(CASE, **SECOND)


def test_stopped_and_resumed_in_every_stage_is_uninterrupted_bit_by_bit(tmp_path):
  uninterrupted = run(tmp_path / "through", 4)
  for epochs in (1, 2, 3):
    run(tmp_path / "stopped", epochs)
  resumed = run(tmp_path / "stopped", 4)
  for a, b in zip(jax.tree.leaves(uninterrupted), jax.tree.leaves(resumed), strict=True):
    np.testing.assert_array_equal(a, b)
  texts = [(tmp_path / name / "history.jsonl").read_text() for name in ("through", "stopped")]
  assert texts[0] == texts[1]
  rows = [json.loads(line) for line in texts[0].splitlines()]
  assert [row["stage"] for row in rows[::10]] == ["first", "first", "second", "second"]


def test_one_fold_alone_is_that_fold_among_all():
  among, alone = (trained_through(staged(**of), 5) for of in ({}, {"folds": slice(1, 2)}))
  for a, b in zip(leaves(among, 1), leaves(alone, 0), strict=True):
    np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-4)


def test_a_stage_changes_what_it_trains_and_no_bit_of_the_rest():
  loso = staged()
  first = jax.device_get(loso.init().params)
  middle = jax.device_get(loso.before[0].train(loso.init(), 0, 5)[0].params)
  state = jax.device_get(trained_through(loso, 5))
  for before, after, fields in ((first, middle, FIRST), (middle, state.params, SECOND)):
    learnt = [fields.get(name, ()) for name in ("trained", "frozen")]
    for path, leaf in jax.tree.leaves_with_path(before):
      name = "/".join(key.key for key in path)
      new = after
      for key in path:
        new = new[key.key]
      # The LSTM's bias has gates that a first step from a zero state does not reach.
      assert np.any(leaf != new) == subtrees.learns(name, *learnt), name
  moments = {leaf.shape[2:] for leaf in jax.tree.leaves(state.opt_state) if leaf.ndim > 2}
  assert moments == {
    leaf.shape[2:] for n in ("lstm", "logits") for leaf in state.params[n].values()
  }


def outputs(weights):
  """What a model might compute of six examples with three parts and four features."""
  parts = {
    "part_logits": rng.normal(size=(6, 3, 2)),
    "part_index_logits": rng.normal(size=(6, 3, 3)),
    "part_features": rng.normal(size=(6, 3, 4)),
  }
  return losses.Outputs(
    np.zeros((6, 2)), parts, np.array([0, 0, 1, 1, 1, 0]), weights, SingleClass(2), None
  )


def cross_entropy(logits, label):
  return np.log(np.exp(logits).sum()) - logits[label]


def expected(name, given):
  """Example by example, over those that count."""
  features, labels = given.parts["part_features"], given.labels
  counts = np.flatnonzero(given.weights)
  total = 0.0
  for b in counts:
    alike = [other for other in counts if labels[other] == labels[b]]
    terms = []
    for p in range(3):
      centers = {
        "class_center": features[alike].mean(axis=(0, 1)),
        "part_center": features[alike, p].mean(axis=0),
      }
      if name in centers:
        terms.append(np.sum((features[b, p] - centers[name]) ** 2) / 2)
      elif name == "part_class":
        terms.append(cross_entropy(given.parts["part_logits"][b, p], labels[b]))
      elif name == "part_index":
        terms.append(cross_entropy(given.parts["part_index_logits"][b, p], p))
    if name == "continuity":
      terms.append(np.sum((features[b, 0] - 2 * features[b, 1] + features[b, 2]) ** 2))
    total += given.weights[b] * np.mean(terms)
  return total / len(counts)


@pytest.mark.parametrize("name", [name for name in losses.LOSSES if name != "class"])
def test_losses_on_parts_are_those_of_a_plain_loop(name):
  given = outputs(np.array([1.0, 0.5, 2.0, 1.0, 0.0, 1.5]))
  value = losses.LOSSES[name](given)
  np.testing.assert_allclose(value, expected(name, given), rtol=1e-5)
  twice = losses.total(((name, 2.0), (name, 1.0)), given)
  np.testing.assert_allclose(twice, 3 * value, rtol=1e-6)
  assert losses.LOSSES[name](given._replace(weights=np.zeros(6))) == 0


@pytest.mark.parametrize(
  ("case", "fields", "reason"),
  [
    ("ststnet", {"losses": (("part_class", 1.0),)}, r"sow\('auxiliary', 'part_logits'"),
    (CASE, {"trained": ("cnn",)}, "trained holds 'cnn'"),
    (CASE, {"frozen": ("conv", "state", "l")}, "Nothing is left to train"),
  ],
)
def test_what_does_not_fit_the_model_is_refused(case, fields, reason):
  with pytest.raises(ConfigError, match=reason):
    program(case, problem(CASES[case][2]), **fields)
