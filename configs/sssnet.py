"""SSSNet on one optical-flow image per clip, onset to apex, leave-one-subject-out.

Paper: Varanka, Li, Peng, Zhao, "Data Leakage and Evaluation Issues in Micro-Expression Analysis",
  IEEE Trans. Affective Computing 2023; layers and solver as in the code of its benchmark, meb.
Command: mer_jax train --config=sssnet:casme2 --workdir=DIR
  (needs the corpus built with --config frames128)
Published maps have 28 pixels and are enlarged to 64.
Time: 20 minutes of one CPU core for casme2_maps and one seed.
Score: UF1 .816 and UAR .814 on casme2_maps, one seed, untuned. Published on the composite by meb
  after the last epoch: UF1 .739.
"""

from mer_jax.experiment import corpora, settings

ARGUMENTS = tuple(corpora.CORPORA)


def get_config(arg: str = "casme2"):
  """The authors' setting on the corpus `arg` (a key of corpora.CORPORA)."""
  config = settings.default()
  corpora.apply_flow(config, arg, size=64)

  config.model.name = "sssnet"
  # Rate of channels, and of features before the logits.
  config.model.dropout = 0.5

  config.optimizer.name = "adam"
  config.optimizer.learning_rate = 1e-4
  config.optimizer.momentum = 0.9
  config.optimizer.weight_decay = 1e-3
  config.training.batch_size = 64
  config.training.epochs = 200
  config.training.chunk_epochs = 2
  config.checkpoint.every_epochs = 40
  return config
