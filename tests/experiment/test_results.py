"""What a workdir holds, as one type."""

import json

import numpy as np
import pytest

import mer_jax
from mer_jax import evaluation
from mer_jax.errors import ConfigError, DataError
from mer_jax.experiment import settings
from mer_jax.targets.single_class import NO_PREDICTION


def test_a_single_run(config, tmp_path):
  config.seeds = 2
  results = mer_jax.run(config, tmp_path / "single", quiet=True)
  assert list(results) == ["single"]
  run = results.run
  assert run.folder == tmp_path / "single"
  assert run.summary == json.loads((run.folder / "metrics.json").read_text())
  assert run.config["training"]["epochs"] == 2
  assert len(run.predictions.clip) == 2 * run.summary["clips"]
  (row,) = results.rows()
  pooled = run.summary["pooled"]
  assert (row["uf1"], row["uf1_std"]) == (pooled["uf1"], pooled["std"]["uf1"])
  assert [row["uf1_low"], row["uf1_high"]] == pooled["interval"]["uf1"]
  assert (row["clips"], row["seeds"], row["dataset"]) == (run.summary["clips"], 2, "all")
  assert results.page == tmp_path / "single" / "report.html"
  table = results.to_pandas()
  assert table["uf1"].tolist() == [pooled["uf1"]]
  for text in (repr(results), results._repr_html_()):
    assert "single" in text
    assert f"{pooled['uf1']:.3f}".lstrip("0") in text
  again = mer_jax.load_results(str(tmp_path / "single"))
  assert again.rows() == results.rows()


def test_a_sweep_with_variants_and_their_order(config, tmp_path):
  config.training.epochs = 1
  config.sweep.learning_rate = (0.05, 0.01)
  config.variants.field, config.variants.values = "model.branch", ("lstm", "cnn")
  results = mer_jax.run(config, tmp_path, quiet=True)
  assert list(results) == [
    f"model.branch={branch}/learning_rate={rate}"
    for branch in ("lstm", "cnn")
    for rate in ("0.05", "0.01")
  ]
  assert results.page == tmp_path / "variants.html"
  with pytest.raises(ConfigError, match=r"holds 4 runs; choose from: model\.branch=lstm"):
    _ = results.run
  assert len(results.rows()) == 4


def test_a_grid_whose_systems_all_have_the_epochs_asked_for(config, data_dir, tmp_path):
  grid = settings.grid()
  grid.data_dir, grid.devices, grid.corpora = str(data_dir), 1, ("casme2", "samm")
  for name, branch in (("second", "cnn"), ("first", "lstm")):
    own = config.copy_and_resolve_references()
    own.model.branch = branch
    settings.add_system(grid, name, own)
  grid.epochs = 1
  results = mer_jax.run(grid, tmp_path, quiet=True)
  assert list(results) == ["second/casme2", "first/casme2"]
  for run in results.values():
    assert run.config["training"]["epochs"] == 1
    assert len((run.folder / "history.jsonl").read_text().splitlines()) == run.summary["folds"]
  grid.epochs = -1
  with pytest.raises(ConfigError, match=r"config\.epochs"):
    mer_jax.run(grid, tmp_path / "other", quiet=True)


def test_features_from_elsewhere(tmp_path):
  rng = np.random.default_rng(0)
  labels, subjects = np.tile(np.arange(3), 6), np.repeat(["a", "b", "c"], 6)
  results = mer_jax.score(rng.normal(size=(18, 4)), labels, subjects, tmp_path, quiet=True)
  assert results.run.summary["clips"] == 18


def test_a_run_without_any_prediction_has_rows_without_scores(config, tmp_path):
  mer_jax.run(config, tmp_path, quiet=True)
  file = tmp_path / "predictions.csv"
  predictions = evaluation.read_csv(file)
  nothing = np.full_like(predictions.probabilities, np.nan)
  evaluation.write_csv(
    file,
    predictions._replace(probabilities=nothing, prediction=np.full(len(nothing), NO_PREDICTION)),
  )
  results = mer_jax.load_results(tmp_path)
  assert results.run.summary is None
  assert results.rows()[0]["uf1"] is None
  assert "UF1 -" in repr(results)


def test_a_folder_without_runs_is_named(tmp_path):
  with pytest.raises(DataError, match="no finished run"):
    mer_jax.load_results(tmp_path)
