"""Commands that are not runs, killed or stopped: the same command then leaves what it always does.

Real processes run the real command line; a hook in them strikes at a chosen moment. Runs have
tests/experiment/test_unkillable.py.
"""

import pathlib
import random
import signal
import time
import zipfile

import pytest

from data_builders import synthetic
from mer_jax.errors import Interrupted

CHILD = """
import os, re, signal, sys
moment, name, *sys.argv[1:] = sys.argv[1:]

def strike(event, arguments, struck=[]):
  writes = event in ("os.rename", "os.mkdir", "shutil.rmtree") or (
    event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
  )
  if moment and writes and not struck:
    if re.search(moment, " ".join([event, *map(str, arguments[:2])])):
      struck.append(True)
      os.kill(os.getpid(), getattr(signal, name))

sys.addaudithook(strike)
from mer_jax.cli import command
command.cli()
"""
COMMANDS = {
  "build": "build smic --manual_dir={given}/corpus --data_dir={out}/data",
  "synthetic": "synthetic smic --out={out}/c --subjects=1 --clips_per_subject=3 --size=32",
  "export": "export motion_net_drawn --format=npz --out={out}/model.npz",
}
# In the order in which they come up.
MOMENTS = {
  "build": (
    r"os.mkdir \S*/\.1\.0\.0\.making",
    r"os.mkdir \S*incomplete",
    r"open \S*build_report",
    r"os.rename \S*build_report",
    r"os.rename \S*incomplete",
    r"os.rename \S*/new ",
    r"rmtree \S*making",
  ),
  "synthetic": (
    r"os.mkdir \S*/\.c\.making",
    r"open \S*bmp",
    r"open \S*truth",
    r"open \S*SYNTHETIC",
    r"os.rename \S*/new ",
    r"rmtree \S*making",
  ),
  "export": (r"open \S*/\.model", r"os.rename \S*/\.model"),
}
# Seconds within which a command is killed, and what else is tried so every week.
SECONDS = 4
FURTHER = {
  "long": "synthetic long --format=samm_lv --out={out}/l --subjects=1 --minutes=.05 --size=64",
  "stablehlo": "export motion_net_drawn --format=stablehlo --out={out}/model.bin",
}


@pytest.fixture(scope="module")
def given(tmp_path_factory) -> pathlib.Path:
  folder = tmp_path_factory.mktemp("given")
  synthetic.write("smic", folder / "corpus", subjects=2, clips_per_subject=2, size=32)
  return folder


@pytest.fixture(scope="module")
def start(server, given):
  def start(name, out, moment="", action=""):
    line = {**COMMANDS, **FURTHER}[name].format(given=given, out=out)
    return server.start(("-c", CHILD, moment, action, *line.split()), given)

  return start


@pytest.fixture(scope="module")
def undisturbed(start, tmp_path_factory):
  """{path: content} of everything that a command leaves."""
  known = {}

  def undisturbed(name):
    if name not in known:
      folder = tmp_path_factory.mktemp(name)
      assert start(name, folder).wait(120) == 0
      known[name] = content(folder)
    return known[name]

  return undisturbed


def content(folder: pathlib.Path) -> dict[str, bytes]:
  files = {str(p.relative_to(folder)): p for p in folder.rglob("*")}
  return {name: stored(path) if path.is_file() else b"" for name, path in files.items()}


def stored(path: pathlib.Path) -> bytes:
  """The bytes of a file; of a workbook, those that do not tell when it was written."""
  if path.suffix != ".xlsx":
    return path.read_bytes()
  with zipfile.ZipFile(path) as book:
    return b"".join(book.read(n) for n in book.namelist() if n != "docProps/core.xml")


@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize("name", COMMANDS)
def test_killed_on_the_way_it_ends_as_if_nothing_had_happened(
  name, every, start, undisturbed, tmp_path
):
  for moment in MOMENTS[name][every // 2 :: every]:
    assert start(name, tmp_path, moment, "SIGKILL").wait(120) == -signal.SIGKILL, moment
  assert any(path.name.startswith(".") for path in tmp_path.rglob("*"))
  assert start(name, tmp_path).wait(120) == 0
  assert content(tmp_path) == undisturbed(name)


@pytest.mark.parametrize(
  ("name", "moment", "action"),
  [("build", 4, "SIGINT"), ("synthetic", 1, "SIGHUP"), ("synthetic", 2, "SIGTERM")],
)
def test_a_signal_ends_it_in_order(name, moment, action, start, tmp_path):
  process = start(name, tmp_path / "made", MOMENTS[name][moment], action)
  code, said = process.wait(120), process.communicate()[1]
  assert code == Interrupted.exit_code, said
  assert f"stopped: {action} stopped the command" in said
  assert "Traceback" not in said
  assert not (tmp_path / "made").exists()


def test_a_signal_while_a_command_is_imported_ends_it_in_order(server, tmp_path):
  (tmp_path / "slow.py").write_text("import time\nopen('begun', 'w').close()\ntime.sleep(60)\n")
  program = "from mer_jax.cli import command; command.COMMANDS['x'] = 'slow', ''; command.cli()"
  process = server.start(("-c", program, "x"), tmp_path)
  while not (tmp_path / "begun").exists():
    time.sleep(0.01)
  process.send_signal(signal.SIGHUP)
  assert process.wait(60) == Interrupted.exit_code
  assert "stopped: SIGHUP ended the run at once" in process.communicate()[1]


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", [*COMMANDS, *FURTHER])
def test_killed_at_any_time_it_ends_as_if_nothing_had_happened(name, start, undisturbed, tmp_path):
  draw = random.Random(name)
  for folder in map(str, range(10)):
    for _ in range(3):
      process = start(name, tmp_path / folder)
      time.sleep(draw.uniform(0, SECONDS))
      process.kill()
      process.wait(60)
    assert start(name, tmp_path / folder).wait(120) == 0
    assert content(tmp_path / folder) == undisturbed(name)
