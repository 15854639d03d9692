"""OFF-ApexNet on one optical-flow image per clip, onset to apex, leave-one-subject-out.

Paper: Gan, Liong, Yau, Huang, Tan, "OFF-ApexNet on micro-expression recognition system", Signal
  Processing: Image Communication 74, 2019; solver as in the code of Varanka et al. (meb, IEEE
  Trans. Affective Computing 2023), whose form of the network is --config.model.form=meb.
Command: mer_jax train --config=off_apexnet:casme2 --workdir=DIR
  (needs the corpus built with --config frames128)
Not as theirs: 600 epochs instead of 3,000, which are --config.training.epochs=3000; ReLU after
  every convolution, where the paper is silent.
Time: 17 minutes of one CPU core for casme2_maps and one seed; with --config.model.form=meb 25
  minutes for 3 seeds.
Score: on casme2_maps, untuned, UF1 .817 and UAR .808 with one seed; meb's form UF1 .795 and UAR
  .779 over 3 seeds. Published on the composite, UF1 .7196 and UAR .7096; without a choice of epochs
  by the held-out clips, by meb, UF1 .703, and with it .839.
"""

from mer_jax.experiment import corpora, settings

ARGUMENTS = tuple(corpora.CORPORA)


def get_config(arg: str = "casme2"):
  """The authors' setting with fewer epochs, on the corpus `arg` (a key of corpora.CORPORA)."""
  config = settings.default()
  corpora.apply_flow(config, arg)

  config.model.name = "off_apexnet"
  # paper: a stream each for u and v; meb: one smaller stream.
  config.model.form = "paper"
  # Rate after each fully connected layer.
  config.model.dropout = 0.5

  config.optimizer.name = "adam"
  config.optimizer.learning_rate = 1e-4
  config.optimizer.momentum = 0.9
  config.optimizer.weight_decay = 1e-3
  config.training.batch_size = 256
  config.training.epochs = 600
  config.training.chunk_epochs = 6
  config.checkpoint.every_epochs = 120
  return config
