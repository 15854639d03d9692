"""The folder a run leaves its results in: whose it is, and what was there when it ran."""

import importlib.metadata
import json
import os
import pathlib
import platform
import subprocess
import sys
import time
from typing import Any

from ml_collections import config_dict

from mer_jax import atomic, settings
from mer_jax.errors import WorkdirError
from mer_jax.version import __version__

_PACKAGES = (
  "jax",
  "jaxlib",
  "flax",
  "optax",
  "orbax-checkpoint",
  "numpy",
  "opencv-python-headless",
)


def examine(workdir: str | os.PathLike[str], config: config_dict.ConfigDict) -> pathlib.Path:
  """Looks whether `config` may run in `workdir`; changes nothing.

  Raises:
    WorkdirError: the folder holds another run, or other people's files, or cannot be read.
  """
  path = pathlib.Path(workdir).expanduser()
  try:
    if (path / "config.json").is_file():
      found = json.loads((path / "config.json").read_text(encoding="utf-8"))
      _check_same(path, found, settings.to_json(config))
    elif path.exists() and any(path.iterdir()):
      raise WorkdirError(
        f"{path} is not empty and holds no config.json, so it is not the workdir of a run. Give"
        " --workdir a new folder."
      )
  except json.JSONDecodeError as error:
    raise WorkdirError(f"{path}/config.json is damaged ({error}). Use a new --workdir.") from error
  except OSError as error:
    raise WorkdirError(f"The workdir {path} cannot be used: {error}.") from error
  return path


def claim(
  path: pathlib.Path, config: config_dict.ConfigDict, fingerprint: str, devices: list[str]
) -> None:
  """Makes `path` this run's: writes config.json and environment.json, atomically.

  Only for a config that has proved to fit together: a mistake leaves no workdir behind that would
  then refuse the corrected command.

  Args:
    path: the workdir, from `examine`.
    config: resolved; config.json also gets its hash.
    fingerprint: sha256 of the clips and their labels and folds.
    devices: a name for each device.

  Raises:
    WorkdirError: an earlier part of this run used other data, or the folder cannot be written.
  """
  new = settings.to_json(config)
  content = {"hash": settings.digest(new), "config": new}
  try:
    path.mkdir(parents=True, exist_ok=True)
    _check_data(path, fingerprint)
    atomic.write_text(path / "config.json", json.dumps(content, indent=2) + "\n")
    environment = json.dumps(_environment(fingerprint, devices), indent=2)
    atomic.write_text(path / "environment.json", environment + "\n")
  except OSError as error:
    raise WorkdirError(f"The workdir {path} cannot be used: {error}.") from error


def _check_data(path: pathlib.Path, fingerprint: str) -> None:
  file = path / "environment.json"
  if not file.is_file():
    return
  before = json.loads(file.read_text(encoding="utf-8")).get("data_fingerprint")
  if before != fingerprint:
    raise WorkdirError(
      f"The run in {path} was made on other data (fingerprint {str(before)[:12]}..., now"
      f" {fingerprint[:12]}...). Use a new --workdir, or put the prepared data back."
    )


def _check_same(path: pathlib.Path, found: dict[str, Any], new: dict[str, Any]) -> None:
  old_fields, new_fields = settings.identity(found.get("config", {})), settings.identity(new)
  differs = [
    f"{key}: {old_fields.get(key, 'absent')!r} there, {new_fields.get(key, 'absent')!r} now"
    for key in sorted({*old_fields, *new_fields})
    if old_fields.get(key, "absent") != new_fields.get(key, "absent")
  ]
  if differs:
    raise WorkdirError(
      f"{path} holds a run of another config ({'; '.join(differs)}). Use a new --workdir, or the"
      " config of that run."
    )


def _environment(fingerprint: str, devices: list[str]) -> dict[str, Any]:
  return {
    "mer_jax": __version__,
    "git_commit": _git_commit(),
    "python": platform.python_version(),
    "platform": platform.platform(),
    "packages": {name: _version(name) for name in _PACKAGES},
    "devices": devices,
    "cpu_cores": os.cpu_count(),
    "data_fingerprint": fingerprint,
    "command": " ".join(sys.argv),
    "time": time.strftime("%Y-%m-%d %H:%M:%S %z"),
  }


def _version(package: str) -> str:
  try:
    return importlib.metadata.version(package)
  except importlib.metadata.PackageNotFoundError:
    return "not installed"


def _git_commit() -> str:
  """The commit of the checkout that the package runs from, with "-dirty" where files differ."""
  root = pathlib.Path(__file__).resolve().parent.parent
  if not (root / ".git").exists():
    return "not a checkout"
  try:
    described = subprocess.run(
      ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40"],
      capture_output=True,
      text=True,
      timeout=20,
      check=True,
    )
  except (OSError, subprocess.SubprocessError):
    return "unknown"
  return described.stdout.strip()
