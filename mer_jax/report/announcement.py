"""What is about to run, in a few lines on the console."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mer_jax.evaluation import folds
from mer_jax.protocols import Split
from mer_jax.report import score_table


def announcement(
  config: Mapping[str, Any],
  split: Split,
  arrays: Mapping[str, np.ndarray],
  about: Mapping[str, str],
  devices: Sequence[str],
) -> str:
  """Says what is about to run: corpus, clips, folds, model, devices.

  Args:
    config: the resolved config as nested dicts, with the fields of `settings.default`.
    split: the clips, classes and folds.
    arrays: the input of the model by name, each [N, ...].
    about: further lines by their names: the model and how it is trained.
    devices: a name for each device.

  Returns:
    Lines of plain text without a trailing line break.
  """
  data, fold = config["data"], folds.of_split(split)
  held_out = folds.held_out(split.clips.dataset, split.clips.subject, fold)
  words = score_table.HELD_OUT[held_out]
  named = f" ({', '.join(split.fold_names)})" if held_out == folds.DATASET else ""
  classes = np.bincount(split.labels, minlength=len(split.class_names))
  seeds = "seed" if config["seeds"] == 1 else "seeds"
  counts = ", ".join(f"{n} {name}" for n, name in zip(classes, split.class_names, strict=True))
  shapes = ", ".join(f"{name} {list(array.shape[1:])}" for name, array in arrays.items())
  lines = {
    "corpus": f"{', '.join(data['datasets'])} ({data['builder_config']})",
    "protocol": f"{config['protocol']['name']}, {words.method.lower().replace('-', ' ')}",
    "clips": f"{len(split.labels)}: {counts}",
    "folds": f"{len(split.fold_names)} {words.many}{named}, {config['seeds']} {seeds}",
    "input": f"{config['input']['name']}: {shapes} a clip",
    **about,
    "devices": f"{len(devices)}: {', '.join(devices)}",
  }
  width = max(map(len, lines))
  text = [f"{name.ljust(width)}  {value}" for name, value in lines.items()]
  return "\n".join([*text, *(f"Note: {remark}" for remark in split.remarks)])
