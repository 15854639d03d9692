"""Off-TANet on one optical-flow image per clip, onset to apex, leave-one-subject-out.

Paper: Zhang, Liu, Zhou, "Off-TANet: A Lightweight Neural Micro-expression
  Recognizer with Optical Flow Features and Integrated Attention Mechanism", PRICAI 2021;
  layers and solver as in the authors' code.
Command: mer_jax train --config=off_tanet:casme2 --workdir=DIR
  (needs the corpus built with --config frames128)
Not as theirs: maps of 56 pixels, which published ones of 28 are enlarged to, instead of 112:
  --config.input.size=112.
Time: 44 minutes of one CPU core for casme2_maps, one seed.
Score: UF1 .791 and UAR .784 on casme2_maps, one seed, untuned.
  Published on the composite, UF1 .724 and UAR .732: means over folds, of the
  best of 11 epochs on the held-out clips.
"""

from mer_jax.experiment import corpora, settings

ARGUMENTS = tuple(corpora.CORPORA)


def get_config(arg: str = "casme2"):
  """The authors' setting on smaller maps, on the corpus `arg` (a key of corpora.CORPORA)."""
  config = settings.default()
  corpora.apply_flow(config, arg, size=56)

  config.model.name = "off_tanet"
  # Rate after each fully connected layer.
  config.model.dropout = 0.5

  config.optimizer.name = "adam"
  config.optimizer.learning_rate = 1e-3
  config.optimizer.momentum = 0.9
  # Times .3 after every 60 epochs of about 440 or 150 clips.
  config.optimizer.schedule = "step"
  config.optimizer.decay_steps = 420 if corpora.is_composite(arg) else 180
  config.optimizer.decay_rate = 0.3
  config.training.batch_size = 64
  config.training.epochs = 200
  config.training.chunk_epochs = 2
  config.checkpoint.every_epochs = 40
  return config
