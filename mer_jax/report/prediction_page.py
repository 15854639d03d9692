"""predictions.csv and report.html of what a trained model predicts of unlabelled clips."""

import csv
import io
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from mer_jax.clips import Clips
from mer_jax.report import strips
from mer_jax.report.templates import Figure, template
from mer_jax.runtime import atomic

KEYS = ("dataset", "subject", "clip")


class Table(NamedTuple):
  """Predictions of N clips.

  Attributes:
    clips: what was predicted.
    class_names: K names.
    probabilities, spread: float32 [N, K], mean and standard deviation over the seeds.
    seen: bool [N], whether the model has learned from the clip's subject.
  """

  clips: Clips
  class_names: tuple[str, ...]
  probabilities: np.ndarray
  spread: np.ndarray
  seen: np.ndarray

  @property
  def prediction(self) -> list[str]:
    """The most probable class of each clip, the first among equals."""
    return [self.class_names[k] for k in self.probabilities.argmax(axis=1)]


def write(
  folder: str | os.PathLike[str],
  table: Table,
  about: Mapping[str, str],
  remarks: Sequence[str],
  seeds: int,
) -> pathlib.Path:
  """Writes predictions.csv, report.html and figures/clips.png, each atomically.

  Args:
    folder: any folder; other files in it stay as they are.
    table: the predictions.
    about: facts on the model, by name.
    remarks: what a reader must know before the numbers.
    seeds: of the model.

  Returns:
    The path of report.html.

  Raises:
    WorkdirError: the folder cannot be written.
  """
  folder = pathlib.Path(folder)
  captions = [
    f"{name} ({row.max():.2f})"
    for name, row in zip(table.prediction, table.probabilities, strict=True)
  ]
  picture = strips.draw_first(table.clips, captions)
  figure = Figure(picture, "Frames of clips with what is predicted of each") if picture else None
  page = template("prediction.html").render(
    title=f"{len(table.clips)} {'clip' if len(table.clips) == 1 else 'clips'} predicted",
    remarks=remarks,
    about=about,
    classes=table.class_names,
    rows=_rows(table),
    figure=figure,
    seeds=seeds,
  )
  atomic.write_text(folder / "predictions.csv", _csv(table))
  if figure:
    atomic.write_bytes(folder / "figures" / "clips.png", figure.png)
  path = folder / "report.html"
  atomic.write_text(path, page)
  return path


def console(table: Table, seeds: int) -> str:
  """The predictions of a model of so many seeds as text, 20 clips at most."""
  shown = min(len(table.clips), 20)
  width = max(map(len, map(table.clips.name, range(shown))), default=0)
  lines = []
  for n in range(shown):
    cells = zip(table.class_names, table.probabilities[n], table.spread[n], strict=True)
    numbers = ", ".join(
      f"{name} {p:.2f}" + f" ± {spread:.2f}" * (seeds > 1) for name, p, spread in cells
    )
    lines.append(f"{table.clips.name(n):{width}}  {table.prediction[n]}  ({numbers})")
  if len(table.clips) > shown:
    lines.append(f"... and {len(table.clips) - shown} more in predictions.csv")
  return "\n".join(lines)


def _csv(table: Table) -> str:
  text = io.StringIO()
  writer = csv.writer(text, lineterminator="\n")
  names = table.class_names
  head = [*KEYS, "onset", "apex", "offset", "apex_missing", "seen", "prediction"]
  writer.writerow([*head, *(f"p_{k}" for k in names), *(f"spread_{k}" for k in names)])
  clips = table.clips
  for n, prediction in enumerate(table.prediction):
    key_frames = (int(getattr(clips, name)[n]) for name in ("onset", "apex", "offset"))
    marks = int(clips.apex_missing[n]), int(table.seen[n])
    numbers = (f"{x:.9g}" for x in (*table.probabilities[n], *table.spread[n]))
    keys = (getattr(clips, name)[n] for name in KEYS)
    writer.writerow([*keys, *key_frames, *marks, prediction, *numbers])
  return text.getvalue()


def _rows(table: Table) -> list[dict]:
  clips = table.clips
  return [
    {
      "keys": [str(getattr(clips, name)[n]) for name in KEYS],
      "prediction": table.prediction[n],
      "apex": f"{clips.apex[n]}{' (not given)' if clips.apex_missing[n] else ''}",
      "seen": bool(table.seen[n]),
      "classes": [
        (f"{p:.2f}", f"{spread:.2f}", round(100 * float(p)))
        for p, spread in zip(table.probabilities[n], table.spread[n], strict=True)
      ],
    }
    for n in range(len(clips))
  ]
