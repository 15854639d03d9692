"""configs/table2.py on three small corpora: every row runs, and rows share what they compute."""

import csv

import pytest

from configs import table2
from mer_jax import errors, learning, tables
from mer_jax.report import published


def small(data_dir):
  """The table with narrow networks that see little and train for one epoch."""
  config = table2.get_config()
  config.data_dir, config.devices = str(data_dir), 1
  for name, row in config.rows.items():
    if row.model.name == "svm":
      continue
    row.training.epochs = 1
    if name == "parallel_cnn_lstm":
      row.input.num_frames, row.input.size = 4, 16
      row.model.channels = (2,)
      row.model.cnn_features = row.model.lstm_features = row.model.head_features = 4
    else:
      row.model.channels = (2,)
      if "size" in row.input:
        row.input.size = 16
      if name == "atnet_temporal" or name == "atnet_fusion":
        row.model.lstm_features = 4
  return config


@pytest.fixture(scope="module")
def ran(three_corpora, tmp_path_factory):
  folder = tmp_path_factory.mktemp("table2")
  return folder, tables.run(small(three_corpora), folder, quiet=True)


def test_every_row_runs_on_every_corpus(ran):
  folder, summaries = ran
  assert list(summaries) == list(published.load("table2").rows)
  for row, by_dataset in summaries.items():
    assert set(by_dataset) == {"casme2", "samm", "smic"}
    for dataset, summary in by_dataset.items():
      assert summary["folds"] == 3
      assert not summary["missing"]
      assert (folder / row / dataset / "report.html").is_file()
  with open(folder / "results.csv", encoding="utf-8") as file:
    assert len(list(csv.DictReader(file))) == 39


def test_all_rows_are_over_the_same_clips(ran):
  _, summaries = ran
  for dataset in ("casme2", "samm", "smic"):
    clips = {summaries[row][dataset]["clips"] for row in summaries}
    assert len(clips) == 1


def test_rows_share_what_they_compute(ran):
  folder, _ = ran
  kept = [file.name.split("-")[0] for file in (folder / "inputs").iterdir()]
  counts = {name: kept.count(name) for name in set(kept)}
  # For each corpus: four settings of LBP-TOP; one fine histogram for each length of HOOF, which
  # both numbers of bins are summed from; one flow for both rows of ATNet that read it.
  assert sum(counts.values()) == 3 * (4 + 2 + 1)
  assert counts["pooled_flow"] == 3


@pytest.mark.parametrize("mode", table2.MODES)
def test_each_mode_is_a_table_of_all_published_rows(mode):
  config = table2.get_config(mode)
  assert config.show == tuple(published.load("table2").rows)
  for row in config.rows.values():
    learning.build_model(row, 3)
  large = mode == "full"
  assert (config.rows.micro_attention.input.size == 224) == large
  assert (config.rows.atnet_fusion.model.lstm_features == 512) == large


def test_an_unknown_mode_is_named():
  with pytest.raises(errors.ConfigError, match="'gpu'"):
    table2.get_config("gpu")
