"""Computed inputs on disk, so that rows of a table and runs after one another share them.

What is kept is looked up by everything that decides it: the pixels and annotations of the clips,
the name and options of the computation, and the code of this package. Nothing that is kept can
therefore be out of date; a folder only grows, and may be deleted at any time. Of several processes
that need the same, one computes it and the others wait.
"""

import functools
import hashlib
import io
import json
import os
import pathlib
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import cv2
import jax
import numpy as np

from mer_jax.clips import Clips
from mer_jax.runtime import atomic, locks, regular_files


class Cache(NamedTuple):
  """A folder of computed inputs.

  Attributes:
    folder: made when it is first needed; None: nothing is kept.
  """

  folder: pathlib.Path | None

  def load_or_compute(
    self,
    clips: Clips,
    name: str,
    options: Mapping[str, Any],
    compute: Callable[[], dict[str, np.ndarray]],
  ) -> dict[str, np.ndarray]:
    """What `compute()` returns, from the folder where an earlier call left it.

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
    if self.folder is None:
      return compute()
    file = self.folder / f"{name}-{_key(clips, name, options)}.npz"
    kept = _read(file)
    if kept is not None:
      return kept
    with locks.exclusive(self.folder / f".{file.name}.making", wait=True):
      kept = _read(file)  # another process may have made it meanwhile
      if kept is not None:
        return kept
      arrays = compute()
      content = io.BytesIO()
      np.savez(content, allow_pickle=False, **arrays)
      atomic.write_bytes(file, content.getvalue())
      return arrays


NO_CACHE = Cache(None)


def cache_in(folder: str | os.PathLike[str] | None) -> Cache:
  """The cache in `folder`; `NO_CACHE` where that is empty or None."""
  return Cache(pathlib.Path(folder).expanduser()) if folder else NO_CACHE


def _read(file: pathlib.Path) -> dict[str, np.ndarray] | None:
  """The arrays in `file`; None where it is absent or damaged."""
  try:
    # Opened here: numpy does not close a damaged file that it opened itself.
    with regular_files.opened(file) as stream, np.load(stream, allow_pickle=False) as arrays:
      return dict(arrays)
  except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error):
    return None  # whatever is wrong with the folder shows when the result is written


def _key(clips: Clips, name: str, options: Mapping[str, Any]) -> str:
  computation = json.dumps([name, dict(options)], sort_keys=True)
  digest = hashlib.sha256(f"{clips.fingerprint()} {computation} {_code()}".encode())
  return digest.hexdigest()[:32]


@functools.cache
def _code() -> str:
  """sha256 of the sources of mer_jax.inputs and the versions that they compute with."""
  digest = hashlib.sha256(f"{np.__version__} {cv2.__version__} {jax.__version__}".encode())
  for file in sorted(pathlib.Path(__file__).parent.glob("*.py")):
    digest.update(file.read_bytes().replace(b"\r\n", b"\n"))
  return digest.hexdigest()
