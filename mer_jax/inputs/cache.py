"""Computed inputs on disk, so that rows of a table and runs after one another share them.

What is kept is looked up by everything that decides it: the pixels and annotations of the clips,
the name and options of the computation, and the code of this package. Nothing that is kept can
therefore be out of date; a folder only grows, and may be deleted at any time.
"""

import contextlib
import contextvars
import functools
import hashlib
import io
import json
import os
import pathlib
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import cv2
import jax
import numpy as np

from mer_jax import atomic
from mer_jax.clips import Clips

_folder: contextvars.ContextVar[pathlib.Path | None] = contextvars.ContextVar(
  "folder", default=None
)


@contextlib.contextmanager
def keeping(folder: str | os.PathLike[str] | None) -> Iterator[None]:
  """Within it, `kept` looks into `folder` first and leaves there what it computes.

  Args:
    folder: made when it is first needed; None: nothing is kept.
  """
  path = pathlib.Path(folder).expanduser() if folder else None
  token = _folder.set(path)
  try:
    yield
  finally:
    _folder.reset(token)


def kept(
  clips: Clips,
  name: str,
  options: Mapping[str, Any],
  compute: Callable[[], dict[str, np.ndarray]],
) -> dict[str, np.ndarray]:
  """What `compute()` gives, from disk where an earlier call left it.

  Args:
    clips: Clips [N] that it is computed from.
    name: of the computation; together with the options and the clips it decides the result.
    options: what JSON can hold.
    compute: returns arrays by name.

  Returns:
    The arrays. A file that is damaged is computed again.

  Raises:
    WorkdirError: the folder cannot be written.
  """
  folder = _folder.get()
  if folder is None:
    return compute()
  file = folder / f"{name}-{_key(clips, name, options)}.npz"
  try:
    # Opened here: numpy does not close a damaged file that it opened itself.
    with open(file, "rb") as stream, np.load(stream, allow_pickle=False) as arrays:
      return dict(arrays)
  except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error):
    pass  # whatever is wrong with the folder is found when the result is written
  arrays = compute()
  content = io.BytesIO()
  np.savez(content, allow_pickle=False, **arrays)
  atomic.write_bytes(file, content.getvalue())
  return arrays


def _key(clips: Clips, name: str, options: Mapping[str, Any]) -> str:
  said = json.dumps([name, dict(options)], sort_keys=True)
  digest = hashlib.sha256(f"{clips.fingerprint()} {said} {_code()}".encode())
  return digest.hexdigest()[:32]


@functools.cache
def _code() -> str:
  """sha256 of the sources of mer_jax.inputs and the versions that they compute with."""
  digest = hashlib.sha256(f"{np.__version__} {cv2.__version__} {jax.__version__}".encode())
  for file in sorted(pathlib.Path(__file__).parent.glob("*.py")):
    digest.update(file.read_bytes().replace(b"\r\n", b"\n"))
  return digest.hexdigest()
