"""The folder of a run: which config, code and data it belongs to."""

import contextlib
import json
import pathlib
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from ml_collections import config_dict

import mer_jax
from mer_jax.errors import WorkdirError
from mer_jax.experiment import environment, identity, settings, workdir_files
from mer_jax.runtime import atomic, distributed, locks, outputs

_NAMED = 5  # definitions that a message names


class Origin(NamedTuple):
  """What the results of a run come from.

  Attributes:
    fingerprint: sha256 of the clips with their labels and folds.
    devices: a name for each device.
    sources: digests of the code that the training reaches, see sources.digests; empty where the
      code does not matter.
  """

  fingerprint: str
  devices: list[str]
  sources: dict[str, str]


def examine(path: pathlib.Path, config: config_dict.ConfigDict) -> None:
  """Checks that `config` may run in the folder `path`; changes nothing.

  Raises:
    WorkdirError: the folder holds another run or other files, cannot be read, or has a name that
      is not UTF-8.
  """
  atomic.check_name(path)
  try:
    if (path / "config.json").is_file():
      _check_same(path, workdir_files.config(path), settings.to_json(config))
    elif path.exists() and any(not _half_claimed(file) for file in path.iterdir()):
      raise WorkdirError(
        f"{path} is not empty and holds no config.json, so it is not the workdir of a run. Give"
        " --workdir a new folder."
      )
  except OSError as error:
    raise WorkdirError(f"The workdir {path} cannot be used: {error}.") from error


@contextlib.contextmanager
def alone(path: pathlib.Path) -> Iterator[None]:
  """While inside, no other run may be inside for the folder `path`; see locks.exclusive.

  Of several processes of one run, the first takes the lock for all.

  Raises:
    WorkdirError: another run is inside, or the folder cannot be written.
  """
  with contextlib.ExitStack() as stack:
    distributed.on_main(stack.enter_context, locks.exclusive(path))
    yield


def claim(path: pathlib.Path, config: config_dict.ConfigDict, origin: Origin) -> None:
  """Makes `path` this run's: writes environment.json and config.json, atomically.

  Only for a config that has proved to fit together: a mistake leaves no workdir behind that would
  then refuse the corrected command. environment.json keeps what was there when the run began; what
  differs when it goes on is added under `resumed`. Temporary files of killed writers are removed.

  Args:
    path: the workdir, from `examine`.
    config: resolved; config.json also gets its hash.
    origin: data, devices and code.

  Raises:
    WorkdirError: an earlier part of this run used other data, or the folder cannot be written.
  """
  now = {**environment.of(origin.devices), "data_fingerprint": origin.fingerprint}
  try:
    atomic.make_folder(path)
    recorded = workdir_files.environment(path) if (path / "config.json").is_file() else None
    if recorded is None and (path / "config.json").is_file():
      print(
        f"warning: {path} lost its environment.json: whether the run began with this code and"
        " these data cannot be checked.",
        file=sys.stderr,
      )
    if recorded:
      _check_fingerprint(path, recorded, origin.fingerprint)
      _warn_of_packages(recorded, now)
  except OSError as error:
    raise WorkdirError(f"The workdir {path} cannot be used: {error}.") from error
  remove_abandoned(path)
  # config.json last: a folder that has it was claimed to the end.
  recorded = _continued(recorded, now) if recorded else now
  recorded = {**recorded, "sources": origin.sources}
  _write_json(path / "environment.json", recorded)
  write_config(path, config)


def remove_abandoned(path: pathlib.Path) -> None:
  """Removes temporary files that killed writers left in the folder `path`.

  Raises:
    WorkdirError: the folder cannot be written.
  """
  try:
    for file in path.rglob(".*.tmp-*"):
      if atomic.is_abandoned(file):
        file.unlink()
  except OSError as error:
    raise WorkdirError(f"The workdir {path} cannot be used: {error}.") from error


