"""After DTSCNN: two streams on flow sequences of two temporal scales, then a linear SVM, LOSO.

Paper: Peng, Wang, Chen, Liu, Fu, "Dual Temporal Scale Convolutional Neural Network for
  Micro-Expression Recognition", Frontiers in Psychology 8:1745, 2017, a row of Table 1 of the paper
  this project starts from. Sizes and training are of our choice; flow is measured from the onset to
  every frame, not between neighbours.
Command: mer_jax train --config=dtscnn:casme2 --workdir=DIR
  (needs the corpus built with --config frames128)
Clips are normalised to 16 and 32 frames. The authors' 64 and 128, for accelerators, are
  --config=dtscnn:casme2_full. They have four classes on CASME I and II together.
In every fold both streams learn from the training clips by their own logits; then an SVM learns
from the features of these clips, and predicts the clips that are held out (config.svm).
Time: a single epoch, with the 25 folds and 147 clips of a synthetic CASME II, took 254 seconds of
  CPU time, flow, SVM and report included; all epochs are roughly 45 minutes of it, extrapolated.
Score: not measured. Published is about 66 % accuracy, as cited by others; the rule by which
  training ended is not known here.
"""

from mer_jax.experiment import corpora, settings

FULL = "_full"
ARGUMENTS = (*corpora.CORPORA, *(f"{corpus}{FULL}" for corpus in corpora.WITH_FRAMES))


def get_config(arg: str = "casme2"):
  """The setting above.

  Args:
    arg: a corpus (a key of corpora.CORPORA), or one of frames at full length, as "casme2_full".
  """
  config = settings.default()
  config.data.builder_config = "frames128"
  if corpora.apply(config, arg.removesuffix(FULL)):
    # There are no frames to measure flow between: the few maps of a clip.
    config.input.name = "padded_frames"
    config.input.num_frames, config.input.size = 4, 28
  else:
    config.input.name = "flow_sequence"
    # Frames of the longer scale; the shorter one has half of them.
    config.input.num_frames = 128 if arg.endswith(FULL) else 32
    config.input.size = 48
    # dis, farneback or tv_l1, which is slower by far.
    config.input.method = "dis"
  config.input.resample = "linear"

  config.model.name = "dtscnn"
  # Filters of the convolutions of a stream, and width of the layer behind them.
  config.model.channels = (16, 32, 64)
  config.model.features = 256
  # Rate before that layer.
  config.model.dropout = 0.5

  config.training.batch_size = 32
  config.training.epochs = 20
  config.training.balance = "class_weights"
  # Either stream by its own logits.
  config.training.losses = (("part_class", 1.0),)

  # What enters the last layers of both streams.
  config.svm.layer = "features"
  config.svm.kernel = "linear"
  config.svm.cost = 1.0
  return config
