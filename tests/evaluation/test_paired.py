import itertools

import experiments
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from scipy import stats

from mer_jax.errors import ConfigError
from mer_jax.evaluation import clip_table, paired
from mer_jax.evaluation.summary import summarise
from mer_jax.targets import single_class

DATASETS = ("casme2", "samm", "smic")


def two(a=0.7, b=0.7, people=24, corpus=0, seeds=(1, 1)):
  """Two models on the same clips, right on the shares a and b of them."""
  return [
    experiments.run(people, count, right, DATASETS, corpus, model)
    for model, (right, count) in enumerate(zip((a, b), seeds, strict=True))
  ]


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_run_does_not_differ_from_itself(seeds):
  run, _ = two(seeds=(seeds, seeds))
  found = paired.difference(run, run)
  for entry in found["scores"].values():
    assert entry == {"difference": 0, "interval": [0, 0], "p": 1}
  if seeds == 1:
    assert found["mcnemar"] == {"a_only": 0, "b_only": 0, "p": 1}


def test_ten_points_on_the_composite_are_found():
  found_by = 0
  for corpus in range(10):
    a, b = two(0.6, 0.7, people=90, corpus=corpus)
    assert len(a.clip) > 400
    found = paired.difference(a, b, resamples=1000, permutations=999)
    entry = found["scores"]["accuracy"]
    found_by += entry["p"] < 0.05 and entry["interval"][0] > 0
  assert found_by >= 8
  a, b = two(0.6, 0.7, people=90, seeds=(5, 5))
  for entry in paired.difference(a, b)["scores"].values():
    assert entry["p"] < 0.001
    assert entry["interval"][0] > 0


def test_the_difference_is_that_of_the_summaries():
  a, b = two(seeds=(2, 3))
  one, other = (summarise(experiments.predictions(run))["pooled"] for run in (a, b))
  found = paired.difference(a, b)
  assert found["mcnemar"] is None
  for key in single_class.SCORES:
    assert found["scores"][key]["difference"] == pytest.approx(other[key] - one[key])


@hypothesis.settings(deadline=None, max_examples=20)
@hypothesis.given(st.integers(1, 3), st.integers(1, 3), st.integers(2, 14), st.integers(0, 99))
def test_exchanging_the_runs_turns_signs(s, t, people, corpus):
  a, b = two(0.5, 0.7, people, corpus, (s, t))
  one = paired.difference(a, b, resamples=200, permutations=150)
  other = paired.difference(b, a, resamples=200, permutations=150)
  for key in single_class.SCORES:
    first, second = one["scores"][key], other["scores"][key]
    assert first["difference"] == pytest.approx(-second["difference"])
    assert first["p"] == second["p"]
    if first["interval"]:
      np.testing.assert_allclose(first["interval"], [-x for x in second["interval"][::-1]])
  if one["mcnemar"]:
    assert one["mcnemar"]["p"] == other["mcnemar"]["p"]
    assert one["mcnemar"]["a_only"] == other["mcnemar"]["b_only"]


@pytest.mark.parametrize("seeds", [(1, 1), (2, 3)])
def test_every_exchange_of_six_people(seeds):
  """By hand: predictions change hands, person by person, and everything is scored anew."""
  a, b = two(0.4, 0.7, people=6, seeds=seeds)
  folds = clip_table.fold_ids(a)
  columns = np.lcm(*seeds)
  said = [np.tile(run.prediction, (columns // len(run.seeds), 1)) for run in (a, b)]

  def uf1(prediction):
    each = [
      single_class.scores(single_class.confusion(a.label, one, 3))["uf1"] for one in prediction
    ]
    return np.mean(each)

  gaps = []
  for swap in itertools.product((False, True), repeat=6):
    there = np.array(swap)[folds]
    gaps.append(uf1(np.where(there, *said)) - uf1(np.where(there, *said[::-1])))
  observed = uf1(said[1]) - uf1(said[0])
  found = paired.difference(a, b, permutations=64)["scores"]["uf1"]
  assert found["difference"] == pytest.approx(observed)
  assert found["p"] == np.mean(np.abs(gaps) >= abs(observed) - 1e-9)
  drawn = paired.difference(a, b, permutations=63)["scores"]["uf1"]["p"]
  assert drawn == pytest.approx(found["p"], abs=0.2)


def test_p_values_are_uniform_where_the_runs_are_alike():
  """Two models of equal skill, each with its own luck on every person."""
  ps = {"uf1": [], "accuracy": []}
  for trial in range(300):
    random = np.random.default_rng(trial)
    clips = experiments.sizes(30, random)
    label = random.choice(3, clips.sum(), p=experiments.PRIOR)
    both = []
    for _ in range(2):
      skill = np.repeat(random.beta(4, 2, 30), clips)
      hit = random.random(len(label)) < skill
      said = np.where(hit, label, (label + random.integers(1, 3, len(label))) % 3)
      both.append(experiments.table(label, said[None], clips))
    found = paired.difference(*both, resamples=1, permutations=199)["scores"]
    for key, values in ps.items():
      values.append(found[key]["p"])
  assert stats.kstest(ps["uf1"], "uniform").pvalue > 0.01
  for values in ps.values():
    # Equal differences count as reached, so accuracy's p-values may only be too large.
    assert 0.02 <= np.mean(np.array(values) <= 0.05) <= 0.08
    assert np.mean(np.array(values) <= 0.5) <= 0.58


@pytest.mark.parametrize(("a_only", "b_only"), [(0, 0), (1, 0), (5, 5), (3, 12), (900, 1100)])
def test_mcnemar_is_the_binomial_test(a_only, b_only):
  n = a_only + b_only + 7
  label = np.zeros(n, int)
  a, b = np.zeros((2, 1, n), int)
  b[0, :a_only] = 1
  a[0, a_only : a_only + b_only] = 1
  clips = np.ones(n, int)
  runs = [experiments.table(label, said, clips) for said in (a, b)]
  found = paired.mcnemar(*runs)
  assert (found["a_only"], found["b_only"]) == (a_only, b_only)
  expected = stats.binomtest(a_only, a_only + b_only).pvalue if a_only + b_only else 1
  assert found["p"] == pytest.approx(expected)


def test_holm():
  assert paired.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
  assert paired.holm([0.6]) == [0.6]
  assert paired.holm([0.5, 0.9]) == [1, 1]
  assert paired.holm([]) == []


@hypothesis.given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_keeps_the_order_and_lies_between_nothing_and_bonferroni(ps):
  corrected = np.array(paired.holm(ps))
  assert (corrected >= ps).all()
  assert (corrected <= np.minimum(np.array(ps) * len(ps), 1) + 1e-12).all()
  assert (np.diff(corrected[np.argsort(ps, kind="stable")]) >= 0).all()
  assert corrected.min() == pytest.approx(min(min(ps) * len(ps), 1))


def test_one_person_for_each_dataset():
  a, b = two(people=3)
  found = paired.difference(a, b)["scores"]["uf1"]
  assert found["interval"] is None
  assert found["p"] >= 0.25


def test_a_level_out_of_range():
  with pytest.raises(ConfigError, match="level is 95"):
    paired.difference(*two(people=3), level=95)
