"""Table 2 of the paper: every system that it compares, on each corpus that is prepared.

Paper: Vibha, "Capturing Subtle Emotions: A Novel Parallel CNN-LSTM Architecture for
  Micro-expression Recognition", doi 10.5281/zenodo.15751631, Table 2. The twelve other rows are
  from Peng et al., "A Novel Apex-Time Network for Cross-Dataset Micro-Expression Recognition",
  ACII 2019, and Wang et al., "Micro-Attention for Micro-Expression Recognition", 2020.
Command: python -m mer_jax.main --config=configs/table2.py --workdir=DIR
  (needs the corpora built with --config frames48 and with --config frames128)
Arguments: cpu, the default: faces of 64 pixels, 200 steps or 600, ATNet's LSTMs 128 wide. full: the
  authors' 224 pixels, 2,500 steps and 512, for accelerators (needs --config frames224 too).
Rows are chosen with --config.show, as "--config.show=('atnet_fusion',)", and changed like any
config: --config.rows.atnet_fusion.training.epochs=100.
"""

from configs import atnet, micro_attention, parallel_cnn_lstm
from mer_jax import errors, settings

MODES = ("cpu", "full")


def get_config(arg: str = "cpu"):
  """The table, in the mode `arg` (one of MODES).

  Raises:
    ConfigError: no such mode.
  """
  if arg not in MODES:
    raise errors.ConfigError(errors.unknown("config argument", arg, MODES))
  full = arg == "full"
  table = settings.table()
  table.published = "table2"
  for frames in (10, 64):
    for neighbours in (4, 8):
      settings.add_row(
        table, f"lbp_top_p{neighbours}_t{frames}", _lbp_top(neighbours, frames, full)
      )
  for frames in (10, 64):
    for bins in (4, 8):
      settings.add_row(table, f"hoof_n{bins}_t{frames}", _hoof(bins, frames))
  settings.add_row(table, "micro_attention", _micro_attention(full))
  for stream in ("spatial", "temporal", "fusion"):
    settings.add_row(table, f"atnet_{stream}", _atnet(stream, full))
  settings.add_row(table, "parallel_cnn_lstm", parallel_cnn_lstm.get_config("casme2"))
  return table


def _lbp_top(neighbours: int, num_frames: int, full: bool):
  row = _svm()
  row.input.name = "lbp_top"
  # Radii along x, y in pixels and along t in frames.
  row.input.radii = (3, 3, 3)
  # 4 or 8, on each ring.
  row.input.neighbours = neighbours
  # Frames that TIM makes of every clip.
  row.input.num_frames = num_frames
  # n: histograms of n x n blocks; ATNet's features have one of the whole face.
  row.input.blocks = 1
  if full:
    row.data.builder_config = "frames224"
  return row


def _hoof(bins: int, num_frames: int):
  row = _svm()
  row.input.name = "hoof"
  row.input.bins = bins
  # The published features hold 9 flows for TIM 10, but 64 for TIM 64.
  row.input.flows = 9 if num_frames == 10 else 64
  # farneback, tv_l1 or dis.
  row.input.method = "farneback"
  # Whether mirrored motion falls into the same bin.
  row.input.symmetric = True
  # As above.
  row.input.blocks = 1
  return row


def _micro_attention(full: bool):
  row = micro_attention.get_config()
  if full:
    _authors(row)
  else:
    row.training.epochs, row.optimizer.decay_steps = 20, 100
  return row


def _atnet(stream: str, full: bool):
  row = atnet.get_config(f"casme2_{stream}")
  if full:
    _authors(row)
  elif stream == "spatial":
    row.training.epochs, row.optimizer.decay_steps = 20, 100
  else:
    # A sixteenth of the cost. The motion needs more steps than the face.
    row.model.lstm_features = 128
    row.training.epochs, row.optimizer.decay_steps = 60, 400
  return row


def _authors(row):
  # 2,500 steps of 16 clips, as far as epochs of 133 to 164 clips allow.
  row.training.epochs, row.optimizer.decay_steps = 250, 500
  if "size" in row.input:
    row.data.builder_config = "frames224"
    row.input.size = 224


def _svm():
  row = settings.default()
  row.data.builder_config = "frames128"
  row.model.name = "svm"
  row.model.kernel = "linear"
  # What comes nearest to the published rows, on the features that ATNet's authors published.
  row.model.cost = 1000.0
  # class_weights, oversample or none.
  row.model.balance = "class_weights"
  # none, standardise or minmax, fitted on the training clips of each fold.
  row.model.scale = "none"
  return row
