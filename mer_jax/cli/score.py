"""Features from anywhere, scored: python -m mer_jax.classify FEATURES.npz --workdir=DIR

Leave-one-subject-out with an SVM. FEATURES.npz holds features [N, D] (or [N, ...]), labels [N]
(text, or whole numbers) and subjects [N] (likewise); if wanted also datasets [N], clips [N] (names)
and class_names [K].
"""

import pathlib
import sys
from collections.abc import Sequence
from typing import Any

from absl import flags

from mer_jax import svm
from mer_jax.cli import failures
from mer_jax.errors import ConfigError, Interrupted, MerError
from mer_jax.experiment import external_features
from mer_jax.experiment.feature_table import OPTIONAL, REQUIRED, read


def main(arguments: Sequence[str]) -> int:
  """Runs what the command line `arguments` (with the program's name first) describe.

  Returns:
    0, or the exit code of the error that stopped it.
  """
  values = _flags()
  try:
    try:
      rest = values(arguments)[1:]
    except flags.Error as error:
      raise ConfigError(f"{error}") from error
    if values.help:
      print(f"{__doc__}\n" + "\n".join(f"  --{name}: {values[name].help}" for name in _SHOWN))
      return 0
    if len(rest) != 1 or values.workdir is None:
      came = " ".join(arguments[1:]) or "nothing"
      raise ConfigError(f"One file and --workdir are needed; got {came}. {__doc__}")
    options: dict[str, Any] = {name: values[name].value for name in svm.Machine._fields}
    given = read(pathlib.Path(rest[0]).expanduser())
    beside: dict[str, Any] = {name: given[name] for name in OPTIONAL if name in given}
    features, labels, subjects = (given[name] for name in REQUIRED)
    external_features.run(features, labels, subjects, values.workdir, **beside, **options)
  except KeyboardInterrupt:
    return failures.report(Interrupted("Ctrl-C. The same command begins again; it is quick."))
  except MerError as error:
    return failures.report(error)
  return 0


_SHOWN = ("workdir", *svm.Machine._fields)


def _flags() -> flags.FlagValues:
  """Flags of their own: whoever imports this module to call `run` gets none of them."""
  own = flags.FlagValues()
  where = {"flag_values": own}
  flags.DEFINE_bool("help", False, "Show this help.", short_name="h", **where)
  flags.DEFINE_string("workdir", None, "Folder for everything that is left behind.", **where)
  flags.DEFINE_string("kernel", "linear", "linear, rbf or poly.", **where)
  flags.DEFINE_float("cost", None, "C > 0; by default 1000 for linear, else 3.", **where)
  flags.DEFINE_string("gamma", "scale", "Of rbf and poly: a number above 0, or scale.", **where)
  flags.DEFINE_integer("degree", 2, "Of poly.", **where)
  flags.DEFINE_float("coef0", 0.0, "Of poly: (gamma <x, z> + coef0)^degree.", **where)
  flags.DEFINE_string("balance", "class_weights", "class_weights, oversample or none.", **where)
  flags.DEFINE_string("scale", "none", "none, standardise or minmax, by training clips.", **where)
  flags.DEFINE_integer("seed", 0, "Of the over-sampling, >= 0.", **where)
  return own


def cli() -> None:
  """The command python -m mer_jax.classify."""
  sys.exit(main(sys.argv))


if __name__ == "__main__":
  cli()
