"""Peers on the composite of MEGC2019, honest beside leaky beside published.

Paper: none for the grid; each row is a config of its own, which names its paper.
Command: mer_jax train --config=composite:megc2019_maps --workdir=DIR
  (of frames, --config=composite:megc2019, the default: needs the corpora built with --config
  frames128)
Arguments: a corpus, megc2019, megc2019_maps, casme2, casme2_maps, samm or smic, for CPUs; with
  _full behind it the authors' epochs and sizes, for accelerators: HTNet with 139.6 M parameters and
  CausalNet with 277 M in every fold.
Each row is the last epoch. Beside it, in the column leaky_test_best, stands what the epochs would
  give that are best on the held-out clips: it explains published numbers, and estimates nothing.
Systems are chosen with --config.show, as "--config.show=('rcn_a','rcn_f')", and changed like any
  config: --config.systems.htnet.training.epochs=100.
Time: of casme2_maps and one seed, minutes of one CPU core: motion_net 1, ststnet 2, off_apexnet_meb
  8, rcn_w 9, causalnet 11, htnet and rcn_f 13, off_apexnet 17, sssnet 20, dual_inception 23, rcn_s
  31, off_tanet 44 (before convolutions went fold by fold); rcn_a was not run to its end.
Score: UF1 on casme2_maps, and by the leaky choice, of one seed: off_apexnet .817 and .876, sssnet
  .816 and .889, dual_inception .821 and .926, rcn_s .544 and .573, rcn_w .514 and .604, rcn_f .601
  and .679, htnet .795 and .822, causalnet .826 and .859, off_tanet .791 and .897; over 3 seeds:
  ststnet .566 and .634, off_apexnet_meb .795 and .838, motion_net_scratch .789 and .853,
  motion_net .867 and .872. Published ones stand in the grid itself (mer_jax/report/published).
"""

from mer_jax import errors
from mer_jax.experiment import config_files, settings

CORPORA = ("megc2019", "megc2019_maps", "casme2", "casme2_maps", "samm", "smic")
ARGUMENTS = (*CORPORA, *(f"{corpus}_full" for corpus in CORPORA))
# Of a peer's config what the authors use and a CPU has no time for.
FULL = {
  "off_apexnet": {"training.epochs": 3000},
  "rcn": {"model.channels": 64, "model.parts": 7},
  "dual_inception": {"training.epochs": 500},
  "off_tanet": {"input.size": 112},
  "htnet": {"model.width": 256, "model.heads": 3, "model.repeats": (2, 2, 10)},
  "causalnet": {
    "model.width": 256,
    "model.heads": 3,
    "model.repeats": (3, 3, 9),
    "model.cross_heads": 8,
    "model.cross_repeats": 9,
    "model.features": 2048,
  },
}
# Points of the curve from which the leaky choice takes the best.
SNAPSHOTS = 100


def get_config(arg: str = "megc2019"):
  """The grid on the corpus and in the mode that `arg` names (one of ARGUMENTS).

  Raises:
    ConfigError: no such argument.
  """
  if arg not in ARGUMENTS:
    raise errors.ConfigError(errors.unknown("config argument", arg, ARGUMENTS))
  corpus = arg.removesuffix("_full")
  grid = settings.grid()
  grid.corpora = (corpus,)
  grid.published = "composite"
  for name, peer, fields in (
    ("ststnet", "ststnet", {}),
    ("off_apexnet", "off_apexnet", {}),
    ("off_apexnet_meb", "off_apexnet", {"model.form": "meb"}),
    ("sssnet", "sssnet", {}),
    *((f"rcn_{form.lower()}", "rcn", {"model.form": form}) for form in "ASWF"),
    ("dual_inception", "dual_inception", {}),
    ("off_tanet", "off_tanet", {}),
    ("htnet", "htnet", {}),
    ("causalnet", "causalnet", {}),
    ("motion_net_scratch", "motion_net_scratch", {}),
    ("motion_net", "motion_net", {}),
  ):
    config = config_files.module(peer).get_config(corpus)
    full = FULL.get(peer, {}) if arg != corpus else {}
    config.update_from_flattened_dict(full | fields)
    config.selection.name = "leaky_test_best"
    config.selection.every_epochs = max(1, config.training.epochs // SNAPSHOTS)
    settings.add_system(grid, name, config)
  return grid
