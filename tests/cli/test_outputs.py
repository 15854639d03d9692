"""What is printed decides nothing: not where nobody reads it, nor where it cannot be written."""

import io
import os
import pathlib
import subprocess
import sys

import pytest

from mer_jax import errors
from mer_jax.experiment import settings, workdir
from mer_jax.runtime import atomic, command_line, outputs

ROOT = pathlib.Path(__file__).parents[2]
PRINT = """
import sys
from mer_jax.runtime import command_line
parser = command_line.Parser(prog="any")
parser.add_argument("--workdir")
def printed(options):
  for line in range(20_000):
    print("line", line, flush=line == 0)
  if "memory" in sys.argv:
    raise MemoryError("Unable to allocate 3 TiB")
  return 6 if options.workdir else 0
sys.exit(command_line.execute(parser, printed, [a for a in sys.argv[1:] if a != "memory"]))
"""


def run(*arguments, stdout, **environment):
  return subprocess.run(
    [sys.executable, "-c", PRINT, *arguments],
    env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    stdout=stdout,
    stderr=subprocess.PIPE,
    text=True,
    check=False,
  )


@pytest.fixture(params=["full", "left"])
def failing(request):
  """A full device, or a pipe whose reader has left."""
  if request.param == "full":
    with open("/dev/full", "w") as file:
      yield file
    return
  read, write = os.pipe()
  os.close(read)
  yield write
  os.close(write)


def test_a_command_whose_output_fails_goes_on_and_notes_it(failing, tmp_path):
  done = run(f"--workdir={tmp_path}", stdout=failing)
  assert (done.returncode, done.stderr) == (6, "")
  note = (tmp_path / outputs.FILE).read_text()
  assert "<stdout> could not be written any more: " in note
  assert note.endswith("line 19999\n")
  (tmp_path / "environment.json").write_text("{}")
  workdir.examine(tmp_path, settings.default())  # is no reason to refuse the folder


def test_a_list_that_cannot_be_printed_is_an_error_unless_its_reader_left(failing):
  done = run(stdout=failing)
  if isinstance(failing, int):
    assert (done.returncode, done.stderr) == (0, "")
  else:
    assert done.returncode == errors.WorkdirError.exit_code
    assert "standard output cannot be written: No space left on device" in done.stderr


def test_memory_that_ends_is_a_message():
  done = run("memory", stdout=subprocess.DEVNULL)
  assert done.returncode == errors.MerError.exit_code
  assert done.stderr.startswith("\nerror: There is not enough memory: Unable to allocate 3 TiB.")


def test_closed_streams_are_none_and_no_file_takes_their_numbers(monkeypatch):
  monkeypatch.setattr(sys, "stdout", None)
  monkeypatch.setattr(sys, "stderr", None)
  with outputs.unfailing():
    print("nobody sees it")
    print("nor this", file=sys.stderr, flush=True)
  assert sys.stdout is None


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "gbk", "utf-8"])
def test_names_that_cannot_be_printed_are_shown_with_escapes(encoding, monkeypatch, tmp_path):
  name = os.fsdecode(b"\xb8\xb1.txt")
  beneath = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
  monkeypatch.setattr(sys, "stdout", beneath)
  with outputs.unfailing():
    print(f"0.5–0.6 {name} \ud800")
  written = beneath.buffer.getvalue().decode(encoding)
  assert r"\udcb8\udcb1.txt \ud800" in written
  atomic.write_text(tmp_path / name, name)
  assert (tmp_path / name).read_text(encoding="utf-8") == errors.shown(name)


def test_a_folder_to_write_with_a_name_that_is_not_utf8_is_refused(tmp_path):
  folder = tmp_path / os.fsdecode(b"\xd6\xd0")
  with pytest.raises(errors.WorkdirError, match=r"\\udcd6\\udcd0 cannot be written: its name is"):
    workdir.examine(folder, settings.default())
  assert command_line.report(errors.WorkdirError(str(folder))) == 5
