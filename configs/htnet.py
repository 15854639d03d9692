"""HTNet, made small, on four crops of one optical-flow image per clip, leave-one-subject-out.

Paper: Wang, Zhang, Luo, Sankaranarayana, "HTNet for micro-expression recognition", Neurocomputing
  602, 2024; layers and solver as in the authors' code.
Command: mer_jax train --config=htnet:casme2 --workdir=DIR
  (needs the corpus built with --config frames128)
The authors' size asks for an accelerator, 139.6 M parameters in every fold:
  --config.model.width=256 --config.model.heads=3 "--config.model.repeats=(2,2,10)"
Not as theirs: the centres of the crops are the same for all faces, as in CausalNet's code.
Time: 13 minutes of one CPU core for casme2_maps, one seed.
Score: UF1 .795 and UAR .786 on casme2_maps, one seed, untuned.
  Published on the composite, UF1 .8603 and UAR .8475, of the epoch that is best
  for each subject on its own clips; users report about .65 after the last.
"""

from mer_jax.experiment import corpora, settings

ARGUMENTS = tuple(corpora.CORPORA)


def get_config(arg: str = "casme2"):
  """The authors' solver and a small network, on the corpus `arg` (a key of corpora.CORPORA)."""
  config = settings.default()
  corpora.apply_flow(config, arg)

  config.model.name = "htnet"
  # Side of a patch in pixels.
  config.model.patch = 7
  # Features of the first level; twice as many on each further one.
  config.model.width = 32
  # Heads of the first level; twice as many on each further one.
  config.model.heads = 2
  # Blocks on each level.
  config.model.repeats = (2, 2, 2)
  # On the image: theirs are bytes.
  config.model.factor = 255.0

  config.optimizer.name = "adam"
  config.optimizer.learning_rate = 5e-5
  config.optimizer.momentum = 0.9
  config.training.batch_size = 256
  config.training.epochs = 800
  config.training.chunk_epochs = 8
  config.checkpoint.every_epochs = 160
  return config
