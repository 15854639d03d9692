"""After Kim, Baddar, Ro 2016: a CNN on five expression states, then an LSTM on its features, LOSO.

Paper: Kim, Baddar, Ro, "Micro-Expression Recognition with Expression-State Constrained
  Spatio-Temporal Feature Representations", ACM Multimedia 2016, a row of Table 1 of the paper this
  project starts from. Neither layers nor solver are public: sizes, the factors of the losses and
  the solver are of our choice.
Command: mer_jax train --config=state_cnn_lstm:casme2_five_class --workdir=DIR
  (needs the corpus built with --config frames128)
Two stages: "states" trains the CNN by five losses on class and state of every frame; "sequence"
  keeps it as it is and trains the LSTM. Not as theirs: frames are not rotated, scaled and mirrored
  in training, for this engine changes flow maps alone.
Twice the filters, 512 features and
  an LSTM as wide, some four times the work, are --config.model.channels=32,64,128
  --config.model.features=512 --config.model.lstm_features=512.
Time: two epochs of either stage, with the 26 folds and 246 clips of a synthetic CASME II, took 107
  seconds of CPU time, report included; the whole training is some 40 minutes of it, extrapolated.
Score: not measured. Published are 60.98 % accuracy (150 of 246 clips) on CASME II with five
  classes, LOSO; which epoch counts is not known here.
"""

from mer_jax.experiment import corpora, settings

ARGUMENTS = tuple(corpora.CORPORA)
# Prefixes of the names of its layers.
CNN = ("conv", "state_")


def get_config(arg: str = "casme2_five_class"):
  """The setting above on the corpus `arg` (a key of corpora.CORPORA)."""
  config = settings.default()
  config.data.builder_config = "frames128"
  if corpora.apply(config, arg):
    # There are no frames: five maps of a clip, evenly spaced, stand for the states.
    config.input.name = "padded_frames"
    config.input.num_frames, config.input.size = 5, 28
    config.input.resample = "linear"
  else:
    config.input.name = "expression_states"
    # Height and width in pixels.
    config.input.size = 64

  config.model.name = "state_cnn_lstm"
  # Filters of the three convolutions.
  config.model.channels = (16, 32, 64)
  # Width of the layer behind them, and of the LSTM's state.
  config.model.features = 128
  config.model.lstm_features = 128
  # Rate before the logits.
  config.model.dropout = 0.0

  config.training.batch_size = 32
  config.training.balance = "class_weights"
  config.training.stages = ("states", "sequence")
  config.stages.states = {
    "epochs": 50,
    "trained": CNN,
    # Class and state of every frame; how far its features are from the mean of their class, and of
    # class and state; and how evenly they go from state to state.
    "losses": (
      ("part_class", 1.0),
      ("part_index", 0.5),
      ("class_center", 0.01),
      ("part_center", 0.01),
      ("continuity", 0.01),
    ),
    "optimizer": {"name": "sgd", "learning_rate": 0.01, "momentum": 0.9},
  }
  config.stages.sequence = {
    "epochs": 100,
    "frozen": CNN,
    "losses": (("class", 1.0),),
    "optimizer": {"name": "adam", "learning_rate": 1e-3, "momentum": 0.9},
  }
  return config
