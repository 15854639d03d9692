"""RCN-A, S, W or F on one optical-flow image per clip, onset to apex, leave-one-subject-out.

Paper: Xia, Peng, Khor, Feng, Zhao, "Revealing the Invisible with Model and Data Shrinking for
  Composite-Database Micro-Expression Recognition", IEEE Trans. Image Processing 29, 2020; layers
  and solver as in the authors' code.
Command: mer_jax train --config=rcn:casme2 --workdir=DIR
  (needs the corpus built with --config frames128); another form is --config.model.form=S, W or F
Published maps have 28 pixels and are enlarged to 60. The authors' defaults are 64 channels and
  7 x 7 parts; 32 and 5 are the smallest that the paper reports, for CPUs.
Time: one seed of casme2_maps on one CPU core, S 31 minutes, W 9, F 13; A was not run to its end.
Score: on casme2_maps, one seed, untuned, UF1 S .544, W .514, F .601. The authors' 100 epochs are of
  the composite; of one corpus they are 300 steps, and end with a training loss of .58 to .61.
  Published on the composite, RCN-A: UF1 .7432, UAR .7190, after the last epoch as far as the
  authors' code shows.
"""

from mer_jax.experiment import corpora, settings

ARGUMENTS = tuple(corpora.CORPORA)


def get_config(arg: str = "casme2"):
  """The authors' setting, made smaller for CPUs, on the corpus `arg` (a key of corpora.CORPORA)."""
  config = settings.default()
  corpora.apply_flow(config, arg, size=60)

  config.model.name = "rcn"
  # A, S, W or F.
  config.model.form = "A"
  # Filters of every layer.
  config.model.channels = 32
  # The logits read means over so many areas along both sides.
  config.model.parts = 5
  # Rate after the first layer and after the block.
  config.model.dropout = 0.5

  config.optimizer.name = "sgd"
  config.optimizer.learning_rate = 5e-4
  config.optimizer.momentum = 0.9
  # Halved after every 10 epochs of about 440 or 150 clips.
  config.optimizer.schedule = "step"
  config.optimizer.decay_steps = 70 if corpora.is_composite(arg) else 30
  config.optimizer.decay_rate = 0.5
  config.training.batch_size = 64
  config.training.epochs = 100
  return config
