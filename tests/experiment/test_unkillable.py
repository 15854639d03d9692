"""Whatever ends a run, at whatever moment: the same command finishes it, with the same bytes.

Real processes run the real command line. A hook in them watches every file that is opened for
writing, renamed or removed, and strikes at the chosen one: SIGKILL before it happens, the kernel
in the middle of a write, a signal, or a disk that is full from then on.
"""

import concurrent.futures
import os
import pathlib
import random
import re
import resource
import signal
import subprocess
import sys
import time

import pytest
from fork_server import ForkServer

from mer_jax import errors
from mer_jax.experiment import settings, workdir
from mer_jax.runtime import atomic

REPOSITORY = pathlib.Path(__file__).parents[2]
CHILD = """
import os, re, resource, runpy, signal, sys, threading, time
moment, action = sys.argv[1:3]
sys.argv = ["mer_jax", *sys.argv[3:]]
unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
if action == "half":
  signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # the kernel ends who writes beyond the limit

def strike(event, path):
  if action == "half":
    before = os.path.getsize(path) if os.path.exists(path) else 0
    # Within the file; in a new folder, beyond every text and within the arrays.
    limit = before + 100 if event == "open" else 8000
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, unlimited))
  elif action.startswith("full"):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(action[4:]), unlimited))
  elif action == "twice":
    threading.Thread(target=twice, daemon=True).start()
  else:
    os.kill(os.getpid(), getattr(signal, action.split()[0]))
    time.sleep(60 if action.endswith("blocked") else 0)

def twice():
  for number in (signal.SIGTERM, signal.SIGINT):
    time.sleep(1)
    os.kill(os.getpid(), number)

def hook(event, arguments, struck=[]):
  if event == "open":
    if not isinstance(arguments[2], int) or not arguments[2] & (os.O_WRONLY | os.O_RDWR):
      return
  elif event not in ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree", "import"):
    return
  if not struck and re.search(moment, " ".join([event, *map(str, arguments[:2])])):
    struck.append(True)
    strike(event, str(arguments[0]))

if moment == "start":
  strike(moment, "")
elif moment:
  sys.addaudithook(hook)
runpy.run_module("mer_jax.main", run_name="__main__", alter_sys=True)
"""
EPOCHS = 6


@pytest.fixture(scope="module")
def arguments(data_dir):
  """The flags of a run with a checkpoint after every epoch."""
  fields = {
    "data.data_dir": data_dir,
    "devices": 1,
    "input.num_frames": 6,
    "input.size": 16,
    "model.channels": "2,3",
    "model.cnn_features": 4,
    "model.lstm_features": 4,
    "model.head_features": 4,
    "training.epochs": EPOCHS,
    "training.fold_block": 5,
    "checkpoint.every_epochs": 1,
  }
  return [
    f"--config={REPOSITORY / 'configs' / 'parallel_cnn_lstm.py:casme2'}",
    *(f"--config.{name}={value}" for name, value in fields.items()),
  ]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
  """With a compilation cache of these tests' own: who kills writers must not share one."""
  environment = {
    **os.environ,
    "PYTHONPATH": str(REPOSITORY),
    "JAX_COMPILATION_CACHE_DIR": str(tmp_path_factory.mktemp("cache")),
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
  }
  with ForkServer(environment) as server:
    yield server


@pytest.fixture(scope="module")
def start(arguments, server):
  def start(folder, moment="", action="", *more):
    command = ("-c", CHILD, moment, action, *arguments, f"--workdir={folder}", *more)
    return server.start(command, REPOSITORY)

  return start


@pytest.fixture(scope="module")
def run(start):
  """Runs to its end and returns (exit code, standard error)."""

  def run(folder, moment="", action="", *more):
    process = start(folder, moment, action, *more)
    try:
      _, said = process.communicate(timeout=120)
    finally:
      process.kill()
    return process.returncode, said

  return run


@pytest.fixture(scope="module")
def undisturbed(run, tmp_path_factory):
  """The workdir of a run that nothing happened to."""
  folder = tmp_path_factory.mktemp("undisturbed") / "run"
  code, said = run(folder)
  assert code == 0, said
  return folder


def assert_same_results(folder, undisturbed):
  for name in ("predictions.csv", "metrics.json", "history.jsonl"):
    assert (folder / name).read_bytes() == (undisturbed / name).read_bytes(), name
  left = {path.relative_to(folder).parts[0] for path in folder.rglob("*")}
  assert left == {path.name for path in undisturbed.iterdir()}
  odd = [p for p in folder.rglob("*") if p.name.startswith(".") or "orbax-checkpoint-tmp" in p.name]
  assert odd == []


