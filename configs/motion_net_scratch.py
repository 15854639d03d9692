"""MotionNet from random weights: what those of drawn motion have to be compared with.

Paper: none. The recipe of configs/motion_net.py at a larger step and for longer, since nothing
  is known at first.
Command: mer_jax train --config=motion_net_scratch:casme2_maps --workdir=DIR
Time: 6 minutes on 2 CPU cores that had other work too, for casme2_maps and 5 seeds.
Score: on the published flow maps of the real CASME II (argument casme2_maps), UF1 .795 and UAR .833
  over 5 seeds, run once; nothing was tuned.
"""

from mer_jax.experiment import config_files, corpora, settings

motion_net = config_files.module("motion_net")

ARGUMENTS = tuple(corpora.CORPORA)


def get_config(arg: str = "casme2"):
  """The recipe on the corpus `arg` (a key of corpora.CORPORA)."""
  config = motion_net.get_config(arg)
  config.start = settings.default().start
  config.optimizer.learning_rate = 1e-3
  config.training.epochs = 15
  return config
