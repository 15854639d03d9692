import experiments
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from scipy import stats

from mer_jax.errors import ConfigError
from mer_jax.evaluation import clip_table, intervals
from mer_jax.evaluation.clip_table import BySubject
from mer_jax.evaluation.summary import summarise
from mer_jax.targets import single_class


def subjects(**options) -> BySubject:
  return clip_table.by_subject(experiments.run(**options))


@hypothesis.settings(deadline=None, max_examples=40)
@hypothesis.given(st.integers(1, 3), st.integers(1, 6), st.integers(2, 5), st.integers(0, 99))
def test_pooled_scores_are_those_of_the_counts_added_up(s, f, k, seed):
  random = np.random.default_rng(seed)
  counts = random.integers(0, 3, (s, f, k, k))
  counts[:, :, 0, 0] += 1
  weights = random.integers(0, 3, (7, f)).astype(float)
  weights[:, 0] += 1
  found = intervals.pooled(weights, counts)
  for row in range(7):
    drawn = np.einsum("f,sfij->sij", weights[row].astype(int), counts)
    expected = single_class.mean([single_class.scores(one) for one in drawn])
    assert {key: found[key][row] for key in single_class.SCORES} == pytest.approx(expected)


def test_a_seed_without_a_drawn_clip_takes_no_part():
  counts = subjects(people=3, seeds=2).confusions
  counts[1, 1:] = 0  # this seed predicted the first person only
  found = intervals.pooled(np.array([[0.0, 1, 2], [2, 0, 1]]), counts)
  alone = single_class.scores(counts[0, 1] + 2 * counts[0, 2])
  assert found["uf1"][0] == pytest.approx(alone["uf1"])
  each = [single_class.scores(2 * counts[seed, 0] + counts[seed, 2])["uf1"] for seed in (0, 1)]
  assert found["uf1"][1] == pytest.approx(np.mean(each))


def test_blocks_change_no_bit(monkeypatch):
  people = subjects(people=12, seeds=3)
  whole = intervals.intervals(people, resamples=300)
  monkeypatch.setattr(intervals, "_BLOCK", 100)
  assert intervals.intervals(people, resamples=300) == whole


def test_every_dataset_keeps_its_number_of_people():
  dataset = np.array(["casme2"] * 5 + ["samm"] * 9 + ["smic"])
  draws = intervals.draws(dataset, 400)
  for name, count in (("casme2", 5), ("samm", 9), ("smic", 1)):
    assert (draws[:, dataset == name].sum(axis=1) == count).all()
  np.testing.assert_allclose(draws.mean(axis=0), 1, atol=0.2)
  # Two datasets of equal size are drawn apart, and each as where it stands alone.
  twins = intervals.draws(np.array(["a"] * 5 + ["b"] * 5), 400)
  assert abs(np.corrcoef(twins[:, 0], twins[:, 5])[0, 1]) < 0.2
  np.testing.assert_array_equal(intervals.draws(dataset[:5], 400), draws[:, :5])


def test_the_accuracy_of_equal_people_is_bounded_as_a_mean_is():
  """With equally many clips each, accuracy is a mean over people; Student's interval is known."""
  random = np.random.default_rng(0)
  right = random.binomial(10, 0.7, 200)
  counts = np.zeros((1, 200, 2, 2), int)
  counts[0, :, 0, 0], counts[0, :, 0, 1] = right, 10 - right
  (low, high) = intervals.intervals(BySubject(np.full(200, "x"), counts))["accuracy"]
  expected = stats.t.interval(0.95, 199, np.mean(right / 10), stats.sem(right / 10))
  np.testing.assert_allclose([low, high], expected, atol=0.002)


def test_higher_levels_are_wider_and_hold_the_score():
  people = subjects(people=24, seeds=2)
  found = [intervals.intervals(people, level) for level in (0.5, 0.9, 0.95, 0.99)]
  score = single_class.mean([single_class.scores(one) for one in people.confusions.sum(axis=1)])
  for key in single_class.SCORES:
    ends = [[*each[key]] for each in found]
    lows, highs = zip(*ends, strict=True)
    assert list(lows) == sorted(lows, reverse=True)
    assert list(highs) == sorted(highs)
    assert lows[1] < score[key] < highs[1]
    assert 0 <= lows[-1] <= highs[-1] <= 1


def test_copies_of_a_clip_add_no_certainty():
  few = experiments.run(people=30)
  counts = clip_table.by_subject(few).confusions
  once = intervals.intervals(BySubject(np.full(30, "x"), counts))
  thrice = intervals.intervals(BySubject(np.full(30, "x"), 3 * counts))
  assert once == thrice


def test_too_few_people():
  one_each = BySubject(np.array(["a", "b"]), np.ones((1, 2, 3, 3), int))
  assert intervals.intervals(one_each) is None
  found = intervals.intervals(BySubject(np.array(["a", "a", "b"]), np.ones((1, 3, 3, 3), int)))
  assert found["uf1"] == pytest.approx([1 / 3, 1 / 3])


def test_options_out_of_range():
  people = subjects(people=3)
  for level in (0, 1, 95, float("nan")):
    with pytest.raises(ConfigError, match="between 0 and 1"):
      intervals.intervals(people, level)
  with pytest.raises(ConfigError, match="resamples is 0"):
    intervals.intervals(people, resamples=0)


def test_the_summary_holds_them_pooled_and_for_each_dataset():
  run = experiments.run(people=20, seeds=2, datasets=("casme2", "samm"))
  summary = summarise(experiments.predictions(run))
  interval = summary["pooled"]["interval"]
  assert (interval["level"], interval["resamples"], interval["subjects"]) == (0.95, 5000, 20)
  expected = intervals.intervals(clip_table.by_subject(run))
  assert {key: interval[key] for key in single_class.SCORES} == expected
  for name, entry in summary["per_dataset"].items():
    inside = clip_table.rows(run, run.dataset == name)
    expected = intervals.intervals(clip_table.by_subject(inside))
    assert {key: entry["interval"][key] for key in single_class.SCORES} == expected
    assert entry["interval"]["subjects"] == 10


def test_a_gap_is_left_out():
  run = experiments.run(people=12, seeds=2)
  gap = run._replace(prediction=run.prediction.copy())
  gap.prediction[:, run.subject == "s003"] = -1
  without = clip_table.rows(run, run.subject != "s003")
  found = summarise(experiments.predictions(gap))["pooled"]["interval"]
  assert found == summarise(experiments.predictions(without))["pooled"]["interval"]
  assert found["subjects"] == 11
