"""configs/composite.py: rows are peers' own configs, and honest stands beside leaky on the page."""

import csv
import html

import numpy as np
import pytest

from configs import composite
from mer_jax import errors, evaluation
from mer_jax.experiment import grid, trainer
from mer_jax.report import published

# Of drawn motion, and forms of a network whose number is published for one of them.
UNPUBLISHED = {"rcn_s", "rcn_w", "rcn_f", "motion_net_scratch", "motion_net"}
SMALL = {
  "off_apexnet_meb": {"model.channels": (1, 1), "model.features": 2},
  "ststnet": {"model.streams": (1, 1, 1)},
}


@pytest.mark.parametrize("arg", composite.ARGUMENTS)
def test_rows_see_the_same_clips_and_look_at_every_hundredth_epoch(arg):
  config = composite.get_config(arg)
  assert {*config.show} - {*published.load("composite").rows} == UNPUBLISHED
  for system in config.systems.values():
    trainer.build_model(system, 3)
    assert system.protocol.to_dict() == config.systems.ststnet.protocol.to_dict()
    assert system.data.to_dict() == config.systems.ststnet.data.to_dict()
    assert system.selection.name == "leaky_test_best"
    assert system.training.epochs // system.selection.every_epochs <= 130
  large = arg.endswith("_full")
  assert (config.systems.causalnet.model.features == 2048) == large
  assert (config.systems.off_apexnet_meb.training.epochs == 3000) == large
  assert config.systems.off_apexnet_meb.model.form == "meb"


def test_an_unknown_argument_is_named():
  with pytest.raises(errors.ConfigError, match="'megc'"):
    composite.get_config("megc")


@pytest.fixture(scope="module")
def ran(three_corpora, tmp_path_factory):
  """Two rows on a small corpus, for two epochs."""
  folder = tmp_path_factory.mktemp("composite")
  config = composite.get_config("smic")
  config.data_dir, config.devices, config.epochs = str(three_corpora), 1, 2
  config.show = tuple(SMALL)
  for name, fields in SMALL.items():
    with config.systems[name].unlocked():
      config.systems[name].model.update({k.removeprefix("model."): v for k, v in fields.items()})
    config.systems[name].training.chunk_epochs = config.systems[name].selection.every_epochs = 1
    config.systems[name].training.fold_block = 3

  def write(workdir, **_):
    (workdir / "report.html").write_text("drawing every report takes longer than all rows")

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(grid.single.reports, "write", write)
    grid.run(config, folder, quiet=True)
  return folder


def test_the_page_has_honest_and_leaky_uf1_side_by_side(ran):
  with open(ran / "results.csv", encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
  assert len(rows) == len(SMALL)
  page = html.unescape((ran / "results.html").read_text(encoding="utf-8"))
  for row in rows:
    name = row["system"]
    for file, column in (("", "uf1"), ("leaky_test_best_", "leaky_test_best_uf1")):
      predictions = evaluation.read_csv(ran / name / "smic" / f"{file}predictions.csv")
      expected = evaluation.summarise(predictions)["pooled"]["uf1"]
      assert float(row[column]) == pytest.approx(expected)
    assert row["published_uf1"] == ""  # none is of SMIC alone
  heads = [
    head for head in ("UF1", "leaky_test_best", "published", "UAR") if f">{head}</th>" in page
  ]
  # A column that would be empty is left out, and SMIC alone has no published number.
  assert heads == ["UF1", "leaky_test_best", "UAR"]
  assert 'class="leaky"' in page
  for note in published.load("composite").notes:
    assert note in page


def test_published_numbers_have_a_source_and_say_how_the_epoch_was_selected():
  table = published.load("composite")
  assert table.score == "uf1"
  assert len(table.notes) == len(table.rows) == 9
  assert all(0.7 < number.value < 1 for number in table.numbers.values())
  assert table.numbers["htnet", "megc2019"].value == 0.8603
  assert table.numbers["ststnet", "casme2_maps"].value == 0.8382
  assert not any(np.isin([(*table.rows,)], sorted(UNPUBLISHED)).ravel())
