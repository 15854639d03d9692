"""Folders that appear complete or not at all, each made by one process at a time."""

import contextlib
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator

from mer_jax.errors import WorkdirError
from mer_jax.runtime import atomic, locks

_NEW, _OLD = "new", "old"


@contextlib.contextmanager
def replacing(folder: pathlib.Path) -> Iterator[pathlib.Path]:
  """An empty folder that takes the place of `folder` if the block ends well, and vanishes if not.

  It is made in `.NAME.making` beside `folder`, which is locked, so that whatever lies there before
  was left by the dead and is removed. What the block puts beside the new folder vanishes as well.

  Raises:
    WorkdirError: another process makes the same folder, the disk is full, or something may not be
      written; `folder` is as it was before.
  """
  folder = folder.absolute()
  parents = [path for path in [folder.parent, *folder.parents] if not path.exists()]
  try:
    with locks.exclusive(_place(folder)):
      _clear(folder)
      scratch = pathlib.Path(tempfile.mkdtemp(dir=_place(folder)))
      try:
        (scratch / _NEW).mkdir()
        yield scratch / _NEW
        atomic.synchronise_tree(scratch / _NEW)
        _swap(scratch / _NEW, folder, scratch / _OLD)
        atomic.synchronise(folder.parent)
      finally:
        shutil.rmtree(scratch, ignore_errors=True)
  except BaseException as error:
    for path in parents:
      with contextlib.suppress(OSError):  # not empty: another process is at work in it
        path.rmdir()
    if isinstance(error, OSError) or atomic.is_from_system(error):
      raise atomic.cannot_write(folder, error) from error
    raise


def recover(folder: pathlib.Path) -> None:
  """Removes what killed makers of `folder` left, and puts back what one of them had set aside.

  Nothing happens where another process is making it.
  """
  folder = folder.absolute()
  if _place(folder).exists():
    with contextlib.suppress(WorkdirError), locks.exclusive(_place(folder)):
      _clear(folder)


def _place(folder: pathlib.Path) -> pathlib.Path:
  return folder.parent / f".{folder.name}.making"


def _clear(folder: pathlib.Path) -> None:
  """Empties the place that this process has locked."""
  for left in _place(folder).iterdir():
    if left.name != locks.FILE:
      with contextlib.suppress(FileNotFoundError):
        if not folder.exists():  # killed between the two steps of `_swap`
          os.rename(left / _OLD, folder)
      shutil.rmtree(left)


def _swap(new: pathlib.Path, folder: pathlib.Path, aside: pathlib.Path) -> None:
  """Puts `new` in the place of `folder`, whose old content goes `aside`."""
  if folder.exists():
    os.rename(folder, aside)
  try:
    os.rename(new, folder)
  except BaseException:
    if aside.exists():
      os.rename(aside, folder)
    raise
