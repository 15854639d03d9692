"""The paper's parallel CNN + LSTM shown motion, and what each of its parts is worth.

Paper: Vibha, "Capturing Subtle Emotions: A Novel Parallel CNN-LSTM Architecture for
  Micro-expression Recognition", doi 10.5281/zenodo.15751631. It claims that two parallel branches
  beat a sequence of both, and that their fusion beats either.
Command: mer_jax train --config=ablation --workdir=DIR
  (needs the corpora built with --config frames128)
Arguments: frames, the default: flow from the onset to 48 frames. maps: the four published flow maps
  of a clip of CASME II.
Rows: parallel is the model, each other row differs from it in the switch that names it. start
  begins every fold with weights that learned drawn motion; of maps, with those of the LSTM alone.
Systems are chosen with --config.show, as "--config.show=('parallel','cnn','lstm')".
Time: of maps and 3 seeds, 20 seconds to 6 minutes a row of one CPU core.
Score: of maps, UF1 over 3 seeds: parallel .818, cnn .822, sequential .668, lstm .653,
  cnn_branch_td_mean .706, cnn_branch_td_gap .638, cnn_branch_conv3d .761; nothing was tuned
  (docs/results.md). Not measured of frames.
"""

from typing import Any

from mer_jax import errors
from mer_jax.experiment import config_files, settings

parallel_cnn_lstm = config_files.module("parallel_cnn_lstm")
parallel_cnn_lstm_drawn = config_files.module("parallel_cnn_lstm_drawn")

ARGUMENTS = ("frames", "maps")
# Row -> what differs from the row `parallel`.
SWITCHES = {
  "parallel": {},
  "cnn": {"model.branch": "cnn"},
  "lstm": {"model.branch": "lstm"},
  "sequential": {"model.branch": "sequential"},
  "fusion_sum": {"model.fusion": "sum"},
  "fusion_gated": {"model.fusion": "gated"},
  "fusion_late": {"model.fusion": "late"},
  "cnn_branch_td_mean": {"model.cnn_branch": "td_mean"},
  "cnn_branch_td_gap": {"model.cnn_branch": "td_gap"},
  "cnn_branch_conv3d": {"model.cnn_branch": "conv3d"},
  "lstm_input_raw": {"model.lstm_input": "raw"},
  "norm_batch": {"model.norm": "batch"},
  "norm_group": {"model.norm": "group"},
  "normalise_none": {"input.normalise": "none"},
}


def get_config(arg: str = "frames"):
  """The grid on the corpora of `arg` (one of ARGUMENTS).

  Raises:
    ConfigError: no such argument.
  """
  if arg not in ARGUMENTS:
    raise errors.ConfigError(errors.unknown("config argument", arg, ARGUMENTS))
  grid = settings.grid()
  maps = arg == "maps"
  if maps:
    grid.corpora = ("casme2_maps",)
  for name, switch in SWITCHES.items():
    config = _parallel(maps)
    config.update_from_flattened_dict(switch)
    settings.add_system(grid, name, config)
  settings.add_system(grid, "start", _start(_parallel(maps), maps))
  if not maps:
    for name in ("padded_frames", "onset_difference"):
      settings.add_system(grid, f"input_{name}", _gray(_parallel(maps), name))
  return grid


def _parallel(maps: bool):
  """The paper's optimiser, batches and epochs, on motion, with narrow layers."""
  config = parallel_cnn_lstm.get_config("casme2_maps" if maps else "casme2")
  config.model.update(parallel_cnn_lstm_drawn.get_config().model)
  config.input.normalise = "relative"
  config.input.resample = "linear"
  if not maps:
    config.data.builder_config = "frames128"
    config.input.name = "flow_sequence"
    config.input.size = 28
    # For 48 flows a clip TV-L1 takes an hour.
    config.input.method = "dis"
  return config


def _start(config, maps: bool):
  config.start.weights = "parallel_cnn_lstm_drawn"
  if maps:
    # The convolutions expect 48 maps as channels.
    config.start.layers = ("lstm",)
  return config


def _gray(config, name: str):
  """Frames of 48 x 48, as they are or against the onset, instead of flow."""
  options: dict[str, Any] = {"num_frames": 48, "size": 48, "resample": "linear"}
  if name == "onset_difference":
    # As in configs/demo.py.
    options |= {"gain": 10.0, "head_motion": "affine", "flicker": "remove"}
  config.input = {"name": name, **options}
  return config
