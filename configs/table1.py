"""Table 1 of the paper: the systems that it reviews and its own, on each corpus that is prepared.

Paper: Vibha, "Capturing Subtle Emotions: A Novel Parallel CNN-LSTM Architecture for
  Micro-expression Recognition", doi 10.5281/zenodo.15751631, Table 1, which prints findings and no
  score. Each row is a config of its own, which names its paper; no code of any is public, so that
  all rows but the paper's own are "after" their papers, with sizes of our choice.
Command: mer_jax train --config=table1:casme2 --workdir=DIR
  (needs the corpus built with --config frames48 and with --config frames128)
Arguments: a corpus of frames (casme2, the default, samm, smic, megc2019, casme2_five_class and so
  on), with rows made small where 2 CPU cores would take more than half an hour; with _full behind
  it, as casme2_full, in full size, for accelerators.
Systems are chosen with --config.show, as "--config.show=('tsnn_if','tsnn_lf')", and changed like
  any config: --config.systems.larnet.training.epochs=100.
Time: on casme2 6.5 minutes of CPU time for ma2019_sum, 31 for tsnn_if and 32 for larnet,
  extrapolated from one epoch each; docs/results.md has what each row reads and how large it is.
Score: not measured. Published scores, where any is known, stand in the grid itself
  (mer_jax/report/published).
"""

from mer_jax import errors
from mer_jax.experiment import config_files, corpora, settings

CORPORA = corpora.WITH_FRAMES
ARGUMENTS = (*CORPORA, *(f"{corpus}_full" for corpus in CORPORA))
# Name of the row, its config, what follows the corpus in the argument of that, what it changes.
ROWS = (
  ("state_cnn_lstm", "state_cnn_lstm", "", {}),
  ("dtscnn", "dtscnn", "", {}),
  ("pairwise_bilstm", "pairwise_bilstm", "", {}),
  ("larnet", "larnet", "", {}),
  ("tsnn_if", "tsnn", "", {"model.form": "IF"}),
  ("tsnn_lf", "tsnn", "", {"model.form": "LF"}),
  ("ma2019_sum", "ma2019", "", {"model.layer_fusion": "sum"}),
  ("ma2019_concat", "ma2019", "", {"model.layer_fusion": "concat"}),
  ("ma2019_sssnet_sum", "ma2019", "_sssnet", {"model.layer_fusion": "sum"}),
  ("ma2019_sssnet_concat", "ma2019", "_sssnet", {"model.layer_fusion": "concat"}),
  ("parallel_cnn_lstm", "parallel_cnn_lstm", "", {}),
)
# Of a config what a CPU has no time for.
SMALL = {
  "pairwise_bilstm": {"input.num_frames": 8, "input.size": 32},
  "tsnn": {"input.num_frames": 8, "input.size": 32},
}
# Of a config made small what the full mode enlarges.
FULL = {
  "state_cnn_lstm": {"model.channels": (32, 64, 128), "model.features": 512},
  "dtscnn": {"input.num_frames": 128},
}


def get_config(arg: str = "casme2"):
  """The grid on the corpus and in the mode that `arg` names (one of ARGUMENTS).

  Raises:
    ConfigError: no such argument.
  """
  if arg not in ARGUMENTS:
    raise errors.ConfigError(errors.unknown("config argument", arg, ARGUMENTS))
  corpus = arg.removesuffix("_full")
  grid = settings.grid()
  grid.corpora = (corpus,)
  grid.published = "table1"
  for row, name, variant, fields in ROWS:
    config = config_files.module(name).get_config(corpus + variant)
    of_mode = (SMALL if arg == corpus else FULL).get(name, {})
    config.update_from_flattened_dict(of_mode | fields)
    settings.add_system(grid, row, config)
  return grid
