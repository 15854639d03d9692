"""STSTNet on nothing but drawn motion.

Paper: none for the weights; the model is that of Liong, Gan, See, Khor, Huang, "Shallow Triple
  Stream Three-dimensional CNN (STSTNet) for Micro-expression Recognition", FG 2019.
Command: mer_jax fit --config=ststnet_drawn --workdir=DIR
Time: about .3 s of one CPU core a step, hence 7 minutes of it.
Score: not measured; after 600 of the 1,500 steps accuracy .82 on the maps it was learning from.
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
