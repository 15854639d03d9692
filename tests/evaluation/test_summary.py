import json
import os

import numpy as np
import pytest

from mer_jax.errors import DataError, WorkdirError
from mer_jax.evaluation.predictions import Predictions, read_csv, select, write_csv
from mer_jax.evaluation.summary import fold_ids, summarise, write_json
from mer_jax.evaluation.summary import stopped as stopped_folds
from mer_jax.targets import single_class

NAMES = ("negative", "positive", "surprise")


def made_up(seeds=3, datasets=("samm", "casme2"), random_seed=0) -> Predictions:
  """Every dataset has the subjects s0 to s5, with 1 to 8 clips: names repeat across datasets."""
  random = np.random.default_rng(random_seed)
  keys = [
    (dataset, f"s{s}", f"c{c}")
    for dataset in datasets
    for s in range(6)
    for c in range(random.integers(1, 9))
  ]
  labels = random.choice(3, len(keys), p=(0.6, 0.25, 0.15))
  p = random.dirichlet(np.ones(3), seeds * len(keys)).astype(np.float32)
  p[np.arange(len(p)), np.tile(labels, seeds)] += 0.3
  p /= p.sum(axis=1, keepdims=True)
  dataset, subject, clip = np.tile(np.array(keys), (seeds, 1)).T
  seed = np.repeat(np.arange(seeds) + 7, len(keys))
  return Predictions(seed, dataset, subject, clip, np.tile(labels, seeds), p.argmax(1), p, NAMES)


def test_recomputed_from_the_csv_alone(tmp_path):
  predictions = made_up()
  write_json(tmp_path / "metrics.json", summarise(predictions))
  write_csv(tmp_path / "predictions.csv", predictions)
  again = summarise(read_csv(tmp_path / "predictions.csv"))
  assert json.loads((tmp_path / "metrics.json").read_text()) == again


def test_rows_in_any_order_give_the_same_bits():
  predictions = made_up()
  shuffled = select(predictions, np.random.default_rng(1).permutation(len(predictions.clip)))
  assert summarise(shuffled) == summarise(predictions)


def test_one_seed_is_the_plain_pooled_score():
  predictions = made_up(seeds=1)
  summary = summarise(predictions)
  counts = single_class.confusion(predictions.label, predictions.prediction, 3)
  pooled = summary["pooled"]
  assert pooled["confusion"] == counts.tolist()
  assert {key: pooled[key] for key in single_class.SCORES} == single_class.scores(counts)
  assert pooled["std"] is None
  assert (summary["clips"], summary["folds"]) == (len(predictions.clip), 12)
  assert sum(entry["support"] for entry in pooled["per_class"].values()) == summary["clips"]
  assert np.mean([e["f1"] for e in pooled["per_class"].values()]) == pytest.approx(pooled["uf1"])


def test_several_seeds_are_averaged_after_pooling():
  predictions = made_up(seeds=3)
  summary = summarise(predictions)
  assert summary["seeds"] == [7, 8, 9]
  each = [
    summarise(select(predictions, predictions.seed == seed)) for seed in np.unique(predictions.seed)
  ]
  for key in single_class.SCORES:
    values = [one["pooled"][key] for one in each]
    assert summary["pooled"][key] == pytest.approx(np.mean(values))
    assert summary["pooled"]["std"][key] == pytest.approx(np.std(values, ddof=1))
    assert [entry[key] for entry in summary["per_seed"].values()] == values
    for convention in single_class.CONVENTIONS:
      values = [one["fold_mean"][convention][key] for one in each]
      assert summary["fold_mean"][convention][key] == pytest.approx(np.mean(values))
  assert summary["pooled"]["confusion"] == (
    np.sum([one["pooled"]["confusion"] for one in each], axis=0).tolist()
  )
  assert list(summary["per_seed"]) == ["7", "8", "9"]


def test_the_ensemble_is_the_mean_of_the_probabilities_scored_as_one_seed():
  predictions = made_up(seeds=3)
  summary = summarise(predictions)
  parts = [select(predictions, predictions.seed == seed) for seed in (7, 8, 9)]
  mean = np.mean([part.probabilities.astype(np.float64) for part in parts], axis=0)
  one = parts[0]._replace(probabilities=mean.astype(np.float32), prediction=mean.argmax(1))
  assert summary["ensemble"] == {**summarise(one)["pooled"], "clips_missing": {}}
  assert summary["ensemble"]["uf1"] != summary["pooled"]["uf1"]
  assert summary["ensemble"]["interval"]["subjects"] == 12


