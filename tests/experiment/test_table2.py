"""configs/table2.py on small corpora: every row runs, and rows share what they compute."""

import csv

import pytest

from configs import table2
from mer_jax import errors
from mer_jax.experiment import grid, run, trainer
from mer_jax.report import published


def small(data_dir):
  """The table with narrow networks that see little and train for one epoch."""
  config = table2.get_config()
  config.data_dir, config.devices = str(data_dir), 1
  for name, row in config.systems.items():
    if row.model.name == "svm":
      continue
    row.training.epochs, row.training.fold_block = 1, 3
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


# Those that run on every corpus; the others differ from them in nothing that a corpus decides.
EVERYWHERE = ("lbp_top_p8_t10", "hoof_n4_t10", "hoof_n8_t10", "atnet_temporal")


@pytest.fixture(scope="module")
def ran(three_corpora, tmp_path_factory):
  """All rows on the corpus without apexes, and then some of them on all three, in one workdir."""
  folder = tmp_path_factory.mktemp("table2")
  config = small(three_corpora)

  def write(workdir, **_):
    (workdir / "report.html").write_text("drawing every report takes longer than all rows")

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(run.reports, "write", write)
    config.corpora = ("smic",)
    all_rows = grid.run(config, folder, quiet=True)
    config.show, config.corpora = EVERYWHERE, ("casme2", "samm", "smic")
    return folder, all_rows, grid.run(config, folder, quiet=True)


def test_every_row_runs(ran):
  folder, all_rows, _ = ran
  assert list(all_rows) == list(published.load("table2").rows)
  for row, by_dataset in all_rows.items():
    assert by_dataset["smic"]["folds"] == 3
    assert not by_dataset["smic"]["missing"]
    assert (folder / row / "smic" / "predictions.csv").is_file()


def test_rows_run_on_every_corpus_over_the_same_clips(ran):
  folder, all_rows, everywhere = ran
  assert set(everywhere) == set(EVERYWHERE)
  for dataset in ("casme2", "samm", "smic"):
    assert len({everywhere[row][dataset]["clips"] for row in EVERYWHERE}) == 1
  for row in EVERYWHERE:
    assert everywhere[row]["smic"] == all_rows[row]["smic"]
  with open(folder / "results.csv", encoding="utf-8") as file:
    assert len(list(csv.DictReader(file))) == 3 * len(EVERYWHERE)


def test_rows_share_what_they_compute(ran):
  folder, *_ = ran
  kept = [file.name.split("-")[0] for file in (folder / "inputs").iterdir()]
  counts = {name: kept.count(name) for name in set(kept)}
  # On one corpus four settings of LBP-TOP, one fine histogram for each length of HOOF, which both
  # numbers of bins are summed from, and one flow for both rows of ATNet that read it; then one of
  # each kind for each of the two others.
  assert sum(counts.values()) == (4 + 2 + 1) + 2 * (1 + 1 + 1)
  assert counts["pooled_flow"] == 3


@pytest.mark.parametrize("mode", table2.ARGUMENTS)
def test_each_mode_is_a_table_of_all_published_rows(mode):
  config = table2.get_config(mode)
  assert config.show == tuple(published.load("table2").rows)
  for row in config.systems.values():
    trainer.build_model(row, 3)
  large = mode == "full"
  assert (config.systems.micro_attention.input.size == 224) == large
  assert (config.systems.atnet_fusion.model.lstm_features == 512) == large


def test_an_unknown_mode_is_named():
  with pytest.raises(errors.ConfigError, match="'gpu'"):
    table2.get_config("gpu")
