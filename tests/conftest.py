"""Every test sees four simulated CPU devices; what is about one device asks for one."""

import gc
import os
import pathlib
import signal
import subprocess

# Workers share the cores: where threads of BLAS waited for each other, small matrices took thirty
# times as long. Before numpy is imported, and for every process that a test starts.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"} | os.environ

# Tests compile much and compute little: a program that is not optimised is ready in a third of the
# time. Before jax is imported, and for every process that a test starts.
# MER_JAX_OPTIMISED=1 leaves programs as users have them, see tests/training/test_optimised.py.
if not os.environ.get("MER_JAX_OPTIMISED"):
  flags = os.environ.get("XLA_FLAGS", "")
  os.environ["XLA_FLAGS"] = f"{flags} --xla_backend_optimization_level=0"

import jax
import pytest
from fork_server import ForkServer

from mer_jax.runtime import xla_guard

pytest_plugins = ["small_corpora"]
# Programs that are not optimised run much slower under the guard. It is tested on its own, in
# processes that optimise (tests/runtime/test_xla_guard.py), and commands that tests start have it.
if not os.environ.get("MER_JAX_OPTIMISED"):
  xla_guard.FIRST_AFFECTED = (1000,)

# A shell lets what it starts in the background ignore SIGINT, nohup SIGHUP, and that is handed on;
# some tests are about these signals.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
  signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
  signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Tracing makes objects by the million and few cycles: looking for those took a fifth of the time.
gc.set_threshold(200_000, 50, 50)

# No test pulls the plug; those about that watch the calls (tests/shared/power.py).
os.fsync = lambda descriptor: None

jax.config.update("jax_num_cpu_devices", 4)
# Many tests compile the same small programs: each is compiled once.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
  cache = pathlib.Path(__file__).parent.parent / ".cache" / "jax"
  jax.config.update("jax_compilation_cache_dir", str(cache))
  jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
  jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


# Files that take half a minute and more. They come first, so that workers end at about one time.
LONG = (
  *("test_engine.py", "test_commands.py", "test_table2.py", "test_unkillable.py", "test_demo.py"),
  *("test_processes.py", "test_run.py", "test_selection.py", "test_contributing.py"),
  *("test_install.py", "test_notebook.py"),
)
ROOT = pathlib.Path(__file__).parents[1]
# The contracts of the engine hold for every model. `make test` tries the first of them, on which
# all others stand, with every model, and the others with these; `make test-all` tries all with all.
EVERYDAY = {"parallel", "parallel_cnn_lstm", "ststnet"}
CONTRACTS = ("test_engine.py", "test_loop.py", "test_sweep.py", "test_implementations.py")
CONTRACTS += ("test_xla_guard.py", "test_drawn.py")
FOR_EVERY_MODEL = "test_noise_in_place_of_the_held_out_subject_changes_no_bit_of_its_fold"
# Folders of tests by the packages they are about, where the names differ.
ABOUT = {"builders": "data_builders", "synthetic": "data_builders", "docs": "", "benchmarks": ""}


def pytest_addoption(parser):
  parser.addoption(
    "--changed",
    action="store_true",
    help="only tests of packages that differ from the last commit but one, and of the outline",
  )


def pytest_collection_modifyitems(config, items):
  for item in items:
    if is_another_model(item):
      item.add_marker(pytest.mark.exhaustive)
  items.sort(key=lambda item: item.path.name not in LONG)
  if config.getoption("--changed"):
    changed = changed_packages()
    kept = [item for item in items if is_about(item.path, changed)]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
    items[:] = kept


def is_another_model(item) -> bool:
  """Whether `item` is a contract of the engine with a model that it is not tried with every day."""
  given = item.callspec.params if hasattr(item, "callspec") else {}
  case = given.get("case", given.get("name"))
  is_contract = item.path.name in CONTRACTS and isinstance(case, str)
  return is_contract and case not in EVERYDAY and item.originalname != FOR_EVERY_MODEL


def changed_packages() -> set[str]:
  """ "training", "data_builders", "tests/training": of files that differ from HEAD~1."""
  listed = subprocess.run(
    ["git", "-C", str(ROOT), "diff", "--name-only", "HEAD~1"], capture_output=True, text=True
  )
  parts = [pathlib.PurePosixPath(name).parts for name in listed.stdout.splitlines()]
  packages = {part[1] for part in parts if part[0] == "mer_jax" and len(part) > 2}
  packages |= {part[0] for part in parts if part[0] in ("data_builders", "configs")}
  return packages | {"/".join(part[:2]) for part in parts if part[0] == "tests"}


def is_about(path: pathlib.Path, changed: set[str]) -> bool:
  folder = path.relative_to(ROOT).parts
  if folder[0] == "data_builders":
    return "data_builders" in changed
  about = ABOUT.get(folder[1], folder[1])
  of_outline = path.name in ("test_layering.py", "test_project_files.py")
  return of_outline or about in changed or f"tests/{folder[1]}" in changed


@pytest.fixture(scope="session")
def server():
  """What processes are forked from that are about what a command does, not about how it starts."""
  with ForkServer({**os.environ, "PYTHONPATH": str(ROOT)}) as server:
    yield server


@pytest.fixture(autouse=True, scope="module")
def forget_programs():
  """Compiled programs of one file are of no use to the next and add up to gigabytes."""
  yield
  jax.clear_caches()
