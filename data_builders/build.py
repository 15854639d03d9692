"""mer_jax build: prepares a corpus as its owners distribute it, for all experiments with it."""

import argparse
import contextlib
import dataclasses
import io
import os
import pathlib
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import data_builders
from data_builders import build_report, tree
from data_builders.build_report import BuildReport
from data_builders.listing import parse, table
from data_builders.options import CROPS, Options
from mer_jax import errors
from mer_jax.errors import ConfigError, DataError
from mer_jax.runtime import atomic, command_line, folders, interrupts

EXAMPLE = "example:\n  mer_jax build casme2 --manual_dir=corpora/CASME2 --data_dir=data"
LISTING = "listing"
# What the builders call their configs; asking them takes seconds.
CONFIGS = (
  "frames48, frames128 or frames224 (width of the face in pixels); smic also frames48_vis,"
  " frames48_nir and so on, its other cameras; megc2019_flow: maps"
)


def main(argv: Sequence[str] | None = None) -> int:
  """The command line; returns the exit code."""
  return command_line.execute(_parser(), _run, argv)


@interrupts.unwinding()
def _run(options: argparse.Namespace) -> int:
  partial = False
  if options.pattern and data_builders.canonical(options.dataset) == LISTING:
    manual_dir = tree.require_folder(pathlib.Path(options.manual_dir), table.EXPECTED)
    print(table.from_folders(manual_dir, options.pattern).text())
  for config in _configs(options.dataset, options.config):
    report, folder, reused = build(
      options.dataset,
      options.manual_dir,
      options.data_dir,
      config,
      strict=options.strict,
      overwrite=options.overwrite,
      **{field.name: getattr(options, field.name) for field in dataclasses.fields(Options)},
    )
    print(report.text())
    print(f"  {'reused, as built before' if reused else 'written'}: {folder}")
    partial |= report.is_partial
    print(_in_red(report.closing_line()) if report.is_partial else report.closing_line())
  return DataError.exit_code if partial and not options.allow_partial else 0


def _in_red(text: str) -> str:
  coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
  return f"\033[1;31m{text}\033[0m" if coloured else text


@contextlib.contextmanager
def _temporary_files_removed() -> Iterator[None]:
  """Within this, temporary files lie in a folder that is removed at the end.

  TFDS makes a folder for every builder that it constructs, and removes none.
  """
  before = tempfile.tempdir
  _remove_abandoned(pathlib.Path(tempfile.gettempdir()), "mer_jax-build")
  prefix = atomic.temporary_prefix("mer_jax-build")
  with tempfile.TemporaryDirectory(prefix=prefix) as folder:
    tempfile.tempdir = folder
    try:
      yield
    finally:
      tempfile.tempdir = before


@_temporary_files_removed()
def build(
  dataset: str,
  manual_dir: str | os.PathLike[str],
  data_dir: str | os.PathLike[str],
  config: str | None = None,
  *,
  strict: bool = False,
  overwrite: bool = False,
  **reading: Any,
) -> tuple[BuildReport, pathlib.Path, bool]:
  """Prepares one config of one corpus, or reuses what an earlier build prepared.

  Args:
    dataset: a name that `data_builders.canonical` knows.
    manual_dir: the corpus as its owners distribute it.
    data_dir: the data go to data_dir/dataset/config/version.
    config: name of the builder config; None: the first.
    strict: any repair or refusal is an error.
    overwrite: replaces data built before; they stay until the new ones are complete.
    **reading: fields of `Options`; paths may be texts.

  Returns:
    The report, the folder of the data, and whether they were there before. The data are written
    also where the report says that they are partial.

  Raises:
    ConfigError: there is no such corpus, config or crop.
    DataError: the corpus is absent, damaged or (if strict) in need of repair, or the data already
      there come from other files or other options; then nothing was written.
    WorkdirError: another process builds the same data, or they cannot be written.
  """
  manual_dir = pathlib.Path(manual_dir).expanduser()
  data_dir = pathlib.Path(data_dir).expanduser()
  atomic.check_name(data_dir)
  builder = _builder(dataset, config or _configs(dataset, None)[0], data_dir)
  builder.options = Options.of(**reading)
  builder.strict = strict
  _check_names(builder.name, builder.options)
  folder = data_dir / (builder.options.name or builder.name)
  folder = folder / builder.builder_config.name / str(builder.version)
  _, survey = builder.survey(manual_dir)
  folders.recover(folder)
  if folder.exists() and not overwrite:
    return _reuse(folder, survey, strict), folder, True
  return _prepare(builder, manual_dir, folder), folder, False


