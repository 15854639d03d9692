"""Every test sees four simulated CPU devices; what is about one device asks for one."""

import os
import pathlib
import signal

# Tests compile much and compute little: a program that is not optimised is ready in a third of the
# time. Before jax is imported, and for every process that a test starts.
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0"

import jax
import pytest

# A shell lets what it starts in the background ignore SIGINT, and that is handed on; some tests are
# about that signal.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
  signal.signal(signal.SIGINT, signal.default_int_handler)

jax.config.update("jax_num_cpu_devices", 4)
# Many tests compile the same small programs: each is compiled once.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
  cache = pathlib.Path(__file__).parent.parent / ".cache" / "jax"
  jax.config.update("jax_compilation_cache_dir", str(cache))
  jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
  jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


# Files that take a minute and more. They come first, so that two workers end at about one time.
LONG = ("test_engine.py", "test_readme.py", "test_table2.py", "test_unkillable.py", "test_demo.py")


def pytest_collection_modifyitems(items):
  items.sort(key=lambda item: item.path.name not in LONG)


@pytest.fixture(autouse=True, scope="module")
def forget_programs():
  """Compiled programs of one file are of no use to the next and add up to gigabytes."""
  yield
  jax.clear_caches()