def test_one_seed_or_a_gap_has_no_ensemble():
  assert "ensemble" not in summarise(made_up(seeds=1))
  assert "ensemble" not in summarise(stopped(made_up(seeds=2), (8, "samm", "s1")))


def test_per_dataset_is_the_same_predictions_restricted():
  predictions = made_up()
  summary = summarise(predictions)
  assert list(summary["per_dataset"]) == ["casme2", "samm"]
  for dataset, entry in summary["per_dataset"].items():
    alone = summarise(select(predictions, predictions.dataset == dataset))
    assert entry == {**alone["pooled"], "majority": alone["majority"]}
  total = np.sum([e["confusion"] for e in summary["per_dataset"].values()], axis=0)
  assert total.tolist() == summary["pooled"]["confusion"]


def test_folds_are_subjects_of_a_dataset_not_names():
  predictions = made_up(seeds=1)
  folds = fold_ids(predictions)
  assert len(np.unique(folds)) == 12
  for fold in np.unique(folds):
    rows = folds == fold
    assert len(set(zip(predictions.dataset[rows], predictions.subject[rows], strict=True))) == 1


def by_corpus(predictions) -> Predictions:
  return predictions._replace(fold=predictions.dataset)


def test_folds_that_are_corpora_change_what_is_over_folds_alone():
  predictions = made_up(seeds=2)
  found, subjects = summarise(by_corpus(predictions)), summarise(predictions)
  assert (found["folds"], found["held_out"]) == (2, "dataset")
  assert "held_out" not in subjects
  each = found["per_dataset"].values()
  for key in single_class.SCORES:
    mean = found["fold_mean"]["absent_as_0"][key]
    assert mean == pytest.approx(np.mean([entry[key] for entry in each]))
  over_folds = ("folds", "held_out", "fold_mean", "per_seed")
  assert {k: v for k, v in found.items() if k not in over_folds} == {
    k: v for k, v in subjects.items() if k not in over_folds
  }


def test_a_corpus_that_was_stopped_is_one_fold(tmp_path):
  predictions = stopped(made_up(seeds=2), *((8, "samm", f"s{i}") for i in range(6)))
  found = summarise(by_corpus(predictions))
  assert [entry["subject"] for entry in found["missing"]] == [f"s{i}" for i in range(6)]
  assert {entry["fold"] for entry in found["missing"]} == {"samm"}
  assert stopped_folds(found) == [(8, "samm")]
  subjects = summarise(predictions)
  assert stopped_folds(subjects) == [(8, f"samm/s{i}") for i in range(6)]
  assert all(set(entry) == {"seed", "dataset", "subject", "clips"} for entry in subjects["missing"])
  write_csv(tmp_path / "predictions.csv", by_corpus(predictions))
  assert summarise(read_csv(tmp_path / "predictions.csv")) == found


def test_majority_is_what_a_constant_gets():
  predictions = made_up(seeds=1)
  summary = summarise(predictions)
  constant = predictions._replace(prediction=np.zeros_like(predictions.prediction))
  expected = summarise(constant)["pooled"]
  assert summary["majority"] == {
    "class": "negative",
    **{k: expected[k] for k in single_class.SCORES},
  }


def test_a_class_without_clips_counts_as_0():
  predictions = made_up(seeds=1)
  some = select(predictions, predictions.label != 2)
  some = some._replace(prediction=some.label.copy())
  pooled = summarise(some)["pooled"]
  assert pooled["accuracy"] == 1
  assert pooled["per_class"]["surprise"] == {"precision": 0, "recall": 0, "f1": 0, "support": 0}
  assert pooled["uf1"] == pooled["uar"] == pytest.approx(2 / 3)