def _parser() -> command_line.Parser:
  parser = command_line.Parser(
    prog="mer_jax build",
    description=f"{__doc__}\n\nWhat is expected in the folder of each corpus: docs/data.md.",
    epilog=EXAMPLE,
  )
  add = parser.add_argument
  add("dataset", metavar="CORPUS", help=", ".join(data_builders.BUILDERS))
  add("--manual_dir", required=True, metavar="DIR", help="the corpus as its owners distribute it")
  add("--data_dir", required=True, metavar="DIR", help="where the prepared data go")
  add("--config", metavar="NAME", help=f"{CONFIGS}; all: every one; default: the first")
  add("--strict", action="store_true", help="any repair is an error")
  add("--overwrite", action="store_true", help="replace data built before")
  add("--sheet", metavar="FILE", help="coding sheet; default: the one that fits the clips best")
  add(
    "--crop",
    default="auto",
    choices=CROPS,
    help="auto (default): cut the face out of raw trees; face: of any; landmarks: of"
    " any, aligned as in videos (extra video); as_is: of none",
  )
  add(
    "--apex",
    metavar="FILE",
    help="csv of apexes that go before the corpus' own: subject, clip, apex",
  )
  add("--retimed", action="store_true", help="frames run evenly from onset to offset, as after TIM")
  add("--name", default="", help="of a listing: the name under which its data lie")
  add(
    "--from-folders",
    "--from_folders",
    dest="pattern",
    default="",
    metavar="PATTERN",
    help="of a listing without a table: as '{emotion}/{subject}_{clip}'",
  )
  add(
    "--allow-partial",
    "--allow_partial",
    action="store_true",
    help="exit code 0 although less than 90 %% of the clips became examples",
  )
  return parser


def _configs(dataset: str, config: str | None) -> list[str]:
  known = list(data_builders.builder_class(dataset).builder_configs)
  if config is None:
    return known[:1]
  if config == "all":
    return known
  if config not in known:
    raise ConfigError(errors.unknown(f"config of {dataset}", config, [*known, "all"]))
  return [config]


def _check_names(dataset: str, options: Options) -> None:
  """Raises ConfigError where options are for a listing, or its name cannot be one."""
  if dataset != LISTING and (options.name or options.pattern):
    raise ConfigError(f"--name and --from-folders are for the corpus {LISTING}, not for {dataset}.")
  taken = options.name in data_builders.BUILDERS and options.name != LISTING
  if options.name and (taken or not parse.NAME.fullmatch(options.name)):
    raise ConfigError(
      f"--name {options.name!r} is taken or no name; small letters, digits and _ are, as my_study."
    )


def _builder(dataset: str, config: str, data_dir: pathlib.Path):
  import tensorflow_datasets as tfds  # slow to import; `--help` should not wait for it

  tfds.disable_progress_bar()  # ours counts clips and is silent without a terminal
  _configs(dataset, config)
  return data_builders.builder_class(dataset)(data_dir=str(data_dir), config=config)


def _reuse(folder: pathlib.Path, survey: BuildReport, strict: bool) -> BuildReport:
  stored = build_report.read(folder)
  for what, before, now in (
    ("other files", stored.fingerprint, survey.fingerprint),
    ("other options", stored.options, survey.options),
  ):
    if before != now:
      raise DataError(
        f"{folder} was built from {what} than those asked for now ({before} then, {now} now)."
        " Build again with --overwrite, or choose another --data_dir."
      )
  stored.check(strict)
  return stored


def _prepare(builder, manual_dir: pathlib.Path, folder: pathlib.Path) -> BuildReport:
  """Builds in a folder of its own and moves the finished data: all of them appear, or none."""
  import tensorflow_datasets as tfds

  with folders.replacing(folder) as new:
    data_dir = new.with_name("data")
    fresh = type(builder)(data_dir=str(data_dir), config=builder.builder_config.name)
    fresh.options, fresh.strict = builder.options, builder.strict
    with contextlib.redirect_stdout(io.StringIO()):  # TFDS prints sizes it does not know
      fresh.download_and_prepare(
        file_format="array_record",
        download_config=tfds.download.DownloadConfig(manual_dir=str(manual_dir)),
      )
    report = build_report.read(fresh.data_dir)
    os.rename(fresh.data_dir, new)
    default = folder.parents[1] / ".config"  # a folder that names the default config
    try:
      os.rename(data_dir / builder.name / ".config", default)
    except OSError:
      if not default.exists():
        raise
  return report


def _remove_abandoned(folder: pathlib.Path, stem: str) -> None:
  """Removes from `folder` what builds left that were killed before they could."""
  for scratch in folder.glob(f".{stem}.tmp-*"):
    if atomic.is_abandoned(scratch):
      shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
  command_line.run_process(main)
