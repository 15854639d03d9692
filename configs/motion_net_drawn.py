"""MotionNet on nothing but drawn motion: what makes the weights that ship.

Paper: none. Every batch is drawn afresh from the anatomy in mer_jax.face, so there is no corpus, no
  licence and no subject.
Command: mer_jax fit --config=motion_net_drawn --workdir=DIR --dtype=float16
Time: 24 minutes of one CPU core; 34 minutes on 2 that had much other work.
Score: see configs/motion_net_zero_shot.py.
"""

from mer_jax import errors
from mer_jax.experiment import settings

ARGUMENTS = ("three_class",)


def get_config(arg: str = "three_class"):
  """The training of the shipped weights, for the classes of MEGC2019.

  Raises:
    ConfigError: no such argument.
  """
  if arg not in ARGUMENTS:
    raise errors.ConfigError(errors.unknown("config argument", arg, ARGUMENTS))
  config = settings.default()
  config.seeds = 5
  config.input.name = "flow_maps"
  config.input.index = 0
  config.input.normalise = "relative"

  config.model.name = "motion_net"
  config.model.dropout = 0.5

  config.drawn.share = 1.0
  config.drawn.classes = ("negative", "positive", "surprise")
  # Roughly how often the classes are met in the composite.
  config.drawn.shares = (0.45, 0.30, 0.25)
  config.drawn.epoch_steps = 100

  config.optimizer.name = "adamw"
  config.optimizer.learning_rate = 1e-3
  config.optimizer.momentum = 0.9
  config.optimizer.weight_decay = 1e-3
  config.optimizer.schedule = "cosine"
  config.training.batch_size = 64
  config.training.epochs = 30
  config.training.average = "ema"
  config.training.average_decay = 0.998
  config.training.mirror_at_test = True
  return config
