"""configs/ablation.py: rows differ from the model in the switch that names them, and they run."""

import pytest

from configs import ablation
from mer_jax import errors
from mer_jax.experiment import grid, identity, run, settings, trainer

# Sections of a config that a row may set as a whole.
OF_ROWS = {"start": "start.", "input_padded_frames": "input.", "input_onset_difference": "input."}
SMALL = {"channels": (1, 2, 2), "cnn_features": 2, "lstm_features": 2, "head_features": 2}


@pytest.mark.parametrize("arg", ablation.ARGUMENTS)
def test_a_row_differs_in_the_switch_that_names_it(arg):
  config = ablation.get_config(arg)
  plain = identity.fields(settings.to_json(config.systems.parallel))
  for name, system in config.systems.items():
    trainer.build_model(system, 3)
    fields = identity.fields(settings.to_json(system))
    differ = {key for key in {*plain, *fields} if plain.get(key) != fields.get(key)}
    if name in OF_ROWS:
      assert differ
      assert all(key.startswith(OF_ROWS[name]) for key in differ)
    else:
      assert differ == set(ablation.SWITCHES[name])


def test_an_unknown_argument_is_named():
  with pytest.raises(errors.ConfigError, match="'frame'"):
    ablation.get_config("frame")


def test_rows_run_over_the_same_clips(three_corpora, tmp_path, monkeypatch):
  config = ablation.get_config("frames")
  config.data_dir, config.devices, config.epochs = str(three_corpora), 1, 1
  config.corpora, config.show = ("smic",), ("parallel", "sequential")
  for name in config.show:
    system = config.systems[name]
    system.input.num_frames, system.training.fold_block = 4, 3
    with system.unlocked():
      system.model.update(SMALL)
  monkeypatch.setattr(
    run.reports, "write", lambda workdir, **_: (workdir / "report.html").write_text("")
  )
  summaries = grid.run(config, tmp_path, quiet=True)
  assert [summaries[name]["smic"]["pooled"]["clips"] for name in config.show] == [15, 15]
