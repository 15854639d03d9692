"""The config of a run in groups: what was set for it before what was left as it was."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from mer_jax.report.templates import flat

# Overrides in a recorded command: its arguments were joined by blanks.
_FIELD = re.compile(r"(?:^|\s)--?(?:no)?config\.([\w.]+)")


class Group(NamedTuple):
  """Fields with what they have in common: a name, where that is known from, (field, value)s."""

  name: str
  source: str
  lines: list[tuple[str, str]]


def groups(config: Any, environment: Any, defaults: Mapping[str, Any] | None) -> list[Group]:
  """The fields of config.json, those first that somebody chose for this run.

  Which ones the command line set is read from the commands that environment.json keeps; of the
  others, those follow that are not as by default.

  Args:
    config: the content of config.json; None where there is none.
    environment: that of environment.json, or None.
    defaults: every field with its default; None where it is not known.

  Returns:
    Groups without an empty one, but the first is always there; empty without a config.
  """
  lines = flat(config) if isinstance(config, dict) else []
  if not dict(lines).get("start.weights"):  # without them that section decides nothing
    lines = [line for line in lines if not line[0].startswith("start.")]
  if not lines:
    return []
  given, known = set(_set_by_commands(environment)), dict(flat(defaults or {}))
  fields = {name for name, _ in flat(config.get("config", config))}
  # A sweep or variants are empty in the run of one of their values.
  first = [(name, value) for name, value in lines if name in given and value]
  rest = [line for line in lines if line not in first]
  chosen = [line for line in rest if known and line[0] in fields and known.get(line[0]) != line[1]]
  kept = [line for line in rest if line not in chosen]
  others = "As by default" if known else "All other fields"
  return [
    Group(
      "Set on the command line",
      "By the command in environment.json."
      if first
      else "Nothing, by the command in environment.json.",
      first,
    ),
    *(
      group
      for group in (
        Group(
          "Set by the config file or in Python",
          "All other fields whose value is not the default of settings.default(), or that have"
          " none there.",
          chosen,
        ),
        Group(others, "", kept),
      )
      if group.lines
    ),
  ]


def _set_by_commands(environment: Any) -> list[str]:
  """The fields that the commands of a run set, of its start and of those that went on with it."""
  if not isinstance(environment, dict):
    return []
  resumed = environment.get("resumed", [])
  entries = [environment, *(resumed if isinstance(resumed, list) else [])]
  entries = [entry for entry in entries if isinstance(entry, dict)]
  return [name for entry in entries for name in _FIELD.findall(str(entry.get("command", "")))]
