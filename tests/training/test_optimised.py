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
  ("file", "chosen"),
  [
    ("test_engine.py", "noise_in_place and shared and (parallel-shared or ststnet-shared)"),
    ("test_loop.py", "stopped_and_resumed and (parallel] or ststnet])"),
    ("test_drawn.py", "everything or with_clips"),
    ("test_stages.py", "noise_in_place or stopped_and_resumed"),
  ],
)
def test_contracts_hold_on_optimised_programs(file, chosen):
  """Non-interference, and resume == uninterrupted; with drawn, moved and mixed examples too."""
  command = ("-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/training/{file}", "-k", chosen)
  environment = {key: value for key, value in os.environ.items() if key != "XLA_FLAGS"}
  environment["MER_JAX_OPTIMISED"] = "1"
  done = subprocess.run(
    [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True
  )
  assert done.returncode == 0, done.stdout + done.stderr
  assert re.search(r"\b2 passed", done.stdout), done.stdout
