"""intervals.csv of a person's own video: one row for each spotted interval."""

import csv
import io
from collections.abc import Sequence

from mer_jax.report.timeline import Mark


def text(marks: Sequence[Mark], classes: Sequence[str]) -> str:
  """The file's content: where and when, what moved, probabilities of the K `classes`.

  Frames are numbers in the file, from 0.
  """
  file = io.StringIO()
  table = csv.writer(file, lineterminator="\n")
  points = ("onset", "apex", "offset")
  table.writerow(
    [
      *("face", "kind"),
      *(f"{point}_seconds" for point in points),
      *(f"{point}_frame" for point in points),
      *("strength_pixels", "regions", "blinking", "prediction"),
      *(f"probability_{name}" for name in classes),
      *(f"spread_{name}" for name in classes),
    ]
  )
  for mark in marks:
    spread = [""] * len(classes) if mark.spread is None else [f"{v:.6f}" for v in mark.spread]
    table.writerow(
      [
        *(mark.face, mark.interval.kind),
        *(f"{seconds:.3f}" for seconds in mark.seconds),
        *mark.frames,
        *(f"{mark.interval.strength:.3f}", "; ".join(mark.interval.regions)),
        *(int(mark.blinking), mark.prediction),
        *(f"{v:.6f}" for v in mark.probabilities),
        *spread,
      ]
    )
  return file.getvalue()
