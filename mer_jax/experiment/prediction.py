"""What a trained model predicts of clips, from prepared data to predictions.csv and a page."""

import os
import pathlib
import re
from collections.abc import Sequence

import numpy as np

from mer_jax import inputs, recognizer
from mer_jax.clips import Clips, load_prepared
from mer_jax.errors import ConfigError, DataError
from mer_jax.experiment import fitted
from mer_jax.experiment.data import with_motion
from mer_jax.inputs.flow import REFERENCE_WIDTH as FLOW_WIDTH
from mer_jax.recognizer import provenance
from mer_jax.report import prediction_page

_NOTED = 12  # remarks on the console; the page has them all


def predict(
  model: recognizer.Model,
  clips: Clips,
  out: str | os.PathLike[str],
  *,
  apex: str = "",
  notes: Sequence[str] = (),
  quiet: bool = False,
) -> recognizer.Prediction:
  """Predicts `clips` and leaves predictions.csv and report.html in the folder `out`.

  Args:
    model: a trained model.
    clips: Clips [N], N >= 1. Those of one frame are left out where the input measures motion.
    out: any folder; other files in it stay as they are.
    apex: how the apex of clips that have none is placed, a key of inputs.APEXES; empty: as where
      the model was trained.
    notes: further remarks for the page and the console.
    quiet: print nothing.

  Raises:
    ConfigError: the clips hold channels that the model cannot read.
    DataError: an input is not finite or of another shape than in training, or no clip moves.
    WorkdirError: the folder cannot be written.
  """
  emit = (lambda *_: None) if quiet else print
  clips, motionless = with_motion(model.input_for(clips.channels)["name"], clips)
  clips = inputs.spot_apexes(apex or model.config["data"]["apex"], clips)
  prediction = model.predict(clips)
  pairs = provenance.subjects_of(clips)
  known = set(model.provenance.seen_among(pairs))
  keys = zip(clips.dataset, clips.subject, strict=True)
  seen = np.array([(str(d), str(s)) in known for d, s in keys], bool)
  table = prediction_page.Table(clips, model.classes, *prediction, seen)
  marks = [*_remarks(model, seen), *motionless, *notes]
  page = prediction_page.write(out, table, describe(model), marks, model.seeds)
  emit(prediction_page.console(table, model.seeds))
  emit(f"\nReport {page}\nPredictions {page.parent / 'predictions.csv'}")
  for mark in marks[-_NOTED:]:
    emit(f"note: {mark}")
  if len(marks) > _NOTED:
    emit(f"note: {len(marks) - _NOTED} more of these stand on the page")
  return prediction


def prepared_at(path: str | os.PathLike[str]) -> Clips | None:
  """The clips of the prepared dataset in the folder `path`; None where there is none.

  Args:
    path: data/casme2, data/casme2/frames128 or data/casme2/frames128/1.0.0.

  Raises:
    ConfigError: several configs are prepared in it.
    DataError: the dataset cannot be read.
  """
  folder = pathlib.Path(path).expanduser().resolve()
  for depth, pattern in ((0, "dataset_info.json"), (1, "*.*.*/dataset_info.json")):
    if any(folder.glob(pattern)):
      config = folder.parents[0] if depth == 0 else folder
      return load_prepared(config.parent.name, config.name, config.parent.parent)
  configs = sorted({file.parents[1].name for file in folder.glob("*/*.*.*/dataset_info.json")})
  if len(configs) > 1:
    raise ConfigError(
      f"{path} holds {folder.name} prepared as {', '.join(configs)}. Name one of them, as"
      f" {pathlib.Path(path) / configs[0]}."
    )
  return load_prepared(folder.name, configs[0], folder.parent) if configs else None


def frame_size(model: recognizer.Model) -> int:
  """Height and width, in pixels, at which `model` is to see frames: as it saw those of corpora."""
  prepared = re.search(r"\d+$", model.config["data"]["builder_config"])
  size = int(prepared[0]) if prepared else FLOW_WIDTH
  return max(size, FLOW_WIDTH) if "flow" in model.input["name"] else size


def describe(model: recognizer.Model) -> dict[str, str]:
  """Facts on a model for those who read its predictions, by name."""
  return {
    "model": f"{model.name} ({model.seeds_in_words})",
    "classes": ", ".join(model.classes),
    "learned from": model.provenance.summary(),
    "scores": fitted.in_words(model.scores),
    "digest": model.digest or "not read from a file",
  }


def same_frames(parts: Sequence[Clips]) -> None:
  """Raises DataError unless `parts` hold the same kind of frames and can be predicted together."""
  kinds = {(part.channels, *part.frames.shape[1:3]) for part in parts}
  if len(kinds) > 1:
    raise DataError(
      f"What is to be predicted holds several kinds of frames ({sorted(map(str, kinds))}). Predict"
      " each in a command of its own."
    )


def _remarks(model: recognizer.Model, seen: np.ndarray) -> list[str]:
  if not seen.any():
    return []
  return [
    f"The model has learned from the subjects of {int(seen.sum())} of these {len(seen)} clips:"
    " what it predicts of them says nothing about people whom it does not know."
  ]
