"""A grid: systems as rows, corpora as columns, each cell a run in a folder of its own.

A column is a prepared dataset, under the protocol of each system, or another argument of configs
(corpora.CORPORA), as "casme2_maps" and "megc2019", with the datasets and protocol of that.

Every system meets the same clips, folds and metrics. What several compute from the clips in the
same way, such as optical flow, is computed once and kept in the workdir.
"""

import json
import os
import pathlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
from ml_collections import config_dict

from mer_jax import checks, evaluation
from mer_jax.clips import prepared_configs
from mer_jax.errors import ConfigError, DataError, TrainingError, unknown
from mer_jax.experiment import corpora, data, dry_run, settings, size, sweep, workdir
from mer_jax.experiment import run as single
from mer_jax.experiment.selection.options import LEAKY
from mer_jax.protocols import Split
from mer_jax.report import grid as report
from mer_jax.report import published
from mer_jax.runtime import atomic, distributed, regular_files


class Cell(NamedTuple):
  """A system on a corpus: their names, and the config that runs."""

  system: str
  dataset: str
  config: config_dict.ConfigDict

  @property
  def name(self) -> str:
    """Also its folder in the workdir of the grid."""
    return f"{self.system}/{self.dataset}"


@distributed.together()
def run(
  config: config_dict.ConfigDict, workdir_path: str | os.PathLike[str], *, quiet: bool = False
) -> dict[str, dict[str, Any]]:
  """Runs every system of `config` on every corpus that is prepared.

  Cells that are finished are not run again, and one that was stopped goes on, so that a grid may be
  killed at any moment, and may be given further systems and corpora in the same workdir. Its page
  is written anew after each cell.

  Args:
    config: the fields of settings.grid().
    workdir_path: a new folder, or the one of the same grid. A cell has a folder of its own in it,
      `SYSTEM/DATASET`; beside them stand results.html, .csv, .json, .tex and a figure.
    quiet: print nothing.

  Returns:
    For each system and dataset the content of the cell's metrics.json; None where no fold ended.

  Raises:
    ConfigError: systems and fields do not fit together; nothing has run then.
    DataError: no corpus is prepared, or one not in the size that a system needs.
    TrainingError: folds were stopped in some cells; the others ended, and the page shows the gap.
    ProtocolError, WorkdirError, Interrupted: see mer_jax.errors.
  """
  emit = print if distributed.is_main() and not quiet else lambda *_: None
  cells, remarks = plan(config)
  path = pathlib.Path(workdir_path).expanduser()
  with workdir.alone(path):
    return _run_all(config, cells, remarks, path, emit)


def _run_all(
  config: config_dict.ConfigDict,
  cells: list[Cell],
  remarks: list[str],
  path: pathlib.Path,
  emit: Callable[..., None],
) -> dict[str, dict[str, Any]]:
  """`run` of planned cells, in a workdir that nobody else writes."""
  reference = published.load(config.published) if config.published else None
  distributed.on_main(workdir.examine, path, config)
  remarks += dry_run.check((cell.name, cell.config) for cell in cells)
  distributed.on_main(workdir.write_config, path, config)
  emit(f"{len(config.show)} systems, {len(cells)} cells, in {path}")

  results = report.Results(path, config.show, reference, remarks)
  began = time.monotonic()
  for number, (cell, split) in enumerate(_with_splits(cells), 1):
    so_far = report.duration(time.monotonic() - began)
    label = results.label(cell.system)
    emit(f"\nCell {number} of {len(cells)}, {so_far} so far: {label}, {cell.dataset}")
    results.add(cell.system, cell.dataset, _result(cell, path, split))
    emit(results.line(cell.system, cell.dataset))
    distributed.on_main(results.write)
    # No cell runs another's programs, and each takes a share of what a process may map.
    jax.clear_caches()
  page = path / "results.html"
  emit(f"\n{results.console()}\n\nResults {page}")
  _raise(results, page)
  return results.summaries()


def plan(config: config_dict.ConfigDict) -> tuple[list[Cell], list[str]]:
  """The cells of a grid, corpus by corpus, and what a reader must know of those left out.

  Raises:
    ConfigError, DataError: as `run`.
  """
  _check(config)
  present, absent = [], []
  for dataset in config.corpora:
    known = [prepared_configs(name, config.data_dir) for name in _datasets(dataset)]
    (present if all(known) else absent).append(dataset)
  if not present:
    raise DataError(
      f"None of the corpora {', '.join(config.corpora)} is prepared under {config.data_dir}. Build"
      " one with mer_jax build, or say where they are with --config.data_dir=."
    )
  remarks = [f"Not prepared, so not in the grid: {', '.join(absent)}."] if absent else []
  cells = []
  for dataset in present:
    for system in config.show:
      own = config.systems[system].copy_and_resolve_references()
      _set_column(own, dataset)
      # What is evaluated as it is has no epochs to try fewer of.
      own.training.epochs = own.training.epochs and (config.epochs or own.training.epochs)
      for stage in own.training.stages if config.epochs else ():
        with own.unlocked():
          own.stages[stage].epochs = config.epochs
      cells.append(Cell(system, dataset, own))
  return cells, remarks


