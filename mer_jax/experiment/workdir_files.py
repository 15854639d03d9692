"""What the folder of a run says of itself, read back: whoever edited it gets one message."""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from mer_jax.errors import WorkdirError


def config(path: pathlib.Path) -> dict[str, Any]:
  """The content of config.json in the folder `path`: its `config` is an object.

  Raises:
    WorkdirError: it is absent or damaged.
  """
  return _read_json(path / "config.json", {"config": dict})


def environment(path: pathlib.Path) -> dict[str, Any] | None:
  """environment.json of the claimed folder `path`; None where somebody removed it.

  Raises:
    WorkdirError: it is damaged.
  """
  file = path / "environment.json"
  if not file.is_file():
    return None
  content = _read_json(file, {"data_fingerprint": str, "packages": dict})
  for name, kind in {"sources": dict, "resumed": list}.items():
    if not isinstance(content.get(name, kind()), kind):
      raise _damaged(file, f"its field {name!r} is no {kind.__name__}")
  if not all(isinstance(entry, dict) for entry in content.get("resumed", [])):
    raise _damaged(file, "its field 'resumed' holds something else than objects")
  return content


def _read_json(file: pathlib.Path, types: Mapping[str, type]) -> dict[str, Any]:
  """The object in `file`; raises WorkdirError where a key of `types` is of another type."""
  try:
    content = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
      raise ValueError("it is no object")
    for name, kind in types.items():
      if not isinstance(content.get(name), kind):
        raise ValueError(f"its field {name!r} is absent, or no {kind.__name__}")
  except (ValueError, RecursionError) as error:  # also of text that is not UTF-8
    raise _damaged(file, error) from error
  return content


def _damaged(file: pathlib.Path, reason: object) -> WorkdirError:
  return WorkdirError(f"{file} is damaged ({reason}). Use a new --workdir, or put it back.")
