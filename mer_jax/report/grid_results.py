"""The results of a grid, and the record of each in results.csv and results.json."""

import csv
import io
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from mer_jax.report import score_table
from mer_jax.report.published import Number


class Size(NamedTuple):
  """How large a system is.

  Attributes:
    reads: its input with the arrays of a clip: "apex_frame: image 64 × 64 × 1".
    parameters: of a network.
    multiply_adds: of a network, forwards and for a clip; None where they are not known.
  """

  reads: str
  parameters: int | None
  multiply_adds: int | None


class Result(NamedTuple):
  """A system on a corpus.

  Attributes:
    folder: workdir of the run.
    summary: what `evaluation.summarise` returned; None where there is no result.
    seconds: that it took, over all sittings; None where it is not known.
    reason: why there is no result, or a gap in it; "" in a complete run.
    leaky: as `summary`, of the epochs that the held-out clips would choose; None where the run did
      not look at that.
  """

  folder: pathlib.Path
  summary: dict[str, Any] | None
  seconds: float | None
  reason: str = ""
  leaky: dict[str, Any] | None = None
  size: Size | None = None


def record(
  grid: pathlib.Path,
  key: tuple[str, str],
  label: tuple[str, str],
  result: Result,
  printed: Number | None,
  score: str,
) -> dict[str, Any]:
  """What is known of a result, flat.

  Args:
    grid: the folder that the record's own is relative to.
    key: system and dataset.
    label: the system and its setting, as published.
    result: of them.
    printed: the published number, if there is one.
    score: what published numbers are.
  """
  summary = result.summary
  pooled = summary["pooled"] if summary else {}
  std, (low, high) = pooled.get("std") or {}, score_table.ends(pooled)
  parts = {"": pooled, "_std": std, "_low": low, "_high": high}
  return {
    "system": key[0],
    "label": label[0],
    "setting": label[1],
    "dataset": key[1],
    "clips": pooled.get("clips"),
    "clips_missing": sum(pooled["clips_missing"].values()) if summary else None,
    "seeds": len(summary["seeds_scored"]) if summary else 0,
    **{
      f"{key}{end}": part.get(key)
      for key in ("accuracy", "uf1", "uar")
      for end, part in parts.items()
    },
    "fold_mean_accuracy": summary["fold_mean"]["absent_as_0"]["accuracy"] if summary else None,
    "majority_accuracy": summary["majority"]["accuracy"] if summary else None,
    "majority_uf1": summary["majority"]["uf1"] if summary else None,
    **({"leaky_test_best_uf1": result.leaky["pooled"]["uf1"]} if result.leaky else {}),
    f"published_{score}": printed.value if printed else None,
    "published_clips": printed.clips if printed else None,
    "published_correct": printed.correct if printed else None,
    **(result.size or Size("", None, None))._asdict(),
    "seconds": result.seconds,
    "folder": result.folder.relative_to(grid).as_posix(),
    "gap": result.reason or (score_table.gap(summary) if summary else None) or "",
  }


def as_csv(records: Sequence[dict[str, Any]]) -> str:
  """A line of CSV for each record; what only some of them hold is empty in the others."""
  text = io.StringIO()
  names = dict.fromkeys(name for entry in records for name in entry)
  writer = csv.DictWriter(text, list(names), lineterminator="\n", restval="")
  writer.writeheader()
  writer.writerows(records)
  return text.getvalue()
