"""STSTNet with everything set as in one of its authors' two programs, leave-one-subject-out.

Paper: Liong, Gan, See, Khor, Huang, "Shallow Triple Stream Three-dimensional CNN (STSTNet) for
  Micro-expression Recognition", FG 2019. The paper's numbers are from the program in MATLAB; the
  authors published one in PyTorch later.
Command: mer_jax train --config=ststnet_as_published:megc2019 --workdir=DIR
  (needs the corpora built with --config frames128); with _matlab behind the corpus that program
What differs from configs/ststnet.py, and why:
  factor 255: both programs read images as bytes and scale nothing.
  padding 2, pytorch: Conv2d with padding=2 beside filters of 3 x 3; an image of 28 becomes one of
    30, whose border enters the batch statistics. Pooling leaves 10 x 10 either way.
  norm_epsilon 1e-5: the default of both; norm_momentum .9: PyTorch's. In MATLAB statistics for
    prediction are those of the training clips, which running ones come near to.
  initialisation pytorch: its default; MATLAB's is Glorot's with biases of 0, as here by default.
  epochs 800, pytorch: its program; 500, matlab: the paper. The published script has 5.
  schedule per_fold, matlab: trainNetwork leaves out the last batch where it is incomplete, so that
    an epoch of the composite is one step of 256 clips, and 500 epochs are 500 steps. Here every
    batch is full, two make an epoch of 442 clips, hence 250; of one corpus one does, hence 500.
  weight_decay 1e-4, matlab: trainNetwork's default.
Not offered: the mean image that MATLAB subtracts, which a fold would have to know of its training
  clips alone; batches in the order of folders, class by class, as PyTorch's program reads them.
Time: not measured.
Score: not measured. Published: UF1 .7353 and UAR .7186 by the log (MATLAB), .7209 and .725
  (PyTorch).
"""

from mer_jax.experiment import config_files, corpora

ststnet = config_files.module("ststnet")

MATLAB = "_matlab"
ARGUMENTS = (*corpora.CORPORA, *(f"{corpus}{MATLAB}" for corpus in corpora.CORPORA))


def get_config(arg: str = "megc2019"):
  """The program in PyTorch on the corpus `arg` (a key of corpora.CORPORA); _matlab: the other."""
  corpus = arg.removesuffix(MATLAB)
  config = ststnet.get_config(corpus)
  # On the image.
  config.model.factor = 255.0
  # Of the normalisation.
  config.model.norm_epsilon = 1e-5
  config.model.norm_momentum = 0.9
  if arg != corpus:
    config.optimizer.weight_decay = 1e-4
    config.training.schedule = "per_fold"
    config.training.epochs = 250 if corpora.is_composite(corpus) else 500
    return config
  # Zeros around the image.
  config.model.padding = 2
  config.model.initialisation = "pytorch"
  config.training.epochs = 800
  return config
