"""Whether intervals and p-values hold what they claim, in experiments whose truth is known."""

import experiments
import numpy as np
import pytest

from mer_jax.evaluation import intervals, permutation
from mer_jax.evaluation.clip_table import BySubject

SCORES = ("uf1", "uar", "accuracy")
SKILL = np.array([1.2, 0.4, 0.6])  # log-odds of a hit on each class
SPREAD = 1.0  # its standard deviation between people
TRIALS = 400


def experiment(people: int, random: np.random.Generator) -> np.ndarray:
  """int64 [F, K, K]: people with a mix of classes, and a difficulty, of their own."""
  mixes = random.dirichlet(6 * experiments.PRIOR, people)
  support = np.stack(
    [
      random.multinomial(n, mix)
      for n, mix in zip(experiments.sizes(people, random), mixes, strict=True)
    ]
  )
  odds = SKILL + random.normal(0, SPREAD, (people, 1))
  hits = random.binomial(support, 1 / (1 + np.exp(-odds)))
  first = random.binomial(support - hits, 0.6)
  counts = np.zeros((people, 3, 3), int)
  for k in range(3):
    others = [j for j in range(3) if j != k]
    counts[:, k, k], counts[:, k, others[0]] = hits[:, k], first[:, k]
    counts[:, k, others[1]] = support[:, k] - hits[:, k] - first[:, k]
  return counts


def of_one_dataset(counts: np.ndarray) -> BySubject:
  return BySubject(np.full(len(counts), "casme2"), counts[None])


def held(found: dict, truth: dict) -> list[bool]:
  return [found[key][0] <= truth[key] <= found[key][1] for key in SCORES]


@pytest.mark.slow
@pytest.mark.parametrize("people", [24, 68])
def test_intervals_hold_the_truth_as_often_as_they_claim(people):
  population = experiment(100_000, np.random.default_rng(1))
  truth = {
    key: float(value[0])
    for key, value in intervals.pooled(np.ones((1, len(population))), population[None]).items()
  }
  over_subjects, over_clips = [], []
  for trial in range(TRIALS):
    counts = experiment(people, np.random.default_rng((trial, people)))
    found = intervals.intervals(of_one_dataset(counts), resamples=400)
    over_subjects.append(held(found, truth))
    # A bootstrap over clips draws as many of each kind (truth and prediction) as chance has it.
    kinds, clips = counts.sum(axis=0).reshape(-1), counts.sum()
    draws = np.random.default_rng(trial).multinomial(clips, kinds / clips, size=400)
    naive = intervals.pooled(draws.astype(float), np.eye(9, dtype=int).reshape(1, 9, 3, 3))
    ends = {key: np.quantile(naive[key], [0.025, 0.975]) for key in SCORES}
    over_clips.append(held(ends, truth))
  # 400 trials of 95 % have a standard deviation of .011.
  for share in np.mean(over_subjects, axis=0):
    assert 0.91 <= share <= 0.98
  for share in np.mean(over_clips, axis=0):
    assert share < 0.87


@pytest.mark.slow
def test_shuffles_within_subjects_keep_their_level_where_those_over_clips_do_not():
  """People mostly show one class and mostly get one prediction, of which neither knows."""
  ps = {scheme: [] for scheme in permutation.SCHEMES}
  for trial in range(250):
    random = np.random.default_rng(trial)
    clips = experiments.sizes(24, random)
    label, said = (
      np.concatenate(
        [
          random.choice(3, n, p=mix)
          for n, mix in zip(clips, random.dirichlet(spread * experiments.PRIOR, 24), strict=True)
        ]
      )
      for spread in (1.5, 0.6)
    )
    found = permutation.chance(experiments.table(label, said[None], clips), 99)
    for scheme, values in ps.items():
      values.append(found[scheme]["uf1"]["p"])
  level = {scheme: np.mean(np.array(values) <= 0.05) for scheme, values in ps.items()}
  assert level["subjects"] <= 0.08
  assert level["clips"] > 0.12
