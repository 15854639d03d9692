"""Bars of accuracy by subject."""

import numpy as np

from mer_jax.evaluation import Predictions
from mer_jax.report import subjects


def test_seeds_that_agree_have_no_spread_however_their_mean_rounds():
  """The mean of five times 7/9 is not 7/9 in binary; a bar's whisker must not turn negative."""
  sizes = [(right, clips) for clips in range(1, 12) for right in range(clips + 1)]
  rows = [
    (seed, "casme2", f"sub{n:02d}", f"EP{clip}", 0, int(clip >= right))
    for seed in range(5)
    for n, (right, clips) in enumerate(sizes)
    for clip in range(clips)
  ]
  means = [np.full(5, right / clips).mean() - right / clips for right, clips in sizes]
  assert min(means) < 0 < max(means)
  columns = [np.array(column) for column in zip(*rows, strict=True)]
  chosen = np.eye(2, dtype=np.float32)[columns[5]]
  picture = subjects.draw(Predictions(*columns, chosen, ("negative", "positive")))
  assert picture.startswith(b"\x89PNG")


def test_a_subject_without_a_prediction_stands_last_and_counts_nowhere(make_predictions, make_gap):
  run = make_predictions(seeds=(0, 1), wrong=0.5)
  before = {s.name: s for s in subjects.by_dataset(run)["casme2"]}
  gap = make_gap(run, [(0, "casme2", "sub00"), (1, "casme2", "sub00"), (0, "casme2", "sub01")])
  after = subjects.by_dataset(gap)["casme2"]
  assert after[-1].name == "sub00"
  assert np.isnan(after[-1].mean)
  assert after[-1].known.size == 0
  assert after[-1].clips == 4
  named = {s.name: s for s in after}
  assert named["sub01"].mean == before["sub01"].accuracy[1]
  np.testing.assert_array_equal(named["sub02"].accuracy, before["sub02"].accuracy)
  assert subjects.by_dataset(gap)["smic"] != []
