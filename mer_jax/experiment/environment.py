"""What a run leaves in environment.json: versions, host, command, and the commit of the code."""

import importlib.metadata
import os
import pathlib
import platform
import subprocess
import sys
import time
from typing import Any

import mer_jax

_PACKAGES = (
  "jax",
  "jaxlib",
  "flax",
  "optax",
  "orbax-checkpoint",
  "numpy",
  "opencv-python-headless",
  "scikit-learn",
)
_ROOT = pathlib.Path(mer_jax.__file__).resolve().parent


def of(devices: list[str]) -> dict[str, Any]:
  """What is known now of this process and the code that it runs.

  Args:
    devices: a name for each device that it uses.
  """
  return {
    "mer_jax": mer_jax.__version__,
    "git_commit": commit(),
    "python": platform.python_version(),
    "platform": platform.platform(),
    "packages": {name: version(name) for name in _PACKAGES},
    "devices": devices,
    "cpu_cores": os.cpu_count(),
    "command": " ".join(sys.argv),
    "time": time.strftime("%Y-%m-%d %H:%M:%S %z"),
  }


def versions() -> dict[str, str]:
  """Versions of this package, of Python and of the libraries that decide what is computed."""
  return {
    "mer_jax": mer_jax.__version__,
    "python": platform.python_version(),
    **{name: version(name) for name in _PACKAGES},
  }


def version(package: str) -> str:
  """The version of an installed package, or "not installed"."""
  try:
    return importlib.metadata.version(package)
  except importlib.metadata.PackageNotFoundError:
    return "not installed"


def is_clean(commit: str) -> bool:
  """Whether `commit`, as `of` gives it, names code exactly."""
  return " " not in commit and commit != "unknown" and not commit.endswith("-dirty")


def commit() -> str:
  """The commit of the checkout that the package runs from, with "-dirty" where files differ."""
  if not (_ROOT.parent / ".git").exists():
    return "not a checkout"
  try:
    described = subprocess.run(
      ["git", "-C", str(_ROOT.parent), "describe", "--always", "--dirty", "--abbrev=40"],
      capture_output=True,
      text=True,
      timeout=20,
      check=True,
    )
  except (OSError, subprocess.SubprocessError):
    return "unknown"
  return described.stdout.strip()