# Each moment once, in an order in which every one of them comes up.
CHAINS = {
  "while things begin and while they are finished": [
    (r"os.mkdir .*/run\b", "SIGKILL"),
    (r"open .*environment", "half"),
    (r"os.rename .*environment", "SIGKILL"),
    (r"os.rename .*config", "SIGKILL"),
    (r"os.rename .*history", "SIGKILL"),
    (r"open .*history\.jsonl", "half"),
    (r"open .*predictions", "half"),
    (r"os.rename .*predictions", "SIGKILL"),
    (r"open .*confusion", "half"),
    (r"os.rename .*curves", "SIGKILL"),
    (r"os.rename .*report", "SIGKILL"),
  ],
  "while checkpoints come and go": [
    (r"os.mkdir .*/1\.orbax-checkpoint-tmp ", "SIGKILL"),
    (r"os.mkdir .*1\.orbax-checkpoint-tmp/state", "half"),  # arrays, written without Python
    (r"open .*digests", "half"),
    (r"os.rename .*1\.orbax-checkpoint-tmp/state", "SIGKILL"),
    (r"os.rename .*1\.orbax-checkpoint-tmp ", "SIGKILL"),
    (r"os.rename .*2\.orbax-checkpoint-tmp ", "SIGKILL"),
    (r"rmtree .*checkpoints/1", "SIGKILL"),
    (r"os.rmdir .*checkpoints/", "SIGKILL"),
  ],
}
TIMED = 1


@pytest.mark.slow
def test_killed_again_and_again_it_ends_with_the_same_bytes(start, run, undisturbed, tmp_path):
  def killed(name):
    folder = tmp_path / name / "run"
    folder.parent.mkdir()
    draw = random.Random(name)
    for moment, action in CHAINS[name]:
      code, said = run(folder, moment, action)
      expected = signal.SIGXFSZ if action == "half" else signal.SIGKILL
      assert code == -expected, f"{moment} was not reached: {code} {said}"
    for _ in range(TIMED):
      process = start(folder)
      time.sleep(draw.uniform(0.2, 4))
      process.kill()
      process.communicate()
    code, said = run(folder)
    assert code == 0, said
    return folder

  assert sum(map(len, CHAINS.values())) + TIMED * len(CHAINS) >= 20
  with concurrent.futures.ThreadPoolExecutor() as pool:
    for folder in pool.map(killed, CHAINS):
      assert_same_results(folder, undisturbed)


