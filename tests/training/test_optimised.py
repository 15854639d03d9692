"""The contracts that hold bit by bit, on programs that are optimised as those of users are."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize(
  ("file", "chosen", "tests"),
  [
    ("test_engine.py", "noise_in_place and shared and (parallel-shared or ststnet-shared)", 2),
    ("test_loop.py", "stopped_and_resumed and (parallel] or ststnet])", 2),
    ("test_drawn.py", "everything or with_clips", 3),
  ],
)
def test_contracts_hold_on_optimised_programs(file, chosen, tests):
  """Non-interference, and resume == uninterrupted, also with drawn, moved and mixed examples."""
  command = ("-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/training/{file}", "-k", chosen)
  environment = {key: value for key, value in os.environ.items() if key != "XLA_FLAGS"}
  environment["MER_JAX_OPTIMISED"] = "1"
  done = subprocess.run(
    [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True
  )
  assert done.returncode == 0, done.stdout + done.stderr
  assert re.search(rf"\b{tests} passed", done.stdout), done.stdout