def _datasets(column: str) -> tuple[str, ...]:
  return corpora.CORPORA[column][0] if column in corpora.CORPORA else (column,)


def _set_column(config: config_dict.ConfigDict, column: str) -> None:
  """Sets datasets and, where the column has one of its own, the protocol of `config`."""
  if _datasets(column) == (column,):
    config.data.datasets = (column,)
    return
  with config.unlocked():
    corpora.apply(config, column)


def _check(config: config_dict.ConfigDict) -> None:
  known = settings.grid()
  for name in config:
    if name not in known:
      raise ConfigError(unknown("field of the grid", name, known))
    if name != "systems":
      settings.check_type(f"config.{name}", known[name], config[name])
  checks.check_at_least("config.epochs", config.epochs, 0)
  if not config.show or not config.corpora:
    raise ConfigError(
      "config.show and config.corpora name what the grid has; neither may be empty."
    )
  for name in config.show:
    if name not in config.systems:
      raise ConfigError(unknown("system in config.show:", name, config.systems))
    system = config.systems[name]
    settings.check(system)
    if system.variants.field or len(sweep.results(system)) > 1:
      raise ConfigError(f"System {name} has a sweep or variants; a cell of a grid is a single run.")
  for what, names in (("show", config.show), ("corpora", config.corpora)):
    if len(set(names)) < len(names):
      raise ConfigError(f"config.{what} holds a name twice: {', '.join(names)}.")


def _with_splits(cells: Sequence[Cell]) -> Iterator[tuple[Cell, Split]]:
  """Each cell with its split; cells of a corpus in a row share what was read from disk."""
  loaded: dict[str, Split] = {}
  dataset = None
  for cell in cells:
    if cell.dataset != dataset:
      loaded, dataset = {}, cell.dataset
    key = data.key(cell.config)
    if key not in loaded:
      loaded[key] = data.spot_apexes(cell.config, data.load_split(cell.config))
    yield cell, loaded[key]


def _result(cell: Cell, path: pathlib.Path, split: Split) -> report.Result:
  """The result of a cell, which runs unless it is finished."""
  folder, reason = path / cell.name, ""
  cell.config.data.cache_dir = cell.config.data.cache_dir or str(path / "inputs")
  distributed.on_main(workdir.examine, folder, cell.config)
  if not distributed.on_main(_is_finished, folder, data.fingerprint(split)):
    began = time.monotonic()
    try:
      single.run(cell.config, folder, quiet=True, split=split)
    except TrainingError as error:
      reason = str(error)
    finally:
      # Also of a part that was interrupted; what `kill -9` ended is not counted.
      if distributed.is_main():
        _add_time(path, cell.name, time.monotonic() - began)
  summary, seconds, reason, leaky = distributed.on_main(_read, path, cell.name, reason)
  return report.Result(folder, summary, seconds, reason, leaky, size.size_of(cell.config, split))


def _is_finished(folder: pathlib.Path, fingerprint: str) -> bool:
  """Whether a run in `folder` ended with a score; its data are checked then."""
  if not (folder / "report.html").is_file():  # the last file that a run leaves
    return False
  workdir.check_data(folder, fingerprint)
  return True


def _add_time(path: pathlib.Path, cell: str, seconds: float) -> None:
  times = _times(path)
  times[cell] = round(times.get(cell, 0.0) + seconds, 1)
  atomic.write_text(path / "times.json", json.dumps(times, indent=2) + "\n")


def _times(path: pathlib.Path) -> dict[str, float]:
  """Seconds by cell; empty where the file is absent or damaged, for nothing depends on it."""
  try:
    times = dict(json.loads(regular_files.read_text(path / "times.json")))
    return {cell: float(seconds) for cell, seconds in times.items()}
  except (OSError, ValueError, TypeError, RecursionError):
    return {}


def _read(
  path: pathlib.Path, cell: str, reason: str
) -> tuple[dict[str, Any] | None, float | None, str, dict[str, Any] | None]:
  """Scores, seconds, where no fold ended the reason, and what a leaky selection would give."""
  summary, leaky = None, None
  try:
    summary = evaluation.summarise(evaluation.read_csv(path / cell / "predictions.csv"))
  except DataError as absent:  # no fold ended
    reason = reason or str(absent)
  if (file := path / cell / f"{LEAKY}_predictions.csv").is_file():
    leaky = evaluation.summarise(evaluation.read_csv(file))
  return summary, _times(path).get(cell), reason, leaky


def _raise(results: report.Results, page: pathlib.Path) -> None:
  gaps = results.gaps()
  if gaps:
    raise TrainingError(
      f"In {len(gaps)} cells folds were stopped: {'; '.join(gaps)}. The others ended; the page"
      f" {page} shows the gap."
    )
