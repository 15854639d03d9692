"""After Liang 2020: spatial and pairwise temporal CNN, then a BiLSTM, end to end, LOSO.

Paper: Liang, Liang, Yu, Zhang, "Deep convolutional BiLSTM fusion network for facial expression
  recognition", The Visual Computer 36, 2020, a row of Table 1 of the paper this project starts
  from. Neither layers nor solver are public: sizes and training here are of our choice.
Command: mer_jax train --config=pairwise_bilstm:casme2 --workdir=DIR
Time: not measured.
Score: not measured. Published are 99.6 % on CK+, 91.07 % on Oulu-CASIA and 80.71 % on MMI, faces
  with large expressions; none on micro-expressions.
"""

from mer_jax.experiment import corpora, settings

ARGUMENTS = tuple(corpora.CORPORA)


def get_config(arg: str = "casme2"):
  """The setting above on the corpus `arg` (a key of corpora.CORPORA)."""
  config = settings.default()
  maps = corpora.apply(config, arg)
  config.input.name = "padded_frames"
  # Frames of a sequence, evenly spaced in the clip; published archives have a handful of maps.
  config.input.num_frames = 4 if maps else 16
  config.input.size = 28 if maps else 48
  config.input.resample = "linear"

  config.model.name = "pairwise_bilstm"
  # Filters of the three convolutions of either network.
  config.model.channels = (16, 32, 64)
  # Width of the LSTM's state in each direction.
  config.model.lstm_features = 64
  # Rate before the logits.
  config.model.dropout = 0.5

  settings.apply_unpublished_training(config)
  return config
