"""Table 2 of the paper: every system that it compares, on each corpus that is prepared.

Paper: Vibha, "Capturing Subtle Emotions: A Novel Parallel CNN-LSTM Architecture for
  Micro-expression Recognition", doi 10.5281/zenodo.15751631, Table 2. The twelve other rows are
  from Peng et al., "A Novel Apex-Time Network for Cross-Dataset Micro-Expression Recognition",
  ACII 2019, and Wang et al., "Micro-Attention for Micro-Expression Recognition", 2020.
Command: mer_jax train --config=table2 --workdir=DIR
  (needs the corpora built with --config frames48 and with --config frames128)
Arguments: cpu, the default: faces of 64 pixels, 200 steps or 600, ATNet's LSTMs 128 wide. full: the
  authors' 224 pixels, 2,500 steps and 512, for accelerators (needs --config frames224 too).
Systems are chosen with --config.show, as "--config.show=('atnet_fusion',)", and changed like any
config: --config.systems.atnet_fusion.training.epochs=100.
"""

from mer_jax import errors
from mer_jax.experiment import config_files, settings

atnet = config_files.module("atnet")
micro_attention = config_files.module("micro_attention")
parallel_cnn_lstm = config_files.module("parallel_cnn_lstm")

ARGUMENTS = ("cpu", "full")


def get_config(arg: str = "cpu"):
  """The grid, in the mode `arg` (one of ARGUMENTS).

  Raises:
    ConfigError: no such mode.
  """
  if arg not in ARGUMENTS:
    raise errors.ConfigError(errors.unknown("config argument", arg, ARGUMENTS))
  full = arg == "full"
  grid = settings.grid()
  grid.published = "table2"
  for frames in (10, 64):
    for neighbours in (4, 8):
      settings.add_system(
        grid, f"lbp_top_p{neighbours}_t{frames}", _lbp_top(neighbours, frames, full)
      )
  for frames in (10, 64):
    for bins in (4, 8):
      settings.add_system(grid, f"hoof_n{bins}_t{frames}", _hoof(bins, frames))
  settings.add_system(grid, "micro_attention", _micro_attention(full))
  for stream in ("spatial", "temporal", "fusion"):
    settings.add_system(grid, f"atnet_{stream}", _atnet(stream, full))
  settings.add_system(grid, "parallel_cnn_lstm", parallel_cnn_lstm.get_config("casme2"))
  return grid


def _lbp_top(neighbours: int, num_frames: int, full: bool):
  config = _svm()
  config.input.name = "lbp_top"
  # Radii along x, y in pixels and along t in frames.
  config.input.radii = (3, 3, 3)
  # 4 or 8, on each ring.
  config.input.neighbours = neighbours
  # Frames that TIM makes of every clip.
  config.input.num_frames = num_frames
  # n: histograms of n x n blocks; ATNet's features have one of the whole face.
  config.input.blocks = 1
  if full:
    config.data.builder_config = "frames224"
  return config


def _hoof(bins: int, num_frames: int):
  config = _svm()
  config.input.name = "hoof"
  config.input.bins = bins
  # The published features hold 9 flows for TIM 10, but 64 for TIM 64.
  config.input.flows = 9 if num_frames == 10 else 64
  # farneback, tv_l1 or dis.
  config.input.method = "farneback"
  # Whether mirrored motion falls into the same bin.
  config.input.symmetric = True
  # As above.
  config.input.blocks = 1
  return config


def _micro_attention(full: bool):
  config = micro_attention.get_config()
  if full:
    _authors(config)
  else:
    config.training.epochs, config.optimizer.decay_steps = 20, 100
  return config


def _atnet(stream: str, full: bool):
  config = atnet.get_config(f"casme2_{stream}")
  if full:
    _authors(config)
  elif stream == "spatial":
    config.training.epochs, config.optimizer.decay_steps = 20, 100
  else:
    # A sixteenth of the cost. The motion needs more steps than the face.
    config.model.lstm_features = 128
    config.training.epochs, config.optimizer.decay_steps = 60, 400
  return config


def _authors(config):
  # 2,500 steps of 16 clips, as far as epochs of 133 to 164 clips allow.
  config.training.epochs, config.optimizer.decay_steps = 250, 500
  if "size" in config.input:
    config.data.builder_config = "frames224"
    config.input.size = 224


def _svm():
  config = settings.default()
  config.data.builder_config = "frames128"
  config.model.name = "svm"
  config.model.kernel = "linear"
  # What comes nearest to the published rows, on the features that ATNet's authors published.
  config.model.cost = 1000.0
  # class_weights, oversample or none.
  config.model.balance = "class_weights"
  # none, standardise or minmax, fitted on the training clips of each fold.
  config.model.scale = "none"
  return config
