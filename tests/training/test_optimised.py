"""The contracts that hold bit by bit, on programs that are optimised as those of users are."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
# Of each file two tests.
CHOSEN = {
  "test_engine": "noise_in_place and shared and (parallel-shared or ststnet-shared)",
  "test_loop": "stopped_and_resumed and (parallel] or ststnet])",
  "test_drawn": "everything or with_clips",
  "test_stages": "noise_in_place or stopped_and_resumed",
}


@pytest.mark.slow
def test_contracts_hold_on_optimised_programs():
  """Non-interference, and resume == uninterrupted; with drawn, moved and mixed examples too."""
  files = [f"tests/training/{name}.py" for name in CHOSEN]
  chosen = " or ".join(f"({name}.py and ({tests}))" for name, tests in CHOSEN.items())
  command = ("-m", "pytest", "-q", "-p", "no:cacheprovider", *files, "-k", chosen)
  environment = {key: value for key, value in os.environ.items() if key != "XLA_FLAGS"}
  environment["MER_JAX_OPTIMISED"] = "1"
  done = subprocess.run(
    [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True
  )
  assert done.returncode == 0, done.stdout + done.stderr
  assert re.search(rf"\b{2 * len(CHOSEN)} passed", done.stdout), done.stdout
