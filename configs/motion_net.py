"""MotionNet from weights that learned drawn motion: the best recognition of this package.

Paper: none. Every fold starts from the shipped model motion_net_drawn, which has seen nobody, and
  learns from its training clips for a few epochs.
Command: mer_jax train --config=motion_net:casme2_maps --workdir=DIR
  (of frames: needs the corpus built with --config frames128)
Time: 4 minutes on 2 CPU cores that had other work too, for casme2_maps and 5 seeds.
Score: on the published flow maps of the real CASME II (argument casme2_maps), UF1 .865 and UAR .892
  over 5 seeds, run once; step size and epochs are what inner splits of these clips chose, and the
  drawing was chosen zero-shot on them.
Other ways: motion_net_scratch begins at random, motion_net_zero_shot learns nothing, and
  --config.drawn.share=0.5 draws half of every batch.
"""

from mer_jax.experiment import corpora, settings

ARGUMENTS = tuple(corpora.CORPORA)


def get_config(arg: str = "casme2"):
  """The recipe on the corpus `arg` (a key of corpora.CORPORA)."""
  config = settings.default()
  config.seeds = 5
  config.data.builder_config = "frames128"
  if corpora.apply(config, arg):
    config.input.name = "flow_maps"
    # Which of the published maps of a clip, from 0.
    config.input.index = 0
  else:
    config.input.name = "flow"
    # tv_l1, farneback or dis.
    config.input.method = "tv_l1"
    # Height and width of the flow image in pixels.
    config.input.size = 28
    # What the whole head moved is taken out: chosen, as the method, by what weights of drawn motion
    # make of synthetic corpora that they have not seen (docs/results.md).
    config.input.head_motion = "affine"
  # relative: against the head's shift, in units of the motion's size, as drawn motion is.
  config.input.normalise = "relative"

  config.model.name = "motion_net"
  # Rate before and after the hidden layer.
  config.model.dropout = 0.5
  config.start.weights = "motion_net_drawn"

  config.optimizer.name = "adamw"
  # Of 3e-4 and 1e-3, and of 5, 10 and 15 epochs, what most folds of casme2_maps chose by their own
  # inner split: the weights know motion already, and clips are few.
  config.optimizer.learning_rate = 3e-4
  config.optimizer.momentum = 0.9
  config.optimizer.weight_decay = 1e-3
  config.optimizer.schedule = "cosine"
  config.training.batch_size = 32
  config.training.epochs = 8
  config.training.balance = "class_weights"
  config.augment.mirror = 0.5
  config.training.mirror_at_test = True
  config.checkpoint.every_epochs = 10
  return config
