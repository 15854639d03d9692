"""What a workdir holds, as one type whatever its config was: run, sweep, variants or grid."""

import csv
import functools
import html
import json
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from ml_collections import config_dict

from mer_jax import evaluation
from mer_jax.errors import ConfigError, DataError
from mer_jax.report.score_table import HEADLINE

if TYPE_CHECKING:
  import pandas

# Pages by the file they are in, in the order in which the widest is chosen.
PAGES = ("results.html", "variants.html", "report.html")
ALL = "all"


class Run:
  """One finished training over all folds.

  Attributes:
    name: its folder seen from the workdir of the results, "model.branch=cnn" or
      "hoof_n4_t10/casme2"; for the only run of a workdir the name of that.
    folder: where it is.
  """

  def __init__(self, name: str, folder: pathlib.Path) -> None:
    self.name = name
    self.folder = folder

  @functools.cached_property
  def config(self) -> dict[str, Any]:
    """The fields of its config."""
    file = self.folder / "config.json"
    try:
      return dict(json.loads(file.read_text(encoding="utf-8"))["config"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
      raise DataError(f"{file} cannot be read ({type(error).__name__}: {error}).") from error

  @functools.cached_property
  def predictions(self) -> evaluation.Predictions:
    """Every prediction; NaN probabilities where a fold was stopped."""
    return evaluation.read_csv(self.folder / "predictions.csv")

  @functools.cached_property
  def summary(self) -> dict[str, Any] | None:
    """All scores, see evaluation.summarise; None where no fold ended."""
    if np.all(np.isnan(self.predictions.probabilities)):
      return None
    return evaluation.summarise(self.predictions)

  def rows(self) -> list[dict[str, Any]]:
    """A row of scores over all clips and, where there are several datasets, one for each.

    Keys: run, dataset; uf1, uar, accuracy with `_std` over the seeds, `_low` and `_high` of the
    interval; majority_uf1, clips, folds, seeds. Scores are 0..1, and None where there is none.
    """
    summary = self.summary
    if summary is None:
      return [self._row(ALL, {}, {}, {})]
    tables = {ALL: {**summary["pooled"], "majority": summary["majority"]}}
    if len(summary["per_dataset"]) > 1:
      tables |= summary["per_dataset"]
    return [self._row(name, table, table["majority"], summary) for name, table in tables.items()]

  def _row(
    self,
    dataset: str,
    table: Mapping[str, Any],
    majority: Mapping[str, Any] | None,
    summary: Mapping[str, Any],
  ) -> dict[str, Any]:
    row: dict[str, Any] = {"run": self.name, "dataset": dataset}
    std, interval = table.get("std") or {}, table.get("interval") or {}
    for score in HEADLINE:
      low, high = interval.get(score) or (None, None)
      row |= {
        score: table.get(score),
        f"{score}_std": std.get(score),
        f"{score}_low": low,
        f"{score}_high": high,
      }
    return row | {
      "majority_uf1": (majority or {}).get("uf1"),
      "clips": table.get("clips", 0),
      "folds": summary.get("folds", 0),
      "seeds": len(summary.get("seeds", ())),
    }

  def __repr__(self) -> str:
    return f"Run({self.name!r}, {str(self.folder)!r})"


class Results(Mapping[str, Run]):
  """The finished runs of a workdir, by name; a single one is also `run`.

  Attributes:
    workdir: where they are.
  """

  def __init__(self, workdir: pathlib.Path, runs: Sequence[Run]) -> None:
    self.workdir = workdir
    self._runs = {run.name: run for run in runs}

  def __getitem__(self, name: str) -> Run:
    return self._runs[name]

  def __iter__(self) -> Iterator[str]:
    return iter(self._runs)

  def __len__(self) -> int:
    return len(self._runs)

  @property
  def run(self) -> Run:
    """The run, where there is a single one.

    Raises:
      ConfigError: there are several.
    """
    if len(self) > 1:
      raise ConfigError(f"{self.workdir} holds {len(self)} runs; choose from: {', '.join(self)}.")
    return next(iter(self.values()))

  @property
  def page(self) -> pathlib.Path | None:
    """The page that shows all of them; None where there is none."""
    files = (self.workdir / name for name in PAGES)
    return next((file for file in files if file.is_file()), None)

  def rows(self) -> list[dict[str, Any]]:
    """The rows of all runs, see `Run.rows`."""
    return [row for run in self.values() for row in run.rows()]

  def to_pandas(self) -> "pandas.DataFrame":
    """`rows` as a table of pandas.

    Raises:
      ConfigError: pandas is not installed.
    """
    try:
      import pandas
    except ImportError as error:
      raise ConfigError("pandas is not installed; .rows() gives the same as dicts.") from error
    return pandas.DataFrame(self.rows())

  def __repr__(self) -> str:
    lines = [f"Results of {self.workdir}"]
    for row in self.rows():
      scores = ", ".join(f"{title} {_cell(row, key)}" for key, title in HEADLINE.items())
      where = "" if row["dataset"] == ALL else f", {row['dataset']}"
      lines.append(f"  {row['run']}{where}: {scores}")
    return "\n".join(lines)

  def _repr_html_(self) -> str:
    head = "".join(
      f"<th>{title}</th>" for title in ("run", "clips of", *HEADLINE.values(), "clips")
    )
    body = []
    for row in self.rows():
      cells = (row["run"], row["dataset"], *(_cell(row, key) for key in HEADLINE), row["clips"])
      body.append("".join(f"<td>{html.escape(str(cell))}</td>" for cell in cells))
    rows = "".join(f"<tr>{cells}</tr>" for cells in body)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def run(
  config: config_dict.ConfigDict, workdir: str | os.PathLike[str], *, quiet: bool = False
) -> Results:
  """Runs `config`, be it one run, a sweep, variants or a grid, and leaves everything in `workdir`.

  What is finished there is not trained again; what was stopped goes on. See variants.run.

  Args:
    config: as `load_config` returns it.
    workdir: a new folder, or that of the same config.
    quiet: print nothing.

  Raises:
    TrainingError: folds were stopped; the others ended, and `load_results` gives them.
    ConfigError, DataError, ProtocolError, WorkdirError, Interrupted: see mer_jax.errors.
  """
  from mer_jax.experiment import variants  # it pulls in jax; who only reads results does without

  variants.run(config, workdir, quiet=quiet)
  return load_results(workdir)


def load_results(workdir: str | os.PathLike[str]) -> Results:
  """The finished runs in a folder that `run`, or the command mer_jax train, left.

  Raises:
    DataError: there is no finished run in it.
  """
  path = pathlib.Path(workdir).expanduser()
  folders = [file.parent for file in path.rglob("predictions.csv")]
  names = {folder.relative_to(path).as_posix(): folder for folder in folders}
  if not names:
    raise DataError(f"There is no finished run in {path}: no predictions.csv in it or below it.")
  order = _order(path)
  ranked = sorted(names, key=lambda name: (order.get(name, len(order)), name))
  named = path.resolve().name
  return Results(path, [Run(named if name == "." else name, names[name]) for name in ranked])


def score(
  features: Any, labels: Any, subjects: Any, workdir: str | os.PathLike[str], **options: Any
) -> Results:
  """Scores features from elsewhere with an SVM; arguments as of external_features.run."""
  from mer_jax.experiment import external_features

  external_features.run(features, labels, subjects, workdir, **options)
  return load_results(workdir)


def _order(path: pathlib.Path) -> dict[str, int]:
  """The place of each run in the table of variants or of a grid; empty where there is none."""
  for table, columns in (("variants.csv", ("name",)), ("results.csv", ("system", "dataset"))):
    if (path / table).is_file():
      try:
        with open(path / table, newline="", encoding="utf-8") as file:
          names = ["/".join(row[column] for column in columns) for row in csv.DictReader(file)]
      except (OSError, ValueError, KeyError, TypeError, csv.Error):  # only the order is lost
        return {}
      return {name: place for place, name in enumerate(names)}
  return {}


def _cell(row: Mapping[str, Any], score: str) -> str:
  """ ".593 [.412, .760]": a score with its interval, where it has one."""
  if row[score] is None:
    return "-"
  text = f"{row[score]:.3f}".lstrip("0")
  low, high = row[f"{score}_low"], row[f"{score}_high"]
  return text if low is None else f"{text} [{low:.3f}, {high:.3f}]".replace("0.", ".")
