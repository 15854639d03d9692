"""configs/recognition.py on a small corpus: rows of a network run, from weights of a fit."""

import pytest

from configs import motion_net_drawn, recognition
from mer_jax import errors
from mer_jax.experiment import fit, grid, run, settings, trainer

# Those that run here; a row of batches that are half drawn is compiled for longer than all of them,
# and tests/training/test_drawn.py has such batches.
ROWS = ("scratch", "zero_shot", "start", "frozen")
SMALL = {"channels": (4,), "features": 4, "groups": 2}


def small_model(config):
  config.model.update(SMALL)
  config.input.normalise = "relative"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
  """A small motion_net that has seen four batches of drawn maps."""
  config = motion_net_drawn.get_config()
  small_model(config)
  config.seeds, config.devices = 1, 1
  config.drawn.epoch_steps, config.training.epochs, config.training.batch_size = 2, 2, 8
  path = tmp_path_factory.mktemp("drawn")
  fit.fit(config, path, quiet=True)
  return path / fit.MODEL


@pytest.fixture(scope="module")
def ran(three_corpora, weights, tmp_path_factory):
  """What the grid left, and the scores that it returned."""
  path = tmp_path_factory.mktemp("recognition")
  config = recognition.get_config("frames")
  config.data_dir, config.devices, config.corpora = str(three_corpora), 1, ("smic",)
  config.show = tuple(f"motion_net_{row}" for row in ROWS)
  # Some epochs for all of them, but none for what is evaluated as it is.
  config.epochs = 1
  for name in config.show:
    system = config.systems[name]
    system.input.method, system.training.fold_block = "dis", 3
    if system.model.name == "motion_net":
      small_model(system)
      system.training.batch_size = 8
    if system.start.weights:
      system.start.weights = str(weights)

  def write(workdir, **_):
    (workdir / "report.html").write_text("drawing every report takes longer than all rows")

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(run.reports, "write", write)
    return path, grid.run(config, path, quiet=True)


def test_rows_run_over_the_same_clips(ran):
  path, scores = ran
  clips = {scores[f"motion_net_{row}"]["smic"]["clips"] for row in ROWS}
  assert len(clips) == 1
  for row in ROWS:
    assert not scores[f"motion_net_{row}"]["smic"]["missing"]
    assert (path / f"motion_net_{row}" / "smic" / "predictions.csv").is_file()


def test_rows_differ_and_the_zero_shot_row_learns_nothing(ran):
  path, _ = ran
  predicted = [
    (path / f"motion_net_{row}" / "smic" / "predictions.csv").read_text() for row in ROWS
  ]
  assert len(set(predicted)) == len(ROWS)
  assert not (path / "motion_net_zero_shot" / "smic" / "history.jsonl").read_text()


@pytest.mark.parametrize("arg", recognition.ARGUMENTS)
def test_rows_of_a_network_see_the_same_input_and_start_from_the_same_weights(arg):
  config = recognition.get_config(arg)
  for name, system in config.systems.items():
    settings.check(system)
    trainer.build_model(system, 3)
    network = next(n for n in ("motion_net", "ststnet", "parallel_cnn_lstm") if name.startswith(n))
    start = config.systems[f"{network}_start"]
    row = name.removeprefix(f"{network}_")
    assert system.input.to_dict() == start.input.to_dict()
    assert system.start.weights == ("" if row == "scratch" else f"{network}_drawn")
    assert (system.training.epochs == 0) == (row == "zero_shot")
    assert (system.drawn.share == 0.5) == (row == "mixed")
    assert (system.model.name == "svm") == (row == "frozen")


def test_columns_of_maps_have_the_protocol_of_their_name(monkeypatch):
  monkeypatch.setattr(grid, "prepared_configs", lambda dataset, _: dataset == "megc2019_flow")
  config = recognition.get_config("maps")
  cells, remarks = grid.plan(config)
  assert not remarks
  assert len(cells) == 2 * len(config.show)
  for cell in cells:
    assert cell.config.data.datasets == ("megc2019_flow",)
    assert cell.config.data.builder_config == "maps"
  assert {(cell.dataset, cell.config.protocol.name) for cell in cells} == {
    ("casme2_maps", "three_class"),
    ("megc2019_maps", "megc2019"),
  }


def test_an_unknown_argument_is_named():
  with pytest.raises(errors.ConfigError, match="'casme'"):
    recognition.get_config("casme")
