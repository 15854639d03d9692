"""Scores of spotting, on cases that can be counted by hand."""

import pytest

from mer_jax.evaluation import spotting
from mer_jax.evaluation.spotting import Counts, Span


def micro(video: str, onset: int, offset: int, label: str = "") -> Span:
  return Span(video, onset, offset, "micro", label)


def macro(video: str, onset: int, offset: int) -> Span:
  return Span(video, onset, offset, "macro")


def test_overlap_counts_both_ends():
  assert spotting.overlap(micro("a", 0, 9), micro("a", 0, 9)) == 1
  assert spotting.overlap(micro("a", 0, 9), micro("a", 5, 14)) == pytest.approx(5 / 15)
  assert spotting.overlap(micro("a", 0, 9), micro("a", 9, 9)) == pytest.approx(1 / 10)
  assert spotting.overlap(micro("a", 0, 9), micro("a", 10, 19)) == 0
  assert spotting.overlap(micro("a", 0, 9), micro("b", 0, 9)) == 0


def test_one_half_is_enough_and_less_is_not():
  truth = [micro("a", 0, 9)]
  assert spotting.counts(truth, [micro("a", 0, 4)])["micro"] == Counts(1, 0, 0)
  assert spotting.counts(truth, [micro("a", 0, 3)])["micro"] == Counts(0, 1, 1)


def test_each_interval_is_in_one_pair_at_most():
  truth = [micro("a", 0, 9), micro("a", 4, 13)]
  assert spotting.counts(truth, [micro("a", 2, 11)])["micro"] == Counts(1, 0, 1)
  twice = [micro("a", 0, 9), micro("a", 1, 10)]
  assert spotting.counts(truth[:1], twice)["micro"] == Counts(1, 1, 0)


def test_as_many_pairs_as_there_can_be():
  # The first spotted one fits both, the second only the first coded one.
  truth = [micro("a", 0, 9), micro("a", 4, 13)]
  found = [micro("a", 2, 11), micro("a", 0, 5)]
  assert spotting.counts(truth, found)["micro"] == Counts(2, 0, 0)


def test_kinds_are_apart_and_overall_is_their_sum():
  truth = [micro("a", 0, 9), macro("a", 100, 139), macro("b", 0, 29)]
  found = [macro("a", 0, 9), macro("a", 100, 139)]
  counts = spotting.counts(truth, found)
  assert counts["micro"] == Counts(0, 0, 1)
  assert counts["macro"] == Counts(1, 1, 1)
  assert counts["overall"] == Counts(1, 1, 2)
  assert counts["overall"].f1 == pytest.approx(2 / 5)
  assert (counts["macro"].precision, counts["macro"].recall) == (0.5, 0.5)


def test_videos_without_truth_and_without_predictions_count():
  truth, found = [micro("a", 0, 9)], [micro("b", 0, 9), micro("c", 0, 9)]
  assert spotting.counts(truth, found)["overall"] == Counts(0, 2, 1)
  assert spotting.counts_of_public_scorer(truth, found) == Counts(0, 0, 0)


def test_the_public_scorer_counts_one_prediction_several_times():
  truth = [micro("a", 0, 9), micro("a", 4, 13)]
  assert spotting.counts_of_public_scorer(truth, [macro("a", 2, 11)]) == Counts(2, 0, 0)


def test_nothing_at_all_scores_zero():
  counts = spotting.counts([], [])
  assert counts["overall"] == Counts(0, 0, 0)
  assert counts["overall"].f1 == 0


def test_analysis_is_about_spotted_micro_expressions_with_a_class():
  classes = ("negative", "positive", "surprise")
  pairs = [
    (micro("a", 0, 9, "negative"), micro("a", 0, 9, "negative")),
    (micro("b", 0, 9, "negative"), micro("b", 0, 9, "positive")),
    (micro("c", 0, 9, "positive"), micro("c", 0, 9, "positive")),
    (micro("d", 0, 9, "others"), micro("d", 0, 9, "positive")),
    (macro("e", 0, 9), macro("e", 0, 9)),
  ]
  analysis = spotting.analysis(pairs, classes)
  assert analysis is not None
  assert analysis.intervals == 3
  precision, recall = (1 + 1 / 2 + 0) / 3, (1 / 2 + 1 + 0) / 3
  assert analysis.f1 == pytest.approx(2 * precision * recall / (precision + recall))
  assert analysis.uf1 == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)
  assert analysis.uar == pytest.approx(recall)
  assert spotting.analysis(pairs[3:], classes) is None
