"""The shipped weights of drawn motion on a corpus that they have never seen anything of.

Paper: none. Nothing is trained, so every fold is honest by itself; the report is that of any other
  run.
Command: mer_jax train --config=motion_net_zero_shot:casme2_maps --workdir=DIR
Time: 15 seconds on 2 CPU cores that had other work too, for casme2_maps.
Score: on the published flow maps of the real CASME II (argument casme2_maps), UF1 .843 and UAR .824
  over 5 seeds of weights; how motion is drawn was chosen on these clips, so this flatters.
"""

from mer_jax.experiment import config_files, corpora

motion_net = config_files.module("motion_net")

ARGUMENTS = tuple(corpora.CORPORA)


def get_config(arg: str = "casme2"):
  """The shipped weights on the corpus `arg` (a key of corpora.CORPORA)."""
  config = motion_net.get_config(arg)
  config.training.epochs = 0
  config.optimizer.schedule = "constant"
  config.augment.mirror = 0.0
  return config
