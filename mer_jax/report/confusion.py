"""Confusion matrices: pooled, and of each dataset."""

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mer_jax.report import score_table, style

_PER_LINE = 4


def draw(summary: dict[str, Any]) -> bytes:
  """Draws one matrix for everything pooled and, where there are several, one for each dataset.

  Colour and percentage say which share of a true class went where; the count stands above it.

  Args:
    summary: what `evaluation.summary.summarise` returns.

  Returns:
    A PNG.
  """
  matrices = {"pooled": summary["pooled"]}
  if len(summary["per_dataset"]) > 1:
    matrices |= summary["per_dataset"]
  k = len(summary["classes"])
  columns = min(len(matrices), _PER_LINE)
  lines = math.ceil(len(matrices) / columns)
  side = max(1.9, 0.62 * k)
  with style.house_style():
    height = side + (1.3 if summary["missing"] else 1.1)  # titles of two lines where there is a gap
    figure = Figure(figsize=(1.1 + columns * (side + 0.5), lines * height), layout="tight")
    for i, (name, entry) in enumerate(matrices.items()):
      axes = figure.add_subplot(lines, columns, i + 1)
      _matrix(axes, np.array(entry["confusion"]), summary["classes"], labelled=i % columns == 0)
      axes.set_title(_title(name, entry))
    return style.png(figure)


def _title(name: str, entry: dict[str, Any]) -> str:
  if not entry["clips"]:
    return f"{name} (no prediction)"
  gap = f"\nover {score_table.over(entry)} clips" if any(entry["clips_missing"].values()) else ""
  return f"{name} (UF1 {entry['uf1']:.3f}){gap}"


def _matrix(axes: Axes, counts: np.ndarray, names: list[str], labelled: bool) -> None:
  shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
  axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
  for i, j in np.ndindex(*counts.shape):
    axes.text(
      j,
      i,
      f"{counts[i, j]}\n{shares[i, j]:.0%}",
      ha="center",
      va="center",
      fontsize=8,
      color="white" if shares[i, j] > 0.55 else style.INK,
    )
  rotation = 40 if max(map(len, names)) > 9 or len(names) > 4 else 0
  axes.set_xticks(range(len(names)), names, rotation=rotation, ha="right" if rotation else "center")
  axes.set_yticks(range(len(names)), names if labelled else [])
  axes.set_xlabel("prediction")
  if labelled:
    axes.set_ylabel("truth")
  axes.tick_params(length=0)
  axes.spines[:].set_visible(False)
