"""A trace of one chunk of epochs: what the device did when, for Perfetto or XProf."""

import contextlib
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import jax


@contextlib.contextmanager
def tracing(folder: pathlib.Path | None) -> Iterator[Callable[[Any], Any]]:
  """While inside, everything is traced into `folder`; nothing is if it is None.

  Leaves `plugins/profile/<time>/<host>.xplane.pb`, for XProf and TensorBoard, and beside it
  `<host>.trace.json.gz`, which https://ui.perfetto.dev opens.

  Yields:
    A function to pass results through: waits for them, so that the trace holds their computation.
  """
  if folder is None:
    yield lambda results: results
    return
  with jax.profiler.trace(str(folder)):
    yield jax.block_until_ready
