"""A table: systems as rows, corpora as columns, each cell a whole run in a folder of its own.

Every row meets the same clips, folds and metrics. What rows compute from the clips in the same way,
such as optical flow, is computed once and kept in the workdir.
"""

import json
import os
import pathlib
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
from ml_collections import config_dict

from mer_jax import (
  atomic,
  distributed,
  evaluation,
  experiment,
  prepared,
  rehearsal,
  settings,
  sweep,
  workdir,
)
from mer_jax.errors import ConfigError, DataError, TrainingError, unknown
from mer_jax.protocols import Split
from mer_jax.report import published, results


class Cell(NamedTuple):
  """One system on one corpus: names of row and dataset, and the config that runs."""

  row: str
  dataset: str
  config: config_dict.ConfigDict

  @property
  def name(self) -> str:
    """Also its folder in the workdir of the table."""
    return f"{self.row}/{self.dataset}"


@distributed.together()
def run(
  config: config_dict.ConfigDict, workdir_path: str | os.PathLike[str], *, quiet: bool = False
) -> dict[str, dict[str, Any]]:
  """Runs every row of `config` on every corpus that is prepared.

  Cells that are finished are not run again, and one that was stopped goes on, so that a table may
  be killed at any moment, and may be given further rows and corpora in the same workdir. The table
  is written anew after each cell.

  Args:
    config: the fields of settings.table().
    workdir_path: a new folder, or the one of the same table. A cell has a folder of its own in it,
      `ROW/DATASET`; beside them stand results.csv, .json, .tex, .html and a figure.
    quiet: print nothing.

  Returns:
    For each row and dataset the content of the cell's metrics.json; None where no fold ended.

  Raises:
    ConfigError: rows and fields do not fit together; nothing has run then.
    DataError: no corpus is prepared, or one not in the size that a row needs.
    TrainingError: folds were stopped in some cells; the others ended, and the table shows the gap.
    ProtocolError, WorkdirError, Interrupted: see mer_jax.errors.
  """
  say = print if distributed.is_main() and not quiet else lambda *_: None
  cells, remarks = plan(config)
  reference = published.load(config.published) if config.published else None
  path = distributed.on_main(workdir.examine, workdir_path, config)
  remarks += rehearsal.check((cell.name, cell.config) for cell in cells)
  distributed.on_main(workdir.write_config, path, config)
  say(f"{len(config.show)} rows, {len(cells)} cells, in {path}")

  table = results.Table(path, config.show, reference, remarks)
  began = time.monotonic()
  for number, (cell, split) in enumerate(_with_splits(cells), 1):
    so_far = results.duration(time.monotonic() - began)
    say(
      f"\nCell {number} of {len(cells)}, {so_far} so far: {table.label(cell.row)}, {cell.dataset}"
    )
    result = _result(cell, path, split)
    table.add(cell.row, cell.dataset, result)
    say(table.line(cell.row, cell.dataset))
    distributed.on_main(table.write)
    # No cell runs another's programs, and each takes a share of what a process may map.
    jax.clear_caches()
  page = path / "results.html"
  say(f"\n{table.console()}\n\nTable {page}")
  _raise(table, page)
  return table.summaries()


def plan(config: config_dict.ConfigDict) -> tuple[list[Cell], list[str]]:
  """The cells of a table, corpus by corpus, and what a reader must know of those left out.

  Raises:
    ConfigError, DataError: as `run`.
  """
  _check(config)
  present, absent = [], []
  for dataset in config.corpora:
    known = prepared.builder_configs(dataset, config.data_dir)
    (present if known else absent).append(dataset)
  if not present:
    raise DataError(
      f"None of the corpora {', '.join(config.corpora)} is prepared under {config.data_dir}. Build"
      " one with python -m data_builders.build, or say where they are with --config.data_dir=."
    )
  remarks = [f"Not prepared, so not in the table: {', '.join(absent)}."] if absent else []
  cells = []
  for dataset in present:
    for row in config.show:
      one = config.rows[row].copy_and_resolve_references()
      one.data.datasets = (dataset,)
      cells.append(Cell(row, dataset, one))
  return cells, remarks


def _check(config: config_dict.ConfigDict) -> None:
  known = settings.table()
  for name in config:
    if name not in known:
      raise ConfigError(unknown("field of the table", name, known))
  if not config.show or not config.corpora:
    raise ConfigError(
      "config.show and config.corpora name what the table has; neither may be empty."
    )
  for row in config.show:
    if row not in config.rows:
      raise ConfigError(unknown("row in config.show:", row, config.rows))
    settings.check(config.rows[row])
    if config.rows[row].variants.field or len(sweep.results(config.rows[row])) > 1:
      raise ConfigError(f"Row {row} has a sweep or variants; a cell of a table is a single run.")
  for what, names in (("show", config.show), ("corpora", config.corpora)):
    if len(set(names)) < len(names):
      raise ConfigError(f"config.{what} names something twice: {', '.join(names)}.")


def _with_splits(cells: Sequence[Cell]) -> Iterator[tuple[Cell, Split]]:
  """Each cell with its split; cells of a corpus in a row share what was read from disk."""
  loaded: dict[str, Split] = {}
  dataset = None
  for cell in cells:
    if cell.dataset != dataset:
      loaded, dataset = {}, cell.dataset
    key = json.dumps([cell.config.data.to_dict(), cell.config.protocol.to_dict()])
    if key not in loaded:
      loaded[key] = experiment.load_split(cell.config)
    yield cell, loaded[key]


def _result(cell: Cell, path: pathlib.Path, split: Split) -> results.Result:
  """What came of a cell, which runs unless it is finished."""
  folder, reason = path / cell.name, ""
  cell.config.data.cache_dir = cell.config.data.cache_dir or str(path / "inputs")
  distributed.on_main(workdir.examine, folder, cell.config)
  if not distributed.on_main(_is_finished, folder, experiment.fingerprint(split)):
    began = time.monotonic()
    try:
      experiment.run(cell.config, folder, quiet=True, split=split)
    except TrainingError as error:
      reason = str(error)
    finally:
      # Also of a part that was interrupted; what `kill -9` ended is not counted.
      if distributed.is_main():
        _add_time(path, cell.name, time.monotonic() - began)
  return distributed.on_main(_read, path, cell.name, reason)


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
    return dict(json.loads((path / "times.json").read_text(encoding="utf-8")))
  except (FileNotFoundError, ValueError, TypeError):
    return {}


def _read(path: pathlib.Path, cell: str, reason: str) -> results.Result:
  folder, summary = path / cell, None
  try:
    summary = evaluation.summarise(evaluation.read_csv(folder / "predictions.csv"))
  except DataError as absent:  # no fold ended
    reason = reason or str(absent)
  return results.Result(folder, summary, _times(path).get(cell), reason)


def _raise(table: results.Table, page: pathlib.Path) -> None:
  gaps = table.gaps()
  if gaps:
    raise TrainingError(
      f"In {len(gaps)} cells folds were stopped: {'; '.join(gaps)}. The others ended; the table"
      f" {page} shows the gap."
    )
