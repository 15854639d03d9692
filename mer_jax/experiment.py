"""A whole experiment, from prepared data to the report, as one list of steps."""

import hashlib
import json
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from ml_collections import config_dict

from mer_jax import (
  clips,
  distributed,
  evaluation,
  inputs,
  learning,
  prepared,
  protocols,
  selection,
  settings,
  sweep,
  workdir,
)
from mer_jax import report as reports
from mer_jax.errors import TrainingError
from mer_jax.evaluation.choice import LEAKY
from mer_jax.version import __version__


@distributed.together()
def run(
  config: config_dict.ConfigDict,
  workdir_path: str | os.PathLike[str],
  *,
  quiet: bool = False,
  split: protocols.Split | None = None,
) -> dict[str, Any]:
  """Runs leave-one-subject-out as `config` says and leaves everything in `workdir_path`.

  A run that was stopped goes on from its newest checkpoint; a finished one is only reported again.
  Each setting of a sweep leaves a folder of its own in the workdir, like that of a run without one;
  where an inner split chooses among them (config.selection), there is one result.

  Args:
    config: fields of settings.default() and the options of its input, model and protocol.
    workdir_path: a new folder, or the one of the same run.
    quiet: print nothing.
    split: what load_split(config) gives, where the caller has it already.

  Returns:
    The content of metrics.json, see evaluation.summarise. With a sweep that nothing chooses from,
    for the name of each setting that of its own; None where no fold of it ended.

  Raises:
    TrainingError: the loss of some folds left the finite numbers. The others ended, and everything
      is written, with the gap shown.
    ConfigError, DataError, ProtocolError, WorkdirError, Interrupted: see mer_jax.errors.
  """
  say = print if distributed.is_main() and not quiet else lambda *_: None
  settings.check(config)
  points = sweep.results(config)
  path = distributed.on_main(workdir.examine, workdir_path, config)
  split = split or load_split(config)
  model = learning.build_model(config, len(split.class_names))
  with inputs.keeping(config.data.cache_dir):
    arrays = inputs.make(config.input.name, split.clips, **settings.options(config.input))
  data = fingerprint(split)
  _check_processes(config, data, arrays)
  learner = learning.build(config, split, arrays, model)
  for name, part in {"": config, **{point.name: point.config for point in points}}.items():
    distributed.on_main(workdir.claim, path / name, part, data, learner.devices)
  say(reports.announcement(config.to_dict(), split, arrays, learner.about, learner.devices))

  by_point = learner.learn(path)
  summaries = {
    point.name: distributed.on_main(leave, path / point.name, config, split, by_clip, say)
    for point, by_clip in zip(points, by_point, strict=True)
  }
  _check_no_gap(summaries)
  return summaries if points[0].name else summaries[""]


def leave(
  folder: pathlib.Path,
  config: config_dict.ConfigDict,
  split: protocols.Split,
  by_clip: np.ndarray,
  say: Callable[..., Any] = print,
) -> dict[str, Any] | None:
  """Writes what the folds predicted, float32 [S, N, K], and all that follows from it.

  Returns:
    The content of metrics.json; None if no fold ended, and then nothing but predictions.csv.
  """
  predictions = evaluation.predictions_of(learning.seeds(config), split, by_clip)
  evaluation.write_csv(folder / "predictions.csv", predictions)
  if np.all(np.isnan(by_clip)):
    return None
  summary = evaluation.summarise(predictions)
  evaluation.write_json(folder / "metrics.json", summary)
  evaluation.write_megc_logs(folder, predictions)
  if config.selection.name == LEAKY:
    selection.leave_leaky(folder, config, split, learning.seeds(config), by_clip)
  page = reports.write(folder, clips=split.clips, remarks=split.remarks)
  say(reports.console(summary, split.class_names, split.remarks))
  if told := reports.selection(folder, summary):
    say(f"\n{told}")
  say(f"\nReport {page}\nPredictions {folder / 'predictions.csv'}")
  return summary


def load_split(config: config_dict.ConfigDict) -> protocols.Split:
  """The prepared clips of `config.data` under the protocol of `config.protocol`."""
  data = config.data
  parts = [prepared.load(name, data.builder_config, data.data_dir) for name in data.datasets]
  split = protocols.split(
    config.protocol.name, clips.concatenate(parts), **settings.options(config.protocol)
  )
  with inputs.keeping(data.cache_dir):
    return split._replace(clips=inputs.APEXES[data.apex](split.clips))


def fingerprint(split: protocols.Split) -> str:
  """sha256 of everything a run learns from: pixels, annotations, labels, folds."""
  digest = hashlib.sha256(split.clips.fingerprint().encode())
  digest.update(np.ascontiguousarray(split.labels, "<i4").tobytes())
  digest.update(np.packbits(split.held_out).tobytes())
  digest.update("\n".join((*split.class_names, *split.fold_names)).encode())
  return digest.hexdigest()


def _check_processes(
  config: config_dict.ConfigDict, data: str, arrays: Mapping[str, np.ndarray]
) -> None:
  """Raises ConfigError where several processes are not about to compute the same.

  `data` is the fingerprint of the split.
  """
  if distributed.processes() == 1:
    return
  anywhere = config.copy_and_resolve_references()
  anywhere.data.data_dir = ""  # where the data lie is each host's own affair
  pixels = hashlib.sha256()
  for array in arrays.values():
    pixels.update(np.ascontiguousarray(array).data)
  distributed.check_same(
    {
      "version of mer_jax, jax": f"{__version__}, {jax.__version__}",
      "config": json.dumps(settings.to_json(anywhere), sort_keys=True),
      "prepared data": data,
      "input computed from the data": pixels.hexdigest(),
    }
  )


def _check_no_gap(summaries: Mapping[str, dict[str, Any] | None]) -> None:
  """Raises TrainingError where folds were stopped; what the others predicted is written."""
  gaps = [
    f"{name + ': ' if name else ''}{_gap(summary)}"
    for name, summary in summaries.items()
    if summary is None or summary["missing"]
  ]
  if gaps:
    raise TrainingError(
      "The training loss left the finite numbers in some folds, which were stopped there; the"
      f" others ended and are reported. {'; '.join(gaps)}. history.jsonl says at which step"
      " (stopped_at). Lower config.optimizer.learning_rate or change config.model.norm."
    )


def _gap(summary: dict[str, Any] | None) -> str:
  if summary is None:
    return "every fold"
  return ", ".join(f"{fold} (seed {seed})" for seed, fold in evaluation.stopped(summary))