@pytest.mark.slow
def test_a_full_disk_is_named_and_after_making_room_the_run_goes_on(run, undisturbed, tmp_path):
  folder, before = tmp_path / "run", {}
  sizes = {p.name: p.stat().st_size for p in undisturbed.rglob("*") if p.is_file()}
  checkpoint = max(p.stat().st_size for p in (undisturbed / "checkpoints").rglob("*"))
  figure = sizes["clips.png"]
  assert sizes["environment.json"] < checkpoint // 2 < figure < sizes["report.html"]
  for moment, limit, name in (
    ("start", sizes["config.json"] - 1, "environment.json"),
    (r"open .*history\.jsonl", 0, "history.jsonl"),
    # Half: in how many pieces orbax writes is a matter of timing.
    ("start", checkpoint // 2, "checkpoints"),
    ("start", figure - 1, "clips.png"),
    ("start", sizes["report.html"] - 1, "report.html"),
  ):
    code, said = run(folder, moment, f"full{limit}")
    assert code == errors.WorkdirError.exit_code, said
    assert re.search(rf"error: \S*{re.escape(name)} cannot be written: File too large", said)
    assert "Traceback" not in said
    for path, content in before.items():
      assert path.read_bytes() == content
    complete = ("predictions.csv", "metrics.json", "figures/confusion.png")
    before = {folder / n: (folder / n).read_bytes() for n in complete if (folder / n).exists()}
  assert before
  code, said = run(folder)
  assert code == 0, said
  assert_same_results(folder, undisturbed)


@pytest.mark.slow
def test_signals_end_with_their_code_and_the_same_command_goes_on(
  arguments, server, run, undisturbed, tmp_path
):
  folder = tmp_path / "run"
  command = ("-c", CHILD, "import orbax", "SIGINT blocked", *arguments, f"--workdir={folder}")
  importing = subprocess.run(
    [sys.executable, *command],
    env=server.environment,
    capture_output=True,
    text=True,
  )
  ended = [(importing.returncode, importing.stderr, "SIGINT ended the run at once")]
  for moment, action, says in (
    (r"os.rename .*/2\.orbax-checkpoint-tmp ", "SIGTERM", r"SIGTERM stopped .* epoch \d of 6"),
    (r"os.rename .*predictions", "SIGTERM blocked", "SIGTERM ended the run at once"),
  ):
    ended.append((*run(folder, moment, action), says))
  for code, said, says in ended:
    assert code == errors.Interrupted.exit_code, said
    assert re.search(f"stopped: {says}", said)
    assert "same command goes on from there" in said
    assert "Traceback" not in said
  code, said = run(folder)
  assert code == 0, said
  assert_same_results(folder, undisturbed)


def test_a_second_signal_ends_a_chunk_that_takes_hours_at_once(run, undisturbed, tmp_path):
  hours = ("--config.training.epochs=100000000", "--config.training.chunk_epochs=100000000")
  code, said = run(tmp_path / "run", r"os.rename .*history", "twice", *hours)
  assert code == errors.Interrupted.exit_code
  # jax 0.10.1 reports that a cached program prefers instructions differently, which is harmless.
  lines = [line for line in said.splitlines() if line and "cpu_aot_loader" not in line]
  first, second = lines
  assert first.startswith("SIGTERM: the chunk of epochs under way is finished and saved first")
  assert second.startswith("stopped: SIGINT ended the run at once")


@pytest.fixture
def full_disk():
  """Whatever grows beyond 1000 bytes finds no room."""
  before = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
  yield
  resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_that_finds_no_room_stays_as_it_was(tmp_path, full_disk):
  for write in (atomic.write_text, atomic.append_text):
    path = tmp_path / write.__name__
    write(path, "old\n")
    with pytest.raises(errors.WorkdirError, match=f"{path.name} cannot be written: File too large"):
      write(path, "x" * 2000)
    assert path.read_text() == "old\n"
  assert {p.name for p in tmp_path.iterdir()} == {"write_text", "append_text"}


def test_a_folder_that_may_not_be_written_is_named(tmp_path):
  (tmp_path / "file").write_text("")
  with pytest.raises(errors.WorkdirError, match="file/below cannot be written: "):
    atomic.write_text(tmp_path / "file" / "below", "")


def dead_process():
  process = subprocess.Popen([sys.executable, "-c", ""])
  process.wait()
  return process.pid


def test_temporary_files_of_the_dead_are_removed_and_those_of_the_living_are_not(tmp_path):
  config = settings.default()
  workdir.examine(tmp_path / "run", config)
  workdir.claim(tmp_path / "run", config, workdir.Origin("a" * 64, [], {}))
  with atomic.temporary_beside(tmp_path / "run" / "figures.png") as mine:
    name = mine.name
  dead = name.replace(f"-{os.getpid()}-", f"-{dead_process()}-")
  living = name.replace(f"-{os.getpid()}-", f"-{os.getppid()}-")
  elsewhere = name.replace("tmp-", "tmp-another.host-")
  assert len({name, dead, living, elsewhere}) == 4
  (tmp_path / "run" / "figures").mkdir()
  for file in (dead, living, elsewhere, f"figures/{dead}", ".notes.tmp-mine"):
    (tmp_path / "run" / file).write_text("")
  workdir.claim(tmp_path / "run", config, workdir.Origin("a" * 64, [], {}))
  left = {p.name for p in (tmp_path / "run").rglob(".*")}
  assert left == {living, elsewhere, ".notes.tmp-mine"}


@pytest.mark.parametrize("left", [[], ["environment.json"]])
def test_a_claim_that_was_killed_is_no_reason_to_refuse(tmp_path, left):
  config = settings.default()
  with atomic.temporary_beside(tmp_path / "config.json") as mine:
    name = mine.name
  for file in (*left, name.replace(f"-{os.getpid()}-", f"-{dead_process()}-")):
    (tmp_path / file).write_text("")
  workdir.examine(tmp_path, config)
  workdir.claim(tmp_path, config, workdir.Origin("a" * 64, [], {}))
  assert {p.name for p in tmp_path.iterdir()} == {"environment.json", "config.json"}