def test_seeds_that_predicted_other_clips():
  predictions = made_up()
  with pytest.raises(DataError, match=r"seeds 7 and 8 predicted different clips"):
    summarise(select(predictions, np.arange(len(predictions.clip)) != len(predictions.clip) // 2))
  label = predictions.label.copy()
  label[-1] = (label[-1] + 1) % 3
  with pytest.raises(DataError, match=r"seeds 7 and 9 .* differ in label"):
    summarise(predictions._replace(label=label))


def stopped(predictions, *folds) -> Predictions:
  """`predictions` after the (seed, dataset, subject) of `folds` were stopped."""
  keys = zip(predictions.seed, predictions.dataset, predictions.subject, strict=True)
  gap = np.array([(int(s), str(d), str(p)) in folds for s, d, p in keys])
  return predictions._replace(
    prediction=np.where(gap, -1, predictions.prediction),
    probabilities=np.where(gap[:, None], np.nan, predictions.probabilities).astype(np.float32),
  )


def test_a_complete_run_says_that_nothing_is_missing():
  summary = summarise(made_up())
  assert summary["missing"] == []
  assert summary["seeds_scored"] == summary["seeds"]
  for table in (summary["pooled"], *summary["per_dataset"].values()):
    assert table["clips"] == table["clips_in_all"]
    assert set(table["clips_missing"].values()) == {0}


def test_scores_with_a_gap_are_those_of_the_clips_that_have_a_prediction():
  predictions = made_up(seeds=1)
  gap = stopped(predictions, (7, "samm", "s2"), (7, "casme2", "s5"))
  there = gap.prediction >= 0
  found, expected = summarise(gap), summarise(select(predictions, there))
  for part in ("pooled", "majority", "fold_mean"):
    for key in expected[part]:
      if key not in ("clips_in_all", "clips_missing"):
        assert found[part][key] == expected[part][key]
  for dataset, entry in expected["per_dataset"].items():
    for key in (*single_class.SCORES, "clips", "confusion", "per_class", "majority"):
      assert found["per_dataset"][dataset][key] == entry[key]
  assert (found["clips"], found["folds"]) == (len(there), 12)
  assert found["pooled"]["clips"] == there.sum()
  assert found["pooled"]["clips_in_all"] == len(there)
  assert found["pooled"]["clips_missing"] == {"7": int((~there).sum())}
  named = [(e["seed"], e["dataset"], e["subject"]) for e in found["missing"]]
  assert named == [(7, "casme2", "s5"), (7, "samm", "s2")]
  assert sum(entry["clips"] for entry in found["missing"]) == (~there).sum()


def test_a_gap_follows_from_the_csv_alone(tmp_path):
  gap = stopped(
    made_up(), (7, "samm", "s2"), *((9, d, f"s{i}") for d in ("samm", "casme2") for i in range(6))
  )
  write_json(tmp_path / "metrics.json", summarise(gap))
  write_csv(tmp_path / "predictions.csv", gap)
  again = summarise(read_csv(tmp_path / "predictions.csv"))
  assert json.loads((tmp_path / "metrics.json").read_text()) == again


def test_a_seed_none_of_whose_folds_ended_counts_nowhere():
  predictions = made_up(seeds=3)
  every = [(8, d, f"s{i}") for d in ("samm", "casme2") for i in range(6)]
  found = summarise(stopped(predictions, *every))
  others = summarise(select(predictions, predictions.seed != 8))
  assert found["seeds"] == [7, 8, 9]
  assert found["seeds_scored"] == [7, 9]
  assert list(found["per_seed"]) == ["7", "9"]
  assert found["fold_mean"] == others["fold_mean"]
  for key in (*single_class.SCORES, "std", "confusion", "per_class", "clips"):
    assert found["pooled"][key] == others["pooled"][key]
  assert found["pooled"]["clips_missing"] == {"7": 0, "8": found["clips"], "9": 0}


def test_one_scored_seed_has_no_spread():
  every = [(7, d, f"s{i}") for d in ("samm", "casme2") for i in range(6)]
  found = summarise(stopped(made_up(seeds=2), *every))
  assert found["pooled"]["std"] is None
  assert found["seeds_scored"] == [8]


def test_a_dataset_without_a_prediction_has_no_score():
  found = summarise(stopped(made_up(seeds=1), *((7, "samm", f"s{i}") for i in range(6))))
  samm = found["per_dataset"]["samm"]
  assert [samm[key] for key in single_class.SCORES] == [None] * 5
  assert samm["clips"] == 0 < samm["clips_in_all"]
  assert samm["majority"]["class"] is None
  assert np.sum(samm["confusion"]) == 0
  assert found["per_dataset"]["casme2"]["uf1"] == found["pooled"]["uf1"]


def test_nothing_but_gaps():
  every = [(s, d, f"s{i}") for s in (7, 8) for d in ("samm", "casme2") for i in range(6)]
  with pytest.raises(DataError, match=r"None of the \d+ clips has a prediction"):
    summarise(stopped(made_up(seeds=2), *every))


def test_no_predictions():
  predictions = made_up()
  with pytest.raises(DataError, match="no predictions"):
    summarise(select(predictions, np.zeros(len(predictions.clip), bool)))


def test_a_failing_disk_leaves_the_old_file(tmp_path, monkeypatch):
  write_json(tmp_path / "metrics.json", {"old": 1})

  def full(descriptor):
    raise OSError(28, "No space left on device")

  monkeypatch.setattr(os, "fsync", full)
  with pytest.raises(WorkdirError, match="No space"):
    write_json(tmp_path / "metrics.json", summarise(made_up()))
  assert json.loads((tmp_path / "metrics.json").read_text()) == {"old": 1}
