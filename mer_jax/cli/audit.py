"""Re-scores published logs: python -m mer_jax.audit LOG... [--claimed uf1=.7353,uar=.7605]

LOG is a log in the format of MEGC2019, a predictions.csv, or the workdir of a run. The clips are
compared with those of the protocol, everything is scored by the official formulas and by those that
papers are known to use instead, and every claimed number is looked for among them.

Exit codes: 0 all is as claimed; 8 the clips are not those of the protocol; 9 a claim that no
formula gives; 10 a claim that only another formula gives than the one it names; the lowest that
holds of any log. Others as for mer_jax.main.
"""

import pathlib
import sys
from collections.abc import Sequence

from absl import flags

from mer_jax import protocols
from mer_jax.cli import failures
from mer_jax.clips import concatenate, load_prepared
from mer_jax.errors import ConfigError, Interrupted, MerError, unknown
from mer_jax.evaluation import audit
from mer_jax.report import audit as report


def main(arguments: Sequence[str]) -> int:
  """Audits what the command line names, the program's name first.

  Returns:
    See the module docstring.
  """
  try:
    options, paths = _parse_flags(list(arguments))
    if options.help:
      print(__doc__, options.main_module_help(), sep="\n")
      return 0
    audits = audit.examine(
      paths,
      protocol=options.protocol,
      claimed=options.claimed,
      split=_split(options, paths) if options.data_dir else None,
      pool=options.pool,
    )
    print("\n\n".join(map(report.console, audits)))
    if options.workdir:
      report.write(pathlib.Path(options.workdir).expanduser(), audits)
    return min((each.exit_code for each in audits if each.exit_code), default=0)
  except MerError as error:
    return failures.report(error)
  except KeyboardInterrupt:
    return Interrupted.exit_code


def _split(options: flags.FlagValues, paths: Sequence[str]) -> protocols.Split:
  if options.protocol not in protocols.PROTOCOLS:
    raise ConfigError(unknown("protocol", options.protocol, protocols.PROTOCOLS))
  datasets = options.datasets
  if not datasets:
    if options.protocol not in protocols.COMPOSITES:
      raise ConfigError(f"--datasets is missing beside --data_dir: which corpus is {paths} of?")
    datasets = list(protocols.OFFICIAL[options.protocol])
  parts = [load_prepared(d, options.builder_config, options.data_dir) for d in datasets]
  return protocols.split(options.protocol, concatenate(parts), allow_incomplete=True)


def _parse_flags(arguments: list[str]) -> tuple[flags.FlagValues, list[str]]:
  options = flags.FlagValues()  # not absl's own, where the flags of mer_jax.main may stand
  text, to = flags.DEFINE_string, {"flag_values": options}
  text("protocol", "megc2019", "What the logs claim to have followed.", **to)
  text("claimed", "", "Numbers to look for: uf1=.7353,casme2.uar=86.86%", **to)
  text("workdir", None, "Folder for audit.json and audit.csv.", **to)
  text("data_dir", None, "Prepared corpora, to compare clip by clip.", **to)
  text("builder_config", "frames48", "The config they were prepared with.", **to)
  flags.DEFINE_list("datasets", [], "Prepared datasets; default: the composite's.", **to)
  flags.DEFINE_bool("pool", False, "Whether the logs are parts of one submission.", **to)
  flags.DEFINE_bool("help", False, "Show this.", **to)
  try:
    return options, options(arguments or ["mer_jax.audit"])[1:]
  except flags.Error as error:
    raise ConfigError(f"{error}") from error


def cli() -> None:
  """The command python -m mer_jax.audit."""
  sys.exit(main(sys.argv))


if __name__ == "__main__":
  cli()
