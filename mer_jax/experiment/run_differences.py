"""What else tells finished runs apart: their remarks, their configs, single clips."""

import json
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from mer_jax.evaluation import remarks
from mer_jax.evaluation.clip_table import ClipTable
from mer_jax.experiment import identity
from mer_jax.report.clip_rows import predictions_text
from mer_jax.runtime import regular_files


def warnings(names: Sequence[str], files: Sequence[pathlib.Path]) -> list[str]:
  """What runs with these predictions.csv warn of: leaky weights, drawn clips; and which runs."""
  by_name = list(zip(names, files, strict=True))
  drawn = [name for name, file in by_name if remarks.synthetic(file)]
  leaky = [f"{name}: {text}" for name, file in by_name for text in remarks.leaky(file)]
  return [*leaky, *remarks.synthetic_among(drawn, len(names))]


def config_fields(names: Sequence[str], files: Sequence[pathlib.Path]) -> dict[str, Any]:
  """The config fields that decide what a run computes and are not the same in all runs.

  Returns:
    fields: for each `field` ("training.epochs") its `values`, one text for each run; None where the
      run's config has no such field or is not there. absent: the runs without a config.json that
      can be read beside their predictions.csv.
  """
  configs = [_config(file) for file in files]
  known = [config for config in configs if config is not None]
  every = dict.fromkeys(field for config in known for field in config)
  return {
    "fields": [
      {"field": field, "values": [config and config.get(field) for config in configs]}
      for field in every
      if len({config.get(field) for config in known}) > 1
    ],
    "absent": [name for name, config in zip(names, configs, strict=True) if config is None],
  }


def changed_sides(a: ClipTable, b: ClipTable) -> list[dict[str, Any]]:
  """The clips that one of two runs over the same clips has right and the other wrong.

  With several seeds a clip is right where more than half of them are, wrong where fewer are.

  Returns:
    For each such clip dataset, subject, clip, truth; what `a` and `b` predict, as text; and
    `right`, "a" or "b".
  """
  share_a, share_b = ((table.prediction == table.label).mean(axis=0) for table in (a, b))
  changed = np.flatnonzero((share_a - 0.5) * (share_b - 0.5) < 0)
  return [
    {
      "dataset": str(a.dataset[n]),
      "subject": str(a.subject[n]),
      "clip": str(a.clip[n]),
      "truth": a.class_names[a.label[n]],
      "a": predictions_text(a.prediction[:, n], a.class_names),
      "b": predictions_text(b.prediction[:, n], b.class_names),
      "right": "a" if share_a[n] > 0.5 else "b",
    }
    for n in changed.tolist()
  ]


def _config(file: pathlib.Path) -> dict[str, str] | None:
  """The identity of the config beside `file`, its values as text; None where it cannot be read."""
  try:
    content = json.loads(regular_files.read_text(file.parent / "config.json"))
    fields = identity.fields(content["config"])
  except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
    return None
  return {
    name: value if isinstance(value, str) else json.dumps(value) for name, value in fields.items()
  }
