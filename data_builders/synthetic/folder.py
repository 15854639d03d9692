"""The folder of a synthetic corpus: what is in it before, and its mark as drawn."""

import contextlib
import json
import pathlib
from typing import Any

from data_builders.schema import SYNTHETIC_MARK
from mer_jax import errors
from mer_jax.runtime import folders

_PARAMETERS = "parameters: "


def already_there(out: pathlib.Path, parameters: dict[str, Any], overwrite: bool) -> bool:
  """Whether `out` holds what `parameters` describe; False where it is to be written.

  Raises:
    DataError: `out` holds something else, and is no synthetic corpus or may not be replaced.
  """
  folders.recover(out)
  if not out.exists() or (out.is_dir() and not any(out.iterdir())):
    return False
  mark = out / SYNTHETIC_MARK
  if not mark.is_file():
    raise errors.DataError(
      f"{out} is there and is not a synthetic corpus (it has no {SYNTHETIC_MARK}); it is left"
      " alone. Choose another --out."
    )
  present = _read_parameters(mark)
  if present == parameters:
    return True
  if overwrite:
    return False
  differing = sorted(k for k in parameters if present.get(k) != parameters[k])
  listed = ", ".join(f"{k} {present.get(k)!r} instead of {parameters[k]!r}" for k in differing)
  raise errors.DataError(
    f"{out} holds another synthetic corpus ({listed}). Choose another --out or pass --overwrite."
  )


def write_mark(root: pathlib.Path, layout: str, parameters: dict[str, Any]) -> None:
  """Writes into `root` that it is drawn, in which layout and by which parameters."""
  text = (
    "SYNTHETIC. Everything below this folder was drawn by data_builders.synthetic in the layout of"
    f" {layout}.\nNo person was recorded; no image or annotation of the real corpus is in it.\n"
    f"Results on it say nothing about people.\n{_PARAMETERS}{json.dumps(parameters)}\n"
  )
  (root / SYNTHETIC_MARK).write_text(text, encoding="utf-8")


def _read_parameters(mark: pathlib.Path) -> dict[str, Any]:
  for line in mark.read_text(encoding="utf-8", errors="replace").splitlines():
    if line.startswith(_PARAMETERS):
      with contextlib.suppress(json.JSONDecodeError):
        parameters = json.loads(line.removeprefix(_PARAMETERS))
        return parameters if isinstance(parameters, dict) else {}
  return {}
