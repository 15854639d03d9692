"""An ordered map over threads that never runs far ahead of its consumer."""

import collections
import concurrent.futures
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

In = TypeVar("In")
Out = TypeVar("Out")


def ordered(function: Callable[[In], Out], items: Iterable[In]) -> Iterator[Out]:
  """`function` of every item, in the order of the items, computed by a thread per core.

  Threads are enough, because OpenCV lets go of the interpreter lock while it decodes; and the
  results wait in a window of two per thread, because a corpus need not fit into memory.
  """
  workers = max(1, os.cpu_count() or 1)
  pool = concurrent.futures.ThreadPoolExecutor(workers)
  waiting: collections.deque[concurrent.futures.Future[Out]] = collections.deque()
  try:
    for item in items:
      waiting.append(pool.submit(function, item))
      if len(waiting) > 2 * workers:
        yield waiting.popleft().result()
    while waiting:
      yield waiting.popleft().result()
  finally:
    pool.shutdown(wait=True, cancel_futures=True)
