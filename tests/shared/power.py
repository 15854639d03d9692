"""What a disk still holds after a power loss: what was synchronised, and nothing else."""

import contextlib
import os
import pathlib
import threading
from typing import NamedTuple


class Cut(NamedTuple):
  """A moment at which the power may go.

  Attributes:
    synchronised: content of each file by its path, as far as both were synchronised; of folders,
      with None as content.
    written: the same of everything that the kernel knew of.
  """

  synchronised: dict[str, bytes | None]
  written: dict[str, bytes | None]


class Disk:
  """Watches a folder through os.fsync, and knows at every call what the disk would hold.

  A file holds what it held at its last os.fsync, whatever its name is since; a folder lists what it
  listed at its own. What was never synchronised is empty.
  """

  def __init__(self, root: pathlib.Path, monkeypatch):
    self.root, self.cuts = root, []
    self._fsync, self._lock = os.fsync, threading.Lock()
    self._files: dict[int, bytes] = {}
    self._folders: dict[int, dict[str, tuple[int, bool]]] = {}
    self._open: dict[int, int] = {}  # keeps numbers of removed files from being given again
    self._see(root)
    monkeypatch.setattr(os, "fsync", self._synchronise)

  def _synchronise(self, descriptor: int) -> None:
    with self._lock:
      # Before it takes effect, and after.
      self._cut()
      self._fsync(descriptor)
      path = pathlib.Path(os.readlink(f"/proc/self/fd/{descriptor}"))
      if path.is_relative_to(self.root):
        self._see(path)
        self._cut()

  def _see(self, path: pathlib.Path) -> None:
    number = self._number(path)
    if not path.is_dir():
      self._files[number] = path.read_bytes()
      return
    self._folders[number] = {p.name: (self._number(p), p.is_dir()) for p in path.iterdir()}

  def _number(self, path: pathlib.Path) -> int:
    number = path.stat().st_ino
    if number not in self._open:
      self._open[number] = os.open(path, os.O_RDONLY)
    return number

  def _cut(self) -> None:
    written: dict[str, bytes | None] = {}
    for folder, folders, files in os.walk(self.root):  # which passes over what is renamed meanwhile
      here = pathlib.Path(folder).relative_to(self.root)
      written |= {str(here / name): None for name in folders}
      for name in files:
        with contextlib.suppress(FileNotFoundError):  # another thread removed it meanwhile
          written[str(here / name)] = pathlib.Path(folder, name).read_bytes()
    cut = Cut(dict(self._listed(self.root.stat().st_ino, "")), written)
    if cut not in self.cuts[-1:]:
      self.cuts.append(cut)

  def _listed(self, folder: int, prefix: str):
    for name, (number, is_folder) in self._folders.get(folder, {}).items():
      yield prefix + name, None if is_folder else self._files.get(number, b"")
      if is_folder:
        yield from self._listed(number, f"{prefix}{name}/")

  def close(self) -> None:
    for descriptor in self._open.values():
      os.close(descriptor)


def restore(content: dict[str, bytes | None], folder: pathlib.Path) -> None:
  """Makes `folder`, which must not exist, hold `content` of a Cut."""
  folder.mkdir()
  for name, data in sorted(content.items()):
    if data is None:
      (folder / name).mkdir()
    else:
      (folder / name).write_bytes(data)
