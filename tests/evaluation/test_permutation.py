import experiments
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from mer_jax.errors import ConfigError, DataError
from mer_jax.evaluation import clip_table, permutation
from mer_jax.evaluation.summary import summarise
from mer_jax.targets import single_class


def test_perfect_predictions_are_no_chance():
  run = experiments.run(people=24, right=1.0)
  for scheme in permutation.chance(run, 199).values():
    for entry in scheme.values():
      assert entry["observed"] == 1
      assert entry["p"] == pytest.approx(1 / 200)
      assert entry["mean"] < entry["quantile"] < 1


def test_a_constant_is_all_chance():
  run = experiments.run(people=10)
  run = run._replace(prediction=np.zeros_like(run.prediction))
  for scheme in permutation.chance(run, 50).values():
    for entry in scheme.values():
      assert entry["p"] == 1
      assert entry["mean"] == pytest.approx(entry["observed"])


def test_who_it_is_says_nothing_of_what_they_showed():
  """Predictions that only tell people apart reach more than chance over clips, never within."""
  run = experiments.run(people=30)
  folds = clip_table.fold_ids(run)
  usual = [np.bincount(run.label[folds == fold]).argmax() for fold in range(30)]
  run = run._replace(prediction=np.array(usual)[folds][None])
  found = permutation.chance(run, 199)
  assert found["clips"]["uf1"]["p"] < 0.05
  assert found["subjects"]["uf1"]["p"] == 1


def test_the_mean_is_what_can_be_computed():
  run = experiments.run(people=30, right=0.4, datasets=("casme2", "samm"))
  folds, n = clip_table.fold_ids(run), len(run.clip)
  for scheme, group in (("clips", run.dataset), ("subjects", folds)):
    expected = 0.0
    for name in np.unique(group):
      inside = group == name
      true = np.bincount(run.label[inside], minlength=3)
      said = np.bincount(run.prediction[0][inside], minlength=3)
      expected += true @ said / inside.sum() / n
    found = permutation.chance(run, 2000)[scheme]["accuracy"]["mean"]
    assert found == pytest.approx(expected, abs=0.003)


@hypothesis.settings(deadline=None, max_examples=25)
@hypothesis.given(st.integers(1, 3), st.integers(2, 6), st.integers(0, 99))
def test_the_observed_score_is_that_of_the_summary(seeds, k, seed):
  random = np.random.default_rng(seed)
  clips = random.integers(1, 5, 6)
  label = random.integers(0, k, clips.sum())
  said = random.integers(0, k, (seeds, len(label)))
  said[random.random(said.shape) < 0.1] = -1
  hypothesis.assume((said >= 0).any())
  run = experiments.table(label, said, clips, names=[f"c{i}" for i in range(k)])
  pooled = summarise(experiments.predictions(run))["pooled"]
  for scheme in permutation.chance(run, 5).values():
    for key in single_class.SCORES:
      assert scheme[key]["observed"] == pytest.approx(pooled[key])


def test_blocks_and_gaps(monkeypatch):
  run = experiments.run(people=12, seeds=2)
  run.prediction[:, run.subject == "s003"] = -1
  whole = permutation.chance(run, 100)
  assert permutation.chance(clip_table.rows(run, run.subject != "s003"), 100) == whole
  assert permutation.chance(run, 100) == whole
  monkeypatch.setattr(permutation, "_BLOCK", 1000)
  assert permutation.chance(run, 100) == whole


def test_bad_input():
  run = experiments.run(people=3)
  with pytest.raises(ConfigError, match="permutations is 0"):
    permutation.chance(run, 0)
  with pytest.raises(DataError, match="No clip has a prediction"):
    permutation.chance(run._replace(prediction=np.full_like(run.prediction, -1)))
