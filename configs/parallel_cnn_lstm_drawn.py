"""A small parallel CNN + LSTM on nothing but drawn courses of motion, 48 flow maps each.

Paper: none for the weights; the model is that of Vibha, "Capturing Subtle Emotions: A Novel
  Parallel CNN-LSTM Architecture for Micro-expression Recognition", doi 10.5281/zenodo.15751631.
Command: mer_jax fit --config=parallel_cnn_lstm_drawn --workdir=DIR
Time: 12 minutes on 2 CPU cores that had much other work, 5 minutes of them its own.
Score: accuracy .928 and UF1 .930 on 640 fresh courses; not measured on people.
"""

from mer_jax.experiment import config_files

motion_net_drawn = config_files.module("motion_net_drawn")

ARGUMENTS = motion_net_drawn.ARGUMENTS


def get_config(arg: str = "three_class"):
  """The training of weights that start configs/recognition.py, for the classes of MEGC2019."""
  config = motion_net_drawn.get_config(arg)
  config.seeds = 1
  config.input = {
    "name": "flow_sequence",
    # Frames of a course.
    "num_frames": 48,
    # Height and width in pixels.
    "size": 28,
    # Every clip fills the frames, whatever its camera's rate.
    "resample": "linear",
    "normalise": "relative",
  }
  # As clips do, so do courses.
  config.drawn.shortest = 1.0

  config.model = {
    "name": "parallel_cnn_lstm",
    "channels": (8, 16, 32),
    "cnn_features": 32,
    "lstm_features": 24,
    "head_features": 32,
    "lstm_input": "pooled_8x8",
    "dropout": 0.5,
  }
  # A course takes as long to draw as 48 maps: fewer of them than of maps.
  config.drawn.epoch_steps = 50
  config.training.batch_size = 16
  config.training.epochs = 30
  return config
