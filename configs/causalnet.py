"""CausalNet, made small, on four maps of facial motion per clip, leave-one-subject-out.

Paper: "CausalNet", ICCV 2025; layers and solver as in the authors' code.
Command: mer_jax train --config=causalnet:casme2 --workdir=DIR
  (needs the corpus built with --config frames128)
The authors' size asks for an accelerator, 277 M parameters in every fold:
  --config.model.width=256 --config.model.heads=3 "--config.model.repeats=(3,3,9)"
  --config.model.cross_heads=8 --config.model.cross_repeats=9 --config.model.features=2048
Of frames the four maps are flow from the onset to four times evenly spaced, for how the published
  ones came about is not stated.
Time: 11 minutes of one CPU core for casme2_maps, one seed.
Score: UF1 .826 and UAR .816 on casme2_maps, one seed, untuned.
  Published on the composite, UF1 .8976 and UAR .9020, of the epoch that is best
  for each subject on its own clips, where training ends once all of these are right.
"""

from mer_jax.experiment import corpora, settings

ARGUMENTS = tuple(corpora.CORPORA)


def get_config(arg: str = "casme2"):
  """The authors' solver and a small network, on the corpus `arg` (a key of corpora.CORPORA)."""
  config = settings.default()
  config.data.builder_config = "frames128"
  if corpora.apply(config, arg):
    # The four published maps of a clip stand for frames.
    config.input = {"name": "padded_frames", "num_frames": 4, "size": 28, "resample": "linear"}
    # On the maps: theirs are bytes.
    factor = 255.0
  else:
    # method: dis, farneback or tv_l1.
    config.input = {
      "name": "flow_sequence",
      "num_frames": 4,
      "size": 28,
      "resample": "linear",
      "method": "dis",
    }
    factor = 1.0

  config.model.name = "causalnet"
  config.model.factor = factor
  # Side of a patch in pixels.
  config.model.patch = 7
  # Features of the first level; twice as many on each further one.
  config.model.width = 32
  # Heads of the first level; twice as many on each further one.
  config.model.heads = 2
  # Blocks on each level.
  config.model.repeats = (1, 1, 1)
  # Heads and blocks of the attention among maps.
  config.model.cross_heads = 4
  config.model.cross_repeats = 1
  # Width of the layer before the logits.
  config.model.features = 128

  config.optimizer.name = "adam"
  config.optimizer.learning_rate = 5e-5
  config.optimizer.momentum = 0.9
  # All clips in a step.
  config.training.batch_size = 1024
  config.training.epochs = 200
  config.training.chunk_epochs = 2
  config.checkpoint.every_epochs = 40
  return config
