"""Dual-Inception on one optical-flow image per clip, onset to apex, leave-one-subject-out.

Paper: Zhou, Mao, Xue, "Dual-Inception Network for Cross-Database Micro-Expression Recognition", FG
  2019; layers and solver as in the code that is published with Off-TANet (PRICAI 2021).
Command: mer_jax train --config=dual_inception:casme2 --workdir=DIR
  (needs the corpus built with --config frames128)
Not as theirs: 100 epochs instead of 500, which are --config.training.epochs=500.
Time: 23 minutes of one CPU core for casme2_maps and one seed, with 5.5 GB of memory; 3 seeds take
  13 GB.
Score: UF1 .821 and UAR .809 on casme2_maps, one seed, untuned; the epoch that is best on the
  held-out clips would give UF1 .926. Published on the composite, UF1 .7322 and UAR .7278; how the
  epoch was chosen is not known.
"""

from mer_jax.experiment import corpora, settings

ARGUMENTS = tuple(corpora.CORPORA)


def get_config(arg: str = "casme2"):
  """The setting above with fewer epochs, on the corpus `arg` (a key of corpora.CORPORA)."""
  config = settings.default()
  corpora.apply_flow(config, arg)

  config.model.name = "dual_inception"
  # Rate before the logits; published without.
  config.model.dropout = 0.0

  config.optimizer.name = "adam"
  config.optimizer.learning_rate = 1e-3
  config.optimizer.momentum = 0.9
  config.training.batch_size = 64
  config.training.epochs = 100
  return config
