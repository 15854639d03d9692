"""Processes that tests start and expect to end well."""

import pathlib
import subprocess
import sys
from collections.abc import Mapping


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
