"""Processes that tests start and expect to end well."""

import contextlib
import pathlib
import subprocess
import sys
from collections.abc import Iterator, Mapping


def output_of_python(
  arguments: tuple[object, ...], folder: pathlib.Path, environment: Mapping[str, str]
) -> str:
  """What this Python prints when it runs `arguments` in `folder`; its exit code must be 0."""
  done = subprocess.run(
    [sys.executable, *map(str, arguments)],
    cwd=folder,
    env=environment,
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stdout + done.stderr
  return done.stdout


HOLD = """
import sys
from mer_jax.runtime import locks
with locks.exclusive(sys.argv[1]):
  print("inside", flush=True)
  sys.stdin.read()
"""


@contextlib.contextmanager
def owner_of(folder: pathlib.Path) -> Iterator[subprocess.Popen[str]]:
  """Another process that holds the lock of `folder`; it ends where its input does."""
  process = subprocess.Popen(
    [sys.executable, "-c", HOLD, str(folder)],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    text=True,
  )
  assert process.stdout
  assert process.stdout.readline() == "inside\n"
  yield process
  process.kill()
  process.communicate()
