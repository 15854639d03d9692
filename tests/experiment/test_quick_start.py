"""What has to be there before the first step: few imports, and no compilation the second time."""

import gzip
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

import pytest

REPOSITORY = pathlib.Path(__file__).parents[2]
HEAVY = ("jax", "flax", "optax", "orbax", "matplotlib", "cv2", "tensorflow_datasets", "torch")
# The demo's model and input, made smaller still.
LESS = (
  *("--config.training.epochs=2", "--config.input.num_frames=4", "--config.input.size=16"),
  *("--config.model.channels=2,3", "--config.model.cnn_features=4", "--config.devices=1"),
  *("--config.model.lstm_features=4", "--config.model.head_features=4"),
)
CACHE_LOG = re.compile(r"persistent compilation cache (hit|miss) for '([^']+)'", re.IGNORECASE)


def python(*arguments, **environment):
  done = subprocess.run(
    [sys.executable, *map(str, arguments)],
    cwd=REPOSITORY,
    env={**os.environ, **environment},
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  return done


@pytest.mark.parametrize("module", ["mer_jax", "mer_jax.main", "mer_jax.cli.train"])
def test_what_reads_flags_loads_nothing_heavy(module):
  """By what it loads, not by the clock: a mistake in a flag is answered without any of these."""
  code = f"import sys, {module}; print([m for m in {HEAVY!r} if m in sys.modules])"
  assert python("-c", code).stdout.strip() == "[]"


def test_a_run_loads_no_tensorflow_and_no_torch():
  code = "import sys, mer_jax.experiment.run; print({'tensorflow', 'torch'} & {*sys.modules})"
  assert python("-c", code).stdout.strip() == "set()"


@pytest.fixture(scope="module")
def demo(data_dir, tmp_path_factory):
  """Runs what `make demo` runs, small, in the workdir of a given name; returns its cache's log."""
  folder = tmp_path_factory.mktemp("demo")
  dry = subprocess.run(
    ["make", "--dry-run", "demo"], cwd=REPOSITORY, capture_output=True, text=True, check=True
  )
  lines = dry.stdout.replace("\\\n", " ").splitlines()
  (line,) = (line for line in lines if "/mer_jax train --config=demo" in line)
  words = [word for word in shlex.split(line)[1:] if not word.startswith("--workdir")]
  command = ["-m", "mer_jax", *words]
  # Where the cache is and that it keeps everything, as the Makefile says.
  exported = re.findall(r"^export (JAX_\w+) \?= (.+)$", (REPOSITORY / "Makefile").read_text(), re.M)
  environment = dict(exported) | {
    "JAX_COMPILATION_CACHE_DIR": str(folder / "cache"),
    "JAX_DEBUG_LOG_MODULES": "jax._src.compiler",
  }

  def run(name):
    workdir = folder / name
    more = (f"--workdir={workdir}", f"--config.data.data_dir={data_dir}", *LESS)
    done = python(*command, *more, **environment)
    assert (workdir / "report.html").is_file()
    events = [(kind.lower(), program) for kind, program in CACHE_LOG.findall(done.stderr)]
    return {kind: [p for k, p in events if k == kind] for kind in ("hit", "miss")}

  return run


@pytest.mark.exhaustive
def test_the_second_demo_compiles_nothing(demo):
  first = demo("first")
  assert first["hit"] == []
  assert any("train" in program for program in first["miss"])
  second = demo("second")
  assert second["miss"] == []
  assert sorted(second["hit"]) == sorted(first["miss"])
  assert demo("second") == {"hit": [], "miss": []}  # finished: reported again, without a program


def test_a_profile_is_a_trace_that_viewers_open(data_dir, server, tmp_path):
  """Perfetto opens the one file, XProf and TensorBoard the other."""
  workdir = tmp_path / "run"
  command = ("-m", "mer_jax.main", "--config=configs/demo.py:casme2", "--profile")
  more = (f"--workdir={workdir}", f"--config.data.data_dir={data_dir}", *LESS)
  done = server.run((*command, *more), REPOSITORY)
  assert done.returncode == 0, done.stderr
  (trace,) = (workdir / "profile").rglob("*.trace.json.gz")
  events = json.loads(gzip.decompress(trace.read_bytes()))["traceEvents"]
  spans = [event for event in events if event.get("ph") == "X"]
  assert any("train" in event["name"] for event in spans)
  assert all(event["dur"] >= 0 for event in spans)
  (planes,) = (workdir / "profile").rglob("*.xplane.pb")
  assert planes.stat().st_size > 1000
  assert (workdir / "report.html").is_file()
