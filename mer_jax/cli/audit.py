"""mer_jax audit: scores published logs again and looks for the numbers they claim.

LOG is a log in the format of MEGC2019, a table of predictions with named columns, printed lists of
predictions and truths, a predictions.csv, or the workdir of a run. The clips are compared with
those of the protocol (lists name none), everything is scored by the official formulas and by those
that papers are known to use instead, and every claimed number is looked for among them.

Exit codes: 0 all is as claimed; 8 the clips are not those of the protocol; 9 a claim that no
formula gives; 10 a claim that only another formula gives than the one it names; the lowest that
holds of any log. Others as for mer_jax train.
"""

import argparse
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mer_jax.cli import examples
from mer_jax.errors import ConfigError, unknown
from mer_jax.runtime import command_line

if TYPE_CHECKING:
  from mer_jax import protocols


def main(arguments: Sequence[str] | None = None) -> int:
  """The command line; returns the exit code, see the module docstring."""
  return command_line.execute(parser(), run, arguments)


def run(options: argparse.Namespace) -> int:
  """Audits what parsed arguments name; returns the exit code."""
  from mer_jax.evaluation import audit
  from mer_jax.report import audit as report

  audits = audit.audit(
    options.logs,
    protocol=options.protocol,
    claimed=options.claimed,
    split=_split(options) if options.data_dir else None,
    pool=options.pool,
    corpus=options.corpus,
  )
  print("\n\n".join(map(report.console, audits)))
  if options.workdir:
    from mer_jax.report import audit_page

    folder = pathlib.Path(options.workdir).expanduser()
    report.write(folder, audits)
    print(f"\nAudit {audit_page.write(folder, audits)}")
  return min((each.exit_code for each in audits if each.exit_code), default=0)


def parser() -> command_line.Parser:
  """The arguments of the command."""
  built = command_line.Parser(
    prog="mer_jax audit", description=__doc__, epilog=examples.of("audit")
  )
  add = built.add_argument
  add("logs", nargs="+", metavar="LOG", help="a log, a predictions.csv, or a workdir")
  add("--protocol", default="megc2019", help="what they claim to have followed; default megc2019")
  add("--claimed", default="", help="numbers to look for: uf1=.7353,casme2.uar=86.86%%")
  add("--workdir", metavar="DIR", help="folder for audit.html, .json and .csv; default: only print")
  add("--data_dir", metavar="DIR", help="prepared corpora, to compare clip by clip")
  add("--builder_config", default="frames48", help="their config; default frames48")
  add(
    "--datasets",
    type=lambda text: text.split(","),
    default=[],
    help="prepared datasets, as casme2,samm; default: those of the composite",
  )
  add(
    "--corpus", default="", help="of the clips, where a file does not name it: casme2, samm, smic"
  )
  add("--pool", action="store_true", help="the logs are parts of one submission")
  return built


def _split(options: argparse.Namespace) -> "protocols.Split":
  """The clips that the protocol takes of prepared corpora."""
  from mer_jax import protocols
  from mer_jax.clips import concatenate, load_prepared

  if options.protocol not in protocols.PROTOCOLS:
    raise ConfigError(unknown("protocol", options.protocol, protocols.PROTOCOLS))
  datasets = options.datasets
  if not datasets:
    if options.protocol not in protocols.COMPOSITES:
      raise ConfigError(
        f"--datasets is missing beside --data_dir: which corpus is {options.logs} of?"
      )
    datasets = list(protocols.OFFICIAL[options.protocol])
  parts = [load_prepared(d, options.builder_config, options.data_dir) for d in datasets]
  return protocols.split(options.protocol, concatenate(parts), allow_incomplete=True)


def cli() -> None:
  """The command, as a process."""
  command_line.run_process(main)


if __name__ == "__main__":
  cli()
