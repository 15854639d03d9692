"""What learning from drawn motion is worth: the same networks with it and without, on each corpus.

Paper: none for the grid; the networks are MotionNet, STSTNet (Liong et al., FG 2019) and a small
  parallel CNN + LSTM after Vibha, doi 10.5281/zenodo.15751631.
Command: mer_jax train --config=recognition --workdir=DIR
  (needs the corpora built with --config frames128)
Arguments: frames, the default: CASME II, SAMM and SMIC. maps: published flow maps of CASME II and
  of the composite of MEGC2019, as --config=recognition:maps; of the parallel CNN + LSTM only the
  LSTM fits its weights there, so that it has two rows instead of five.
Rows, for each network: scratch begins at random; zero_shot evaluates weights that learned drawn
  motion, and learns nothing; start goes on from them in every fold; mixed does, and half of every
  batch is drawn; frozen is an SVM on their features and on the input.
Weights are those of ststnet_drawn, parallel_cnn_lstm_drawn and motion_net_drawn; another model is
  --config.systems.ststnet_start.start.weights=DIR. Systems are chosen with --config.show, as
  "--config.show=('motion_net_start',)".
Time: 20 to 50 seconds a row of maps on 2 CPU cores that had other work too, for casme2_maps and one
  seed.
Score: four rows of maps in docs/recognition.md; the grid as a whole was not run.
"""

from mer_jax import errors
from mer_jax.experiment import config_files, settings

motion_net = config_files.module("motion_net")
parallel_cnn_lstm_drawn = config_files.module("parallel_cnn_lstm_drawn")

ARGUMENTS = ("frames", "maps")
# From random numbers a network needs more steps than from weights that know motion.
SCRATCH_EPOCHS = 40


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
    grid.corpora = ("casme2_maps", "megc2019_maps")
  for name, network in (
    ("motion_net", _motion_net(maps)),
    ("ststnet", _ststnet(maps)),
    ("parallel_cnn_lstm", _parallel_cnn_lstm(maps)),
  ):
    for row, config in _rows(network).items():
      settings.add_system(grid, f"{name}_{row}", config)
  return grid


def _rows(network):
  """The rows of one network, whose config starts from weights."""
  rows = {"scratch": _scratch(network), "start": network}
  if network.start.layers:  # the rest needs all of the weights
    return rows
  return {
    "scratch": rows["scratch"],
    "zero_shot": _zero_shot(network),
    "start": network,
    "mixed": _mixed(network),
    "frozen": _frozen(network),
  }


def _scratch(network):
  config = network.copy_and_resolve_references()
  config.start = settings.default().start
  config.training.epochs = SCRATCH_EPOCHS
  return config


def _zero_shot(network):
  config = network.copy_and_resolve_references()
  config.training.epochs = 0
  config.augment.mirror = 0.0
  return config


def _mixed(network):
  config = network.copy_and_resolve_references()
  # Half of every batch is drawn, with the classes as often as in the composite.
  config.drawn.share = 0.5
  config.drawn.shares = (0.45, 0.30, 0.25)
  if config.model.name == "parallel_cnn_lstm":
    config.drawn.shortest = 1.0
  return config


def _frozen(network):
  config = settings.default()
  config.data, config.input, config.protocol = network.data, network.input, network.protocol
  config.start = network.start
  config.model = {
    "name": "svm",
    "kernel": "rbf",
    "cost": 1.0,
    # Features and input on one scale, that of the training clips of a fold.
    "scale": "standardise",
    "balance": "class_weights",
  }
  return config.copy_and_resolve_references()


def _motion_net(maps: bool):
  return motion_net.get_config("casme2_maps" if maps else "casme2")


def _ststnet(maps: bool):
  config = _motion_net(maps)
  config.model = {"name": "ststnet", "streams": (3, 5, 8), "dropout": 0.5}
  config.start.weights = "ststnet_drawn"
  return config


def _parallel_cnn_lstm(maps: bool):
  config, drawn = _motion_net(maps), parallel_cnn_lstm_drawn.get_config()
  config.model = drawn.model
  config.start.weights = "parallel_cnn_lstm_drawn"
  if not maps:
    # DIS, for 48 flows a clip take TV-L1 an hour.
    config.input = drawn.input.to_dict() | {"method": "dis"}
    return config
  config.input = {
    "name": "padded_frames",
    # Maps of a clip, which stand for frames; archives with one map repeat it.
    "num_frames": 4,
    "size": 28,
    "resample": "linear",
    "normalise": "relative",
  }
  # The convolutions expect 48 maps as channels.
  config.start.layers = ("lstm",)
  return config
