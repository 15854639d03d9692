"""After Hashmi et al. 2021 (LARNet): a residual network with attention on the apex frame, LOSO.

Paper: Hashmi et al., "LARNet: Real-Time Detection of Facial Micro Expression Using Lossless
  Attention Residual Network", Sensors 21, 2021, a row of Table 1 of the paper this project starts
  from. Neither layers nor solver are public: sizes and training here are of our choice.
Command: mer_jax train --config=larnet:casme2 --workdir=DIR
  (needs the corpus built with --config frames128)
Time: 32 minutes of CPU time for 25 subjects and 147 clips, so about 16 on 2 CPU cores that have
  nothing else to do; extrapolated from one epoch of the 60.
Score: not measured. Published scores are not known here, nor how they were selected.
"""

from mer_jax.experiment import corpora, settings

ARGUMENTS = tuple(corpora.CORPORA)


def get_config(arg: str = "casme2"):
  """The setting above on the corpus `arg` (a key of corpora.CORPORA)."""
  config = settings.default()
  config.data.builder_config = "frames128"
  if corpora.apply(config, arg):
    # There are no frames: the motion from onset to apex stands for the apex.
    config.input = {"name": "flow_maps", "index": 0, "size": 64}
  else:
    # Height and width in pixels, a multiple of 16; clip: each frame to mean 0 and deviation 1.
    config.input = {"name": "apex_frame", "size": 64, "standardise": "clip"}

  config.model.name = "larnet"
  # Filters of the four stages.
  config.model.channels = (32, 64, 128, 128)
  # By how much narrower the inner layer of the attention to channels is.
  config.model.reduction = 8
  # Rate before the logits.
  config.model.dropout = 0.5

  settings.apply_unpublished_training(config)
  return config
