"""The paper's experiment: parallel CNN + LSTM on 48 gray frames of 48 x 48, leave-one-subject-out.

Paper: Vibha, "Capturing Subtle Emotions: A Novel Parallel CNN-LSTM Architecture for
  Micro-expression Recognition", doi 10.5281/zenodo.15751631.
Command: mer_jax train --config=parallel_cnn_lstm:casme2 --workdir=DIR
Time: 27 minutes on 2 CPU cores that had other work too, for 24 subjects and 136 clips; about 55 ms
  a step and fold where they have none.
Score: on a synthetic CASME II of 24 subjects, pooled UF1 .253 and UAR .333: those of naming the
  majority class for every clip. The loss ends at .86, hardly below the .93 of the class
  frequencies: raw pixels show the identity, not what moves. configs/demo.py changes that. On the
  published flow maps of the real CASME II (argument casme2_maps), where the maps stand for frames,
  the same model and optimiser reach UF1 .82 over 5 seeds.
"""

from mer_jax.experiment import corpora, settings

ARGUMENTS = tuple(corpora.CORPORA)


def get_config(arg: str = "casme2"):
  """The paper's setting on the corpus `arg` (a key of corpora.CORPORA)."""
  config = settings.default()
  maps = corpora.apply(config, arg)

  config.input.name = "padded_frames"
  # Frames a clip is padded or truncated to.
  config.input.num_frames = 48
  # Height and width in pixels.
  config.input.size = 28 if maps else 48
  # Side on which shorter clips get zero frames: post or pre.
  config.input.pad = "post"
  # What stays of longer clips: first, last or apex.
  config.input.truncate = "first"
  # none, or linear: map every clip onto num_frames instead of padding.
  config.input.resample = "none"

  config.model.name = "parallel_cnn_lstm"
  # How the CNN sees the clip: stack, stack_wrong_axis, td_mean, td_gap, conv3d.
  config.model.cnn_branch = "stack"
  # Filters of the three convolutions.
  config.model.channels = (32, 64, 128)
  # Widths of the CNN's last layer, of the LSTM's state, of the layer after fusion.
  config.model.cnn_features = 128
  config.model.lstm_features = 128
  config.model.head_features = 64
  # raw, difference_to_onset or pooled_8x8.
  config.model.lstm_input = "raw"
  # both, cnn, lstm, sequential.
  config.model.branch = "both"
  # concat, sum, gated, late.
  config.model.fusion = "concat"
  # none, batch, group.
  config.model.norm = "none"
  # Rate before the logits.
  config.model.dropout = 0.5
  # Whether the LSTM passes over padded frames.
  config.model.mask_padding = False

  # As the paper states them.
  config.optimizer.name = "sgd"
  config.optimizer.learning_rate = 0.01
  config.optimizer.momentum = 0.9
  config.training.batch_size = 25
  config.training.epochs = 100

  if maps:  # a handful of maps a clip, not 48 frames
    config.input.num_frames = 4
  return config
