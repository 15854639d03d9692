"""A folder is replaced as a whole or not at all, by one process, whatever becomes of the others."""

import pathlib
import signal
import time

import pytest

from mer_jax.errors import Interrupted, WorkdirError
from mer_jax.runtime import folders, interrupts, locks

# Makes the folder; ends before a rename that has a part of this name, or waits for a file.
MAKER = """
import os, pathlib, signal, sys, time
from mer_jax.errors import MerError
from mer_jax.runtime import folders
folder, moment = sys.argv[1:]

def strike(event, arguments):
  if event == "os.rename" and moment in map(os.path.basename, arguments[:2]):
    os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(strike)
try:
  with folders.replacing(pathlib.Path(folder)) as new:
    (new / "file").write_text("made")
    (new.parent / "beside").mkdir()
    while moment == "wait" and not os.path.exists(folder + ".go"):
      time.sleep(0.01)
except MerError as error:
  sys.exit(str(error))
"""


@pytest.fixture
def make(server, tmp_path):
  """Starts a process that makes the folder "out" and ends at the moment that is given."""
  made = []

  def make(moment=""):
    process = server.start(("-c", MAKER, str(tmp_path / "out"), moment), tmp_path)
    made.append(process)
    return process

  yield make
  for process in made:
    process.kill()


def content(folder: pathlib.Path) -> dict[str, str]:
  files = [path for path in folder.rglob("*") if path.is_file()]
  return {str(path.relative_to(folder)): path.read_text() for path in files}


@pytest.mark.parametrize("moment", ["old", "new"])  # before either step of the exchange
def test_what_a_killed_maker_left_goes_and_what_it_set_aside_comes_back(moment, make, tmp_path):
  (tmp_path / "out").mkdir()
  (tmp_path / "out" / "file").write_text("old")
  assert make(moment).wait(60) == -signal.SIGKILL
  assert (tmp_path / "out").exists() == (moment == "old")
  folders.recover(tmp_path / "out")
  assert content(tmp_path) == {"out/file": "old"}
  assert make().wait(60) == 0
  assert content(tmp_path) == {"out/file": "made"}
  assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_two_never_make_one_folder_not_even_when_a_stopped_one_wakes(make, tmp_path):
  first = make("wait")
  while not list(tmp_path.glob(".out.making/*/beside")):
    time.sleep(0.01)
  first.send_signal(signal.SIGSTOP)
  with (
    pytest.raises(WorkdirError, match=f"in use by process {first.pid}"),
    folders.replacing(tmp_path / "out"),
  ):
    pass
  folders.recover(tmp_path / "out")  # leaves it alone
  assert len(list(tmp_path.glob(".out.making/*/new/file"))) == 1
  # What the message advises where there is no such process.
  (tmp_path / ".out.making" / locks.FILE).unlink()
  with folders.replacing(tmp_path / "out") as new:
    (new / "file").write_text("other")
  (tmp_path / "out.go").touch()
  first.send_signal(signal.SIGCONT)
  assert first.wait(60) == 1
  assert "out cannot be written" in first.communicate()[1]
  assert content(tmp_path) == {"out/file": "other", "out.go": ""}


def test_what_fails_leaves_nothing_not_even_the_folders_above(tmp_path):
  with pytest.raises(ValueError, match="halfway"), folders.replacing(tmp_path / "a" / "b" / "out"):
    raise ValueError("halfway")
  assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", interrupts.SIGNALS)
def test_a_signal_in_a_destructor_is_not_lost(number):
  class Signalling:
    def __del__(self):
      signal.raise_signal(number)

  @interrupts.unwinding()
  def work():
    Signalling()
    time.sleep(60)

  before = signal.getsignal(number)
  with pytest.raises(Interrupted, match=number.name):
    work()
  assert signal.getsignal(number) == before
