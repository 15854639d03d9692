"""A run: one training over all folds, from prepared data to the report, as one list of steps."""

import hashlib
import json
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from ml_collections import config_dict

import mer_jax
from mer_jax import evaluation, inputs, protocols
from mer_jax import report as reports
from mer_jax.errors import ConfigError, DataError, TrainingError
from mer_jax.evaluation import remarks
from mer_jax.evaluation.predictions import order, select
from mer_jax.experiment import (
  data,
  fold_models,
  settings,
  sources,
  start,
  sweep,
  trainer,
  workdir,
)
from mer_jax.experiment.selection.options import INNER, LEAKY
from mer_jax.experiment.selection.train import write_leaky
from mer_jax.experiment.start_options import LEAKY as LEAKY_WEIGHTS
from mer_jax.recognizer import provenance
from mer_jax.runtime import distributed


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
  where an inner split selects among them (config.selection), there is one result.

  Args:
    config: fields of settings.default() and the options of its input, model and protocol.
    workdir_path: a new folder, or the one of the same run.
    quiet: print nothing.
    split: data.spot_apexes(config, data.load_split(config)), where the caller has it already.

  Returns:
    The content of metrics.json, see evaluation.summarise. With a sweep that nothing selects from,
    for the name of each setting that of its own; None where no fold of it ended.

  Raises:
    TrainingError: the loss of some folds left the finite numbers. The others ended, and everything
      is written, with the gap shown.
    ConfigError, DataError, ProtocolError, WorkdirError, Interrupted: see mer_jax.errors.
  """
  emit = print if distributed.is_main() and not quiet else lambda *_: None
  settings.check(config)
  config = start.pinned(config)
  path = pathlib.Path(workdir_path).expanduser()
  with workdir.alone(path):
    return _run(config, path, split, emit)


def _run(
  config: config_dict.ConfigDict,
  path: pathlib.Path,
  split: protocols.Split | None,
  emit: Callable[..., Any],
) -> dict[str, Any]:
  """`run` of a pinned config, in a workdir that nobody else writes."""
  distributed.on_main(workdir.examine, path, config)

  split = split or data.spot_apexes(config, data.load_split(config))
  known = start.remarks(config, provenance.subjects_of(split.clips))
  split = split._replace(remarks=(*known, *split.remarks))
  fingerprint = data.fingerprint(split)
  scored = protocols.tested(split)
  if scored is not split and config.selection.name == LEAKY:
    raise ConfigError("config.selection.name=leaky_test_best needs folds, not a fixed split.")
  if distributed.on_main(is_finished, path, config, scored):
    distributed.on_main(workdir.check_data, path, fingerprint)
    distributed.on_main(workdir.remove_abandoned, path)
    summaries = distributed.on_main(_report_again, path, config, scored, emit)
  else:
    summaries = _train(config, path, split, fingerprint, emit)
  _check_no_gap(summaries)
  return summaries.get("", summaries)


def _train(
  config: config_dict.ConfigDict,
  path: pathlib.Path,
  split: protocols.Split,
  fingerprint: str,
  emit: Callable[..., Any],
) -> dict[str, dict[str, Any] | None]:
  """Model, input, training, evaluation and report; the summary of each setting by its name."""
  model = trainer.build_model(config, len(split.class_names))
  reached = sources.digests(trainer.roots(config, model, config.selection.name == INNER))
  distributed.on_main(
    workdir.check_sources, path, reached, allowed=config.checkpoint.allow_changed_code
  )
  cache = inputs.cache_in(config.data.cache_dir)
  arrays = inputs.make(config.input.name, split.clips, cache, **settings.options(config.input))
  _check_processes(config, fingerprint, arrays)
  training = trainer.build(config, split, arrays, model)
  results = sweep.results(config)
  for name, part in {"": config, **{result.name: result.config for result in results}}.items():
    origin = workdir.Origin(fingerprint, training.devices, reached)
    distributed.on_main(workdir.claim, path / name, part, origin)
  # What an SVM on a layer predicts, the network of a fold alone does not.
  if isinstance(model, trainer.Network) and len(results) == 1 and not config.svm.layer:
    architecture = trainer.architecture(config, model)
    distributed.on_main(fold_models.write_facts, path, config, split, arrays, architecture)
  emit(reports.announcement(config.to_dict(), split, arrays, training.about, training.devices))

  predicted, held = training.train(path), split.held_out.any(axis=0)
  scored = protocols.tested(split)
  return {
    result.name: distributed.on_main(
      write_results, path / result.name, config, scored, by_clip[:, held], emit
    )
    for result, by_clip in zip(results, predicted, strict=True)
  }


def write_results(
  folder: pathlib.Path,
  config: config_dict.ConfigDict,
  split: protocols.Split,
  by_clip: np.ndarray,
  emit: Callable[..., Any] = print,
) -> dict[str, Any] | None:
  """Writes what the folds predicted, float32 [S, N, K], and all that follows from it.

  Returns:
    The content of metrics.json; None if no fold ended, and then nothing but predictions.csv.
  """
  seeds = trainer.seeds(config)
  predictions = evaluation.predictions_of(seeds, split, by_clip)
  evaluation.write_csv(folder / "predictions.csv", predictions)
  if np.all(np.isnan(by_clip)):
    return None
  summary = evaluation.summarise(predictions)
  known = start.seen(config, provenance.subjects_of(split.clips))  # whom the weights must not know
  summary |= {LEAKY_WEIGHTS: [list(subject) for subject in known]} if known else {}
  evaluation.write_json(folder / "metrics.json", summary)
  evaluation.write_megc_logs(folder, predictions)
  remarks.write(folder, split.remarks)
  if config.selection.name == LEAKY:
    write_leaky(folder, config, split, seeds, by_clip)
  from mer_jax.experiment.selection import section  # draws

  page = reports.write(
    folder,
    clips=split.clips,
    remarks=split.remarks,
    sections=section.sections(folder, predictions, summary),
    defaults=settings.to_json(settings.default()),
    leaky=known,
  )
  emit(reports.console(summary, split.class_names, split.remarks))
  if selection := section.console(folder, summary):
    emit(f"\n{selection}")
  emit(f"\nReport {page}\nPredictions {folder / 'predictions.csv'}")
  return summary


def is_finished(path: pathlib.Path, config: config_dict.ConfigDict, split: protocols.Split) -> bool:
  """Whether the run in `path` has trained to its end, so that everything else can be written.

  predictions.csv is written after training, as a whole: nothing else of a run is needed.
  """
  return _predictions(path, config, split) is not None


def _predictions(
  path: pathlib.Path, config: config_dict.ConfigDict, split: protocols.Split
) -> list[np.ndarray] | None:
  """float32 [S, N, K] of each result of a finished run; None where one is absent or other."""
  arrays = []
  for result in sweep.results(config):
    folder = path / result.name
    if not (folder / "config.json").is_file():
      return None
    try:
      predictions = evaluation.read_csv(folder / "predictions.csv")
    except DataError:
      return None
    predictions = select(predictions, order(predictions))
    shape = config.seeds, len(split.labels), len(split.class_names)
    if predictions.probabilities.shape != (shape[0] * shape[1], shape[2]):
      return None
    arrays.append(predictions.probabilities.reshape(shape))
  return arrays


def _report_again(
  path: pathlib.Path,
  config: config_dict.ConfigDict,
  split: protocols.Split,
  emit: Callable[..., Any],
) -> dict[str, dict[str, Any] | None]:
  """Writes what follows from the predictions of a finished run; summaries as `_train`."""
  results, predicted = sweep.results(config), _predictions(path, config, split) or []
  emit(f"{path} holds a finished run, which is reported again.")
  return {
    result.name: write_results(path / result.name, config, split, by_clip, emit)
    for result, by_clip in zip(results, predicted, strict=True)
  }


def _check_processes(
  config: config_dict.ConfigDict, fingerprint: str, arrays: Mapping[str, np.ndarray]
) -> None:
  """Raises ConfigError where several processes are not about to compute the same."""
  if distributed.processes() == 1:
    return
  anywhere = config.copy_and_resolve_references()
  anywhere.data.data_dir = ""  # where the data lie is each host's own affair
  pixels = hashlib.sha256()
  for array in arrays.values():
    pixels.update(np.ascontiguousarray(array).data)
  distributed.check_same(
    {
      "version of mer_jax, jax": f"{mer_jax.__version__}, {jax.__version__}",
      "config": json.dumps(settings.to_json(anywhere), sort_keys=True),
      "prepared data": fingerprint,
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
