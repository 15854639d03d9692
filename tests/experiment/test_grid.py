"""A grid: which cells run, which are skipped, what is written; and the published numbers."""

import csv
import html
import json
import pathlib

import numpy as np
import pytest

from configs import parallel_cnn_lstm
from mer_jax import errors, evaluation
from mer_jax.experiment import data, grid, settings, workdir
from mer_jax.report import published

ROOT = pathlib.Path(__file__).parents[2]
FILES = {"results.csv", "results.json", "results.tex", "results.html", "times.json", "config.json"}


@pytest.fixture
def config(three_corpora):
  """Two rows, of which one is published, on three corpora."""
  config = settings.grid()
  config.data_dir = str(three_corpora)
  config.published = "table2"
  for name, size in (("parallel_cnn_lstm", 16), ("my_own", 8)):
    row = parallel_cnn_lstm.get_config("casme2")
    row.input.num_frames, row.input.size = 4, size
    settings.add_system(config, name, row)
  return config


@pytest.fixture
def fake(monkeypatch):
  """Stands in for run.run: predicts at random, and does what `behave` says before that."""
  calls = []

  def run(config, path, *, quiet=False, split=None):
    name = f"{path.parent.name}/{path.name}"
    calls.append(name)
    run.configs[name] = config
    workdir.examine(path, config)
    workdir.claim(path, config, workdir.Origin(data.fingerprint(split), ["fake"], {}))
    stopped = run.behave(name)
    p = np.random.default_rng(len(name)).dirichlet(np.ones(3), (1, len(split.labels)))
    p[:, split.held_out[:stopped].any(axis=0)] = np.nan
    evaluation.write_csv(path / "predictions.csv", evaluation.predictions_of([0], split, p))
    (path / "report.html").write_text("a report")
    if stopped:
      raise errors.TrainingError(f"{stopped} folds were stopped")

  run.calls, run.configs, run.behave = calls, {}, lambda name: 0
  monkeypatch.setattr(grid.single, "run", run)
  monkeypatch.setattr(grid.size, "size_of", lambda *_: None)
  return run


def rows_of(folder):
  with open(folder / "results.csv", encoding="utf-8") as file:
    return list(csv.DictReader(file))


def test_every_row_runs_on_every_corpus_that_is_prepared(config, fake, tmp_path, capsys):
  config.corpora = ("samm", "nothing", "casme2")
  found = grid.run(config, tmp_path / "table")
  assert fake.calls == [
    *("parallel_cnn_lstm/samm", "my_own/samm", "parallel_cnn_lstm/casme2", "my_own/casme2")
  ]
  assert set(found) == {"parallel_cnn_lstm", "my_own"}
  assert all(set(cells) == {"samm", "casme2"} for cells in found.values())
  assert {p.name for p in (tmp_path / "table").iterdir() if p.is_file()} == FILES
  assert (tmp_path / "table" / "figures" / "results.png").is_file()
  said = capsys.readouterr().out
  assert "Not prepared, so not in the grid: nothing." in said
  assert "Cell 4 of 4" in said
  one = fake.configs["my_own/casme2"]
  assert (one.data.datasets, one.input.size) == (("casme2",), 8)
  assert one.data.data_dir == config.data_dir
  assert pathlib.Path(one.data.cache_dir) == tmp_path / "table" / "inputs"


def test_a_column_may_be_an_argument_of_configs_with_datasets_and_protocol_of_its_own(
  config,
):
  config.corpora, config.show = ("casme2", "megc2019", "casme2_maps"), ("my_own",)
  cells, remarks = grid.plan(config)
  assert remarks == ["Not prepared, so not in the grid: casme2_maps."]
  assert [cell.name for cell in cells] == ["my_own/casme2", "my_own/megc2019"]
  alone, composite = (cell.config for cell in cells)
  assert (alone.data.datasets, alone.protocol.name) == (("casme2",), "three_class")
  assert (composite.data.datasets, composite.protocol.name) == (
    ("casme2", "samm", "smic"),
    "megc2019",
  )
  config.data_dir = "elsewhere"
  with pytest.raises(errors.DataError, match="None of the corpora casme2, megc2019, casme2_maps"):
    grid.plan(config)


def test_measured_and_published_numbers_never_mix(config, fake, tmp_path):
  found = grid.run(config, tmp_path, quiet=True)
  numbers = published.load("table2").numbers
  for row in rows_of(tmp_path):
    pooled = found[row["system"]][row["dataset"]]["pooled"]
    for key in ("accuracy", "uf1", "uar"):
      assert float(row[key]) == pooled[key]
      assert [float(row[f"{key}_low"]), float(row[f"{key}_high"])] == pooled["interval"][key]
    number = numbers.get((row["system"], row["dataset"]))
    assert row["published_accuracy"] == ("" if number is None else str(number.value))
    assert row["seconds"]
  page = html.unescape((tmp_path / "results.html").read_text())
  for doubt in published.load("table2").doubts:
    assert doubt in page
  assert "Synthetic corpus" in page
  assert ".981*" in page
  assert 'href="my_own/smic/report.html"' in page
  latex = (tmp_path / "results.tex").read_text()
  assert latex.count(r"\\") == 2 + 2 + 1
  cells = {line.count("&") for line in latex.splitlines() if "&" in line}
  assert cells == {3, 12}


