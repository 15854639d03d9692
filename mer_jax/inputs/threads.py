"""Work on many images on all cores of the host."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.pool import ThreadPool
from typing import Any

import cv2

from mer_jax.runtime.progress import progress


def on_all_cores(function: Callable[..., Any], *rows: Iterable[Any]) -> list[Any]:
  """`function` of the first of each of `rows`, of the second of each, and so on, in order.

  For functions that leave Python while they work, as those of OpenCV, numpy and jax do.
  """
  with one_thread_in_opencv(), ThreadPool(os.cpu_count()) as pool:
    return pool.starmap(function, zip(*rows, strict=True))


def map_in_order(function: Callable[[int], Any], items: Iterable[int], what: str) -> Iterator[Any]:
  """Yields `function` of each of `items` in order, computed on all cores, with a bar over clips."""
  items = list(items)
  bar = progress(len(items), what, "clip")
  with one_thread_in_opencv(), bar, ThreadPool(os.cpu_count()) as pool:
    for result in pool.imap(function, items):
      yield result
      bar.update()


@contextlib.contextmanager
def one_thread_in_opencv() -> Iterator[None]:
  """OpenCV's own threads off and back on: the images already occupy every core."""
  threads = cv2.getNumThreads()
  cv2.setNumThreads(1)
  try:
    yield
  finally:
    cv2.setNumThreads(threads)
