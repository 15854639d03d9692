import experiments
import numpy as np
import pytest

from mer_jax.errors import DataError
from mer_jax.evaluation import clip_table
from mer_jax.evaluation.predictions import select
from mer_jax.targets import single_class


def test_a_table_is_the_list_of_predictions():
  run = experiments.run(people=9, seeds=3, datasets=("casme2", "samm"))
  listed = experiments.predictions(run)
  shuffled = select(listed, np.random.default_rng(0).permutation(len(listed.clip)))
  found = clip_table.clip_table(shuffled)
  for ours, theirs in zip(found, run, strict=True):
    np.testing.assert_array_equal(ours, theirs)


def test_counts_by_subject_are_those_of_its_clips():
  run = experiments.run(people=9, seeds=2, datasets=("casme2", "samm"))
  run.prediction[1, ::5] = -1
  found = clip_table.by_subject(run)
  folds = clip_table.fold_ids(run)
  assert found.confusions.shape == (2, 9, 3, 3)
  for fold in range(9):
    assert set(run.dataset[folds == fold]) == {found.dataset[fold]}
    for seed in range(2):
      mine = (folds == fold) & (run.prediction[seed] >= 0)
      expected = single_class.confusion(run.label[mine], run.prediction[seed][mine], 3)
      np.testing.assert_array_equal(found.confusions[seed, fold], expected)


def test_equal_names_in_two_datasets_are_two_subjects():
  run = experiments.run(people=8, datasets=("casme2", "samm"))
  run = run._replace(subject=np.array([f"s{int(s[1:]) % 4}" for s in run.subject]))
  assert clip_table.by_subject(run).dataset.tolist() == ["casme2"] * 4 + ["samm"] * 4


def test_folds_that_are_corpora_leave_the_subjects_as_they_are():
  run = experiments.run(people=8, datasets=("casme2", "samm"))
  whole = run._replace(fold=run.dataset)
  assert len(np.unique(clip_table.fold_ids(run))) == 8
  np.testing.assert_array_equal(clip_table.fold_ids(whole), (run.dataset == "samm").astype(int))
  for ours, theirs in zip(clip_table.by_subject(whole), clip_table.by_subject(run), strict=True):
    np.testing.assert_array_equal(ours, theirs)
  inside = run.dataset == "samm"
  assert set(clip_table.rows(whole, inside).fold) == {"samm"}


def test_what_was_not_predicted_at_all_is_left_out():
  run = experiments.run(people=9, seeds=3)
  run.prediction[1] = -1
  run.prediction[:, run.subject == "s002"] = -1
  run.prediction[0, run.subject == "s004"] = -1
  found = clip_table.scored(run)
  assert found.seeds.tolist() == [0, 2]
  assert set(run.subject) - set(found.subject) == {"s002"}
  assert (found.prediction[0, found.subject == "s004"] == -1).all()
  for field in (found.dataset, found.clip, found.label, found.prediction[1]):
    assert len(field) == len(found.subject)


def test_seeds_with_other_folds_are_refused():
  listed = experiments.predictions(experiments.run(people=4, seeds=2))
  listed = listed._replace(fold=np.where(listed.seed == 0, "casme2", listed.subject))
  with pytest.raises(DataError, match="seeds 0 and 1 held out different folds"):
    clip_table.clip_table(listed)


def test_seeds_over_other_clips_are_refused():
  listed = experiments.predictions(experiments.run(people=4, seeds=2))
  with pytest.raises(DataError, match="seeds 0 and 1 predicted different clips"):
    clip_table.clip_table(select(listed, np.arange(len(listed.clip) - 1)))
