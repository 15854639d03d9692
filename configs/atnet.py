"""ATNet: the apex frame and the course of the motion around it in two streams, LOSO.

Paper: Peng, Wang, Bi, Shi, Zhou, Chen, "A Novel Apex-Time Network for Cross-Dataset
  Micro-Expression Recognition", ACII 2019 (arXiv 1904.03699); layers and solver as in the authors'
  network definition.
Command: mer_jax train --config=atnet:casme2 --workdir=DIR
  (needs the corpus built with --config frames128); one stream alone, which computes its own input
  only: --config=atnet:casme2_spatial or casme2_temporal
The authors train on 224 x 224 pixels for 2,500 steps, with a tenth of the rate after every 500 of
  them, which asks for an accelerator: --config.data.builder_config=frames224
  --config.input.size=224 --config.optimizer.decay_steps=500, and --config.training.epochs=250 on
  CASME II, 278 on SAMM, 228 on SMIC, 90 on the composite.
Not as theirs: they start the spatial stream from a network trained on macro-expressions, which is
  not published; here weights are random. Their augmentation is switched off in what they publish,
  and left out here.
Time: a step of 4 folds takes .6 s on 2 CPU cores (temporal .4 s, spatial .2 s), so the 23 folds and
  136 clips of a synthetic CASME II about 21 minutes.
Score: with an eighth of the filters and states (--config.model.channels=8,16,32,64
  --config.model.lstm_features=64), on that corpus, pooled UF1 .361; the majority class has .253.
  Training accuracy reaches .98.
"""

from mer_jax.experiment import config_files, corpora, settings

micro_attention = config_files.module("micro_attention")

INPUTS = {
  "spatial": "apex_frame",
  "temporal": "pooled_flow",
  "fusion": "apex_and_pooled_flow",
}
ARGUMENTS = (
  *corpora.CORPORA,
  *(f"{corpus}_{stream}" for corpus in corpora.WITH_FRAMES for stream in INPUTS),
)


def get_config(arg: str = "casme2"):
  """The authors' setting, made smaller for CPUs.

  Args:
    arg: a corpus (a key of corpora.CORPORA), or with a stream, as "casme2_temporal".
  """
  corpus, _, stream = arg.rpartition("_")
  if stream not in INPUTS:
    corpus, stream = arg, "fusion"
  config = settings.default()
  config.data.builder_config = "frames128"
  if corpora.apply(config, corpus):
    # There are no frames: the motion from onset to apex stands for the apex, and nothing for the
    # temporal stream.
    stream = "spatial"
    config.input.name = "flow_maps"
    # Which of the published maps of a clip, from 0.
    config.input.index = 0
  else:
    _set_input(config, stream)

  config.model.name = "atnet"
  # fusion, spatial or temporal.
  config.model.stream = stream
  # Filters of the four stages of the spatial stream.
  config.model.channels = (64, 128, 256, 512)
  # Whether 3 x 3 maxima follow the first convolution. Without: four times the cost.
  config.model.first_pool = True
  # Of the running statistics of the normalisation.
  config.model.norm_momentum = 0.99
  # Width of both LSTMs' states.
  config.model.lstm_features = 512
  # Rate before the logits of the fusion.
  config.model.dropout = 0.5

  micro_attention.solver(config)
  return config


def _set_input(config, stream: str):
  config.input.name = INPUTS[stream]
  if stream != "temporal":
    # Height and width of the apex frame in pixels.
    config.input.size = 64
    # none; clip: each apex frame to mean 0 and deviation 1.
    config.input.standardise = "none"
  if stream != "spatial":
    # Frames of the window around the apex.
    config.input.num_frames = 64
    # Cells along either side of the face.
    config.input.grid = 8
    # farneback, dis or tv_l1.
    config.input.method = "farneback"
