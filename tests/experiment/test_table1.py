"""configs/table1.py: every row runs, and the page shows what each reads and how large it is."""

import csv
import html

import pytest

from configs import table1
from mer_jax import errors
from mer_jax.experiment import grid, trainer
from mer_jax.report import published

# Of frames of 16 pixels, for one epoch.
SMALL = {
  "state_cnn_lstm": {"size": 8},
  "dtscnn": {"num_frames": 4, "size": 8},
  "pairwise_bilstm": {"num_frames": 3, "size": 8},
  "larnet": {"size": 8},
  "tsnn": {"num_frames": 4, "size": 8},
  "parallel_cnn_lstm": {"size": 8},
  "sssnet": {"size": 16},
}
NARROW = {"channels": (2,), "cnn_features": 4, "lstm_features": 4, "features": 4}


def small(data_dir):
  """The grid with narrow networks that see little."""
  config = table1.get_config("smic")
  config.data_dir, config.devices, config.epochs = str(data_dir), 1, 1
  for row in config.systems.values():
    row.input.update(SMALL[row.model.name])
    row.training.fold_block = 3
    if row.model.name == "dtscnn":
      row.model.update({"channels": (2, 2, 2), "features": 4})
    elif row.model.name == "sssnet":
      with row.unlocked():
        row.model.channels, row.model.features = (2, 2), 4
    else:
      row.model.update({key: value for key, value in NARROW.items() if key in row.model})
  config.systems.parallel_cnn_lstm.input.num_frames = 4
  return config


def run(config, folder):
  """What grid.run returns, without reports."""

  def write(workdir, **_):
    (workdir / "report.html").write_text("drawing every report takes longer than all rows")

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(grid.single.reports, "write", write)
    return grid.run(config, folder, quiet=True)


@pytest.mark.exhaustive
def test_every_row_runs_on_the_same_clips(three_corpora, tmp_path):
  config = small(three_corpora)
  results = run(config, tmp_path)
  assert list(results) == [row for row, *_ in table1.ROWS] == list(config.show)
  assert {by_dataset["smic"]["clips"] for by_dataset in results.values()} == {
    results["larnet"]["smic"]["clips"]
  }
  assert not any(by_dataset["smic"]["missing"] for by_dataset in results.values())


def test_the_page_shows_what_each_row_reads_and_how_large_it_is(three_corpora, tmp_path):
  config, folder = small(three_corpora), tmp_path
  config.show = ("larnet", "tsnn_lf", "ma2019_sum")
  run(config, folder)
  with open(folder / "results.csv", encoding="utf-8") as file:
    rows = {row["system"]: row for row in csv.DictReader(file)}
  page = html.unescape((folder / "results.html").read_text(encoding="utf-8"))
  assert rows["larnet"]["reads"] == "apex_frame: image 8 × 8 × 1"
  assert rows["tsnn_lf"]["reads"] == (
    "apex_flow_and_frames: apex 8 × 8 × 1, image 8 × 8 × 3, frames 4 × 8 × 8 × 1, ratios 2"
  )
  # 2 filters of 3 x 3 places on u, v and strain, pooled to 4 x 4; at 6 x 6 places 64 of 1 x 1; two
  # layers and the logits.
  fused = rows["ma2019_sum"]
  counts = [3 * 9 * 2, 2 * 64, 64 * 4, 4 * 64, 64 * 3]
  assert int(fused["parameters"]) == sum(counts) + 2 + 64 + 4 + 64 + 3
  for row in rows.values():
    assert f"<td>{row['reads']}</td><td>{int(row['parameters']):,}</td>" in page
    assert int(row["multiply_adds"]) > 0
    assert float(row["seconds"]) > 0
  for note in published.load("table1").notes:
    assert note in page


@pytest.mark.parametrize("arg", ["casme2", "casme2_full", "megc2019", "casme2_five_class_full"])
def test_each_mode_is_a_table_of_all_rows(arg):
  config = table1.get_config(arg)
  assert set(config.show) <= set(published.load("table1").rows)
  for system in config.systems.values():
    trainer.build_model(system, 3)
    assert system.protocol.to_dict() == config.systems.larnet.protocol.to_dict()
  assert (config.systems.tsnn_if.input.num_frames == 16) == arg.endswith("_full")
  forms = [config.systems[row].model.form for row in ("tsnn_if", "tsnn_lf")]
  assert forms == ["IF", "LF"]


def test_published_scores_are_those_known_and_the_rest_is_empty():
  table = published.load("table1")
  known = {key: number.value for key, number in table.numbers.items()}
  proposed = {"casme2": 0.981, "samm": 0.829, "smic": 0.914}
  assert known == {
    ("state_cnn_lstm", "casme2_five_class"): 0.61,
    **{("parallel_cnn_lstm", dataset): value for dataset, value in proposed.items()},
  }
  assert table.numbers["state_cnn_lstm", "casme2_five_class"].correct == 150


def test_an_unknown_argument_is_named():
  with pytest.raises(errors.ConfigError, match="'casme2_maps'"):
    table1.get_config("casme2_maps")