def test_finished_cells_are_not_run_again_and_rows_may_be_added(config, fake, tmp_path):
  config.corpora, config.show = ("casme2",), ("my_own",)
  first = grid.run(config, tmp_path, quiet=True)
  config.corpora, config.show = ("casme2", "smic"), ("parallel_cnn_lstm", "my_own")
  second = grid.run(config, tmp_path, quiet=True)
  assert fake.calls == [
    *("my_own/casme2", "parallel_cnn_lstm/casme2", "parallel_cnn_lstm/smic", "my_own/smic")
  ]
  assert second["my_own"]["casme2"] == first["my_own"]["casme2"]
  config.systems.my_own.training.epochs = 7
  with pytest.raises(errors.WorkdirError, match=r"training\.epochs: 100 there, 7 now"):
    grid.run(config, tmp_path, quiet=True)


def test_a_table_that_is_stopped_goes_on(config, fake, tmp_path):
  config.corpora = ("casme2",)

  def stop(name):
    if name.startswith("my_own") and len(fake.calls) < 3:
      raise errors.Interrupted("stopped")
    return 0

  fake.behave = stop
  with pytest.raises(errors.Interrupted):
    grid.run(config, tmp_path, quiet=True)
  assert [row["system"] for row in rows_of(tmp_path)] == ["parallel_cnn_lstm"]
  assert "my_own/casme2" in json.loads((tmp_path / "times.json").read_text())
  grid.run(config, tmp_path, quiet=True)
  assert fake.calls == ["parallel_cnn_lstm/casme2", *["my_own/casme2"] * 2]
  assert [row["system"] for row in rows_of(tmp_path)] == ["parallel_cnn_lstm", "my_own"]


def test_other_data_are_noticed_in_finished_cells(config, fake, tmp_path, monkeypatch):
  config.corpora, config.show = ("casme2",), ("my_own",)
  grid.run(config, tmp_path, quiet=True)
  monkeypatch.setattr(data, "fingerprint", lambda split: "another")
  with pytest.raises(errors.WorkdirError, match="made on other data"):
    grid.run(config, tmp_path, quiet=True)


@pytest.mark.parametrize("stopped", [1, None])
def test_a_cell_in_which_folds_were_stopped_does_not_stop_the_others(
  config, fake, tmp_path, stopped
):
  config.corpora = ("casme2",)
  fake.behave = lambda name: (stopped or 3) if name.startswith("parallel") else 0
  with pytest.raises(errors.TrainingError, match="In 1 cells folds were stopped: parallel"):
    grid.run(config, tmp_path, quiet=True)
  assert len(fake.calls) == 2
  gap, whole = rows_of(tmp_path)
  assert "stopped" in gap["gap"]
  assert not whole["gap"]
  assert bool(gap["uf1"]) == bool(stopped)
  assert "stopped" in (tmp_path / "results.html").read_text()


@pytest.mark.parametrize(
  ("change", "error", "says"),
  [
    (lambda c: c.update(show=("mine",)), errors.ConfigError, "system in config.show: 'mine'"),
    (lambda c: c.update(show=()), errors.ConfigError, "may be empty"),
    (lambda c: c.update(corpora=()), errors.ConfigError, "may be empty"),
    (lambda c: c.update(show=("my_own",) * 2), errors.ConfigError, "holds a name twice"),
    (lambda c: c.update(published="table9"), errors.ConfigError, "'table9'. Did you mean 'table2'"),
    (lambda c: c.update(corpora=("nothing",)), errors.DataError, "None of the corpora nothing"),
    (lambda c: c.update(epoch=3), errors.ConfigError, "field of the grid 'epoch'"),
    (
      lambda c: c.systems.my_own.sweep.update(momentum=(0.1, 0.2)),
      errors.ConfigError,
      "my_own has a sweep",
    ),
    (
      lambda c: c.systems.my_own.data.update(builder_config="frames224"),
      errors.DataError,
      r"my_own/casme2: No prepared dataset casme2/frames224.*--config=frames224",
    ),
    (
      lambda c: c.systems.my_own.model.update(name="ststnet"),
      errors.ConfigError,
      "my_own/casme2: .*Model 'ststnet'",
    ),
    (lambda c: c.systems.my_own.training.update(epochs=0), errors.ConfigError, "epochs is 0"),
  ],
)
def test_what_does_not_fit_is_named_before_anything_runs(
  config, fake, tmp_path, change, error, says
):
  change(config.unlock())
  with pytest.raises(error, match=says):
    grid.run(config, tmp_path / "table", quiet=True)
  assert not fake.calls
  assert not (tmp_path / "table").exists()


def test_the_table_says_what_holds_for_all_rows(config):
  config.data_dir, config.seeds, config.seed, config.allow_incomplete = "elsewhere", 3, 5, True
  for row in config.systems.values():
    assert row.data.data_dir == "elsewhere"
    assert (row.seed, row.seeds, row.protocol.allow_incomplete) == (5, 3, True)


def test_published_numbers_are_whole_clips_or_marked():
  table = published.load("table2")
  assert len(table.rows) == 13
  assert len(table.numbers) == 39
  for number in table.numbers.values():
    if number.correct is not None:
      assert round(number.correct / number.clips, 3) == number.value
  doubtful = {key for key, number in table.numbers.items() if number.correct is None}
  proposed = {("parallel_cnn_lstm", dataset) for dataset in ("casme2", "samm", "smic")}
  assert doubtful == {("atnet_fusion", "samm"), *proposed}
  assert table.numbers["lbp_top_p8_t10", "smic"] == (0.262, 164, 43)
