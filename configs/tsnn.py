"""After Wu and Guo 2021 (TSNN): apex frame, motion and clip in three streams, LOSO.

Paper: Wu, Guo, "TSNN: Three-Stream Combining 2D and 3D Convolutional Neural Network for
  Micro-Expression Recognition", IEEJ Trans. Electrical and Electronic Engineering 16, 2021, a row
  of Table 1 of the paper this project starts from. Its abstract states the streams, the temporal
  sampling deformation and both kinds of fusion; layers, lengths and solver are not public, and of
  our choice here.
Command: mer_jax train --config=tsnn:casme2 --workdir=DIR
  (needs the corpus built with --config frames128); with late fusion: --config.model.form=LF
Published maps have no frames: there the stream of the flow stands alone.
Time: as in configs/table1.py, on 8 frames of 32 pixels, 31 minutes of CPU time for 25 subjects and
  147 clips, so about 15 on 2 CPU cores that have nothing else to do; extrapolated from one epoch of
  the 60. On the 16 frames of 48 pixels here four times as many multiply-adds; not measured.
Score: not measured. Published scores are not known here, nor how they were selected.
"""

from mer_jax.experiment import corpora, settings

ARGUMENTS = tuple(corpora.CORPORA)


def get_config(arg: str = "casme2"):
  """The setting above on the corpus `arg` (a key of corpora.CORPORA)."""
  config = settings.default()
  config.data.builder_config = "frames128"
  maps = corpora.apply(config, arg)
  if maps:
    config.input = {"name": "flow_maps", "index": 0, "size": 48}
  else:
    config.input = {
      "name": "apex_flow_and_frames",
      # Frames, half of them up to the apex and half from there.
      "num_frames": 16,
      # Height and width in pixels, of all that is read.
      "size": 48,
      # clip: each apex frame to mean 0 and deviation 1; none: 0 to 255.
      "standardise": "clip",
      # minmax: each clip and channel of the flow to 0..1; fixed keeps how large it was.
      "scaling": "minmax",
      # dis, farneback or tv_l1.
      "method": "dis",
    }

  config.model.name = "tsnn"
  # IF, features side by side before a layer; LF, the mean of the streams' probabilities.
  config.model.form = "IF"
  # Of apex, flow, frames.
  config.model.streams = ("flow",) if maps else ("apex", "flow", "frames")
  # Filters of the three convolutions of each stream.
  config.model.channels = (16, 32, 64)
  # Width of the layer before the logits of IF.
  config.model.features = 64
  # Rate before the logits.
  config.model.dropout = 0.5

  settings.apply_unpublished_training(config)
  return config