def check_sources(path: pathlib.Path, sources: dict[str, str], *, allowed: bool) -> None:
  """Checks that a run in `path` may go on with the code of now.

  Args:
    path: the workdir.
    sources: digests of the code that the training reaches.
    allowed: go on in any case, with a warning (config.checkpoint.allow_changed_code).

  Raises:
    WorkdirError: code that an unfinished run has trained with differs; says which.
  """
  recorded = workdir_files.environment(path) if (path / "config.json").is_file() else None
  if recorded is None:
    return
  before = recorded.get("sources") or {}
  # A definition that is new can matter only through one that was there and now names it.
  differs = [
    f"{name} ({'changed' if name in sources else 'not reached any more'})"
    for name in before
    if before[name] != sources.get(name)
  ]
  if not differs and before:
    return
  named = ", ".join(differs[:_NAMED]) + ", ..." * (len(differs) > _NAMED)
  commit = str(recorded.get("git_commit", "unknown"))
  message = (
    f"{path} holds an unfinished run of another version of the code (mer_jax"
    f" {recorded.get('mer_jax')}, commit {commit}; now {mer_jax.__version__}, commit"
    f" {environment.commit()}). What its training reaches differs in"
    f" {named or 'unknown parts: that version kept no digests'}"
  )
  if allowed:
    print(f"warning: {message}; it goes on all the same.", file=sys.stderr)
    return
  raise WorkdirError(
    f"{message}. Its results would be those of neither version. Use a new --workdir, or go back to"
    f" the code of that run{f': git checkout {commit}' if environment.is_clean(commit) else ''}, or"
    " go on all the same with --config.checkpoint.allow_changed_code=True."
  )


def check_data(path: pathlib.Path, fingerprint: str) -> None:
  """Raises WorkdirError if the run in `path` was made on other data than `fingerprint` is of."""
  if recorded := workdir_files.environment(path):
    _check_fingerprint(path, recorded, fingerprint)


def write_config(path: pathlib.Path, config: config_dict.ConfigDict) -> None:
  """Writes `config`, resolved, and its hash as config.json in the folder `path`, atomically.

  Raises:
    WorkdirError: the folder cannot be written.
  """
  content = settings.to_json(config)
  _write_json(path / "config.json", {"hash": identity.digest(content), "config": content})


def _half_claimed(file: pathlib.Path) -> bool:
  """Whether a claim that was killed before its end may have left `file`."""
  known = ("environment.json", locks.FILE, outputs.FILE)
  return file.name in known or atomic.is_abandoned(file)


def _write_json(file: pathlib.Path, content: dict[str, Any]) -> None:
  atomic.write_text(file, json.dumps(content, indent=2) + "\n")


def _check_same(path: pathlib.Path, old: dict[str, Any], new: dict[str, Any]) -> None:
  old_fields, new_fields = identity.fields(old["config"]), identity.fields(new)
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


def _check_fingerprint(path: pathlib.Path, recorded: dict[str, Any], fingerprint: str) -> None:
  before = recorded.get("data_fingerprint")
  if before != fingerprint:
    raise WorkdirError(
      f"The run in {path} was made on other data (fingerprint {str(before)[:12]}..., now"
      f" {fingerprint[:12]}...). Use a new --workdir, or put the prepared data back."
    )


def _warn_of_packages(recorded: dict[str, Any], now: dict[str, Any]) -> None:
  before = recorded.get("packages", {})
  differs = [
    f"{name} {before.get(name, 'absent')} there, {version} now"
    for name, version in now["packages"].items()
    if before.get(name) != version
  ]
  if differs:
    print(
      f"warning: the run began with other packages ({'; '.join(differs)}); the last bits of its"
      " results may be others than without the change.",
      file=sys.stderr,
    )


def _continued(recorded: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
  """`environment` with what is now other than when the run last began or went on."""
  resumed = recorded.get("resumed", [])
  facts = {**recorded, **{k: v for entry in resumed for k, v in entry.items()}}
  # Every start has a time and a command of its own; alone they say nothing.
  if all(facts.get(k) == v for k, v in now.items() if k not in ("time", "command")):
    return recorded
  differs = {k: v for k, v in now.items() if facts.get(k) != v}
  return {**recorded, "resumed": [*resumed, differs]}
