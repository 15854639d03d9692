"""Which fields of a config decide what a run computes, and their digest."""

import hashlib
import json
from typing import Any

# Fields that workdirs of earlier versions lack, with the values that stood for them: at these they
# decide nothing.
NEWER = {
  "training.losses": [["class", 1.0]],
  "training.trained": [],
  "training.frozen": [],
  "training.stages": [],
  "svm.layer": "",
}
# Fields that say where and how, not what: they may differ between a run and its continuation. More
# values of its variants add runs and change none.
NOT_IDENTITY = (
  "devices",
  "data.data_dir",
  "data.cache_dir",
  "checkpoint",
  "profile",
  "training.fold_block",
  "training.convolution",
  "variants.values",
  # Which weights they are says start.digest.
  "start.weights",
  # Of a grid: its systems, which have workdirs of their own, and where their data come from.
  "data_dir",
  "cache_dir",
  "corpora",
  "show",
  "systems",
)


def fields(config: dict[str, Any]) -> dict[str, Any]:
  """The flat fields ("training.epochs") of a JSON config that decide what a run computes."""
  flat = _flatten(config, "")
  # Without weights to start from, the fields of that section decide nothing.
  without = NOT_IDENTITY if flat.get("start.weights") else (*NOT_IDENTITY, "start")
  return {
    key: value
    for key, value in flat.items()
    if not any(key == name or key.startswith(name + ".") for name in without)
    and not (key in NEWER and value == NEWER[key])
  }


def digest(config: dict[str, Any]) -> str:
  """sha256 of the identity of a JSON config, in hexadecimal."""
  return hashlib.sha256(json.dumps(fields(config), sort_keys=True).encode()).hexdigest()


def _flatten(tree: dict[str, Any], prefix: str) -> dict[str, Any]:
  flat = {}
  for key, value in tree.items():
    if isinstance(value, dict):
      flat |= _flatten(value, f"{prefix}{key}.")
    else:
      flat[prefix + key] = value
  return flat
