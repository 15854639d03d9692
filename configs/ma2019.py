"""After Ma, Mu, Sha 2019: maps of several layers of a CNN fused, on the flow to the apex, LOSO.

Paper: Ma, Mu, Sha, IEEE Access 7, 2019, a row of Table 1 of the paper this project starts from. It
  is on scenes of remote sensing, not on faces. Its abstract states that maps of several layers are
  brought to one size and fused in two ways; layers, sizes and solver are not public, and of our
  choice here.
Command: mer_jax train --config=ma2019:casme2 --workdir=DIR
  (needs the corpus built with --config frames128); with the maps side by side in place of added:
  --config.model.layer_fusion=concat; of SSSNet's two layers: --config=ma2019:casme2_sssnet
The network is the CNN branch of parallel_cnn_lstm, three layers on a single map of u, v and strain.
Without the fusion: --config.model.layer_fusion=none
Time: 6.5 minutes of CPU time for 25 subjects and 147 clips, so 3 to 4 on 2 CPU cores that have
  nothing else to do; extrapolated from one epoch of the 60.
Score: not measured. None on micro-expressions is published.
"""

from mer_jax.experiment import config_files, corpora, settings

sssnet = config_files.module("sssnet")

ARGUMENTS = (*corpora.CORPORA, *(f"{corpus}_sssnet" for corpus in corpora.CORPORA))


def get_config(arg: str = "casme2"):
  """The setting above on the corpus `arg` (a key of corpora.CORPORA), or as "casme2_sssnet"."""
  if arg.endswith("_sssnet"):
    config = sssnet.get_config(arg.removesuffix("_sssnet"))
    # sum, concat or none.
    config.model.layer_fusion = "sum"
    return config
  config = settings.default()
  config.data.builder_config = "frames128"
  if corpora.apply(config, arg):
    # The first of the published maps of a clip.
    config.input = {"name": "padded_frames", "num_frames": 1, "size": 48}
  else:
    # A sequence of one map, from onset to apex; measured as dis, farneback or tv_l1.
    config.input = {"name": "flow_sequence", "num_frames": 1, "truncate": "apex", "size": 48}
    config.input.method = "dis"

  config.model.name = "parallel_cnn_lstm"
  # The CNN alone.
  config.model.branch = "cnn"
  # sum, concat or none.
  config.model.layer_fusion = "sum"
  # Filters of the three convolutions.
  config.model.channels = (32, 64, 128)
  # Widths of the two layers that follow.
  config.model.cnn_features = 128
  config.model.head_features = 64
  # Rate before the logits.
  config.model.dropout = 0.5

  settings.apply_unpublished_training(config)
  return config
