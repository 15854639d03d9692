"""Config files: those that ship with the package, found by name, and a user's own, by path.

A config file is Python with `get_config(arg)` and `ARGUMENTS`, the values of `arg` that it knows.
Its docstring begins with a line on what it is. Shipped files lie in the folder `configs` beside the
package. They are loaded by path: a folder of that name in the working directory changes nothing.
"""

import ast
import difflib
import functools
import importlib.util
import pathlib
import re
import sys
import types
from collections.abc import Sequence
from typing import Any

from ml_collections import config_dict

from mer_jax.errors import ConfigError, MerError
from mer_jax.experiment import settings

FOLDER = pathlib.Path(__file__).parents[2] / "configs"


def names() -> list[str]:
  """Names of the shipped configs, as "ststnet"."""
  return sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")


def load_config(spec: str) -> config_dict.ConfigDict:
  """The config that `spec` names.

  Args:
    spec: a path, or the name of a shipped config, with an argument after a colon where the file
      takes one: "ststnet:casme2", "mine/ststnet.py:casme2", "configs/table2.py".

  Raises:
    ConfigError: there is no such file, argument or function `get_config` in it, or it fails.
  """
  file, argument = _split(spec)
  path = find(file)
  try:
    get_config = _load(path).get_config
    config = get_config(argument) if argument else get_config()
  except MerError:
    raise
  except Exception as error:
    raise ConfigError(f"{path} gives no config: {type(error).__name__}: {error}") from error
  if not isinstance(config, config_dict.ConfigDict):
    raise ConfigError(f"get_config of {path} returned a {type(config).__name__}, not a ConfigDict.")
  return config


def find(name: str) -> pathlib.Path:
  """The file of a config given by path or, where no such file exists, by the name of a shipped one.

  Raises:
    ConfigError: neither exists; says the nearest names.
  """
  path = pathlib.Path(name).expanduser()
  if path.is_file():
    return path
  shipped = FOLDER / f"{path.stem}.py"
  if str(path.parent) in (".", "configs") and path.suffix in ("", ".py") and path.stem in names():
    return shipped
  near = difflib.get_close_matches(path.stem, names(), n=2, cutoff=0.5)
  hint = f" Did you mean {' or '.join(near)}?" if near else ""
  raise ConfigError(
    f"There is no config file {name} and no shipped config of that name.{hint} Shipped:"
    f" {', '.join(names())}."
  )


@functools.cache
def module(name: str) -> types.ModuleType:
  """The module of the shipped config `name`, for a config that begins from another."""
  return _load(find(name))


def describe(name: str) -> tuple[str, Sequence[str]]:
  """The first line of a shipped config's docstring, and the arguments that it takes."""
  return docstring(name).splitlines()[0], module(name).ARGUMENTS


def docstring(spec: str) -> str:
  """The docstring of the config that `spec` names, see `load_config`; "" where it has none.

  Raises:
    ConfigError: there is no such file.
  """
  file, _ = _split(spec)
  return ast.get_docstring(ast.parse(find(file).read_text(encoding="utf-8"))) or ""


def override(config: config_dict.ConfigDict, assignments: Sequence[str]) -> None:
  """Sets fields of `config` as the command line writes them, "--config.training.epochs=3".

  Raises:
    ConfigError: no such field, a value of another type, or an argument that is no override.
  """
  from absl import flags
  from ml_collections import config_flags

  own = flags.FlagValues()
  arguments = ["mer_jax", *assignments]
  try:
    _add_options(config, assignments)
    config_flags.DEFINE_config_dict("config", config, flag_values=own, sys_argv=arguments)
    rest = own(arguments)[1:]
  except flags.Error as error:
    raise ConfigError(f"{error}") from error
  except (AttributeError, KeyError, TypeError, ValueError) as error:
    unknown = _unknown_field(config, assignments)
    raise ConfigError(unknown or f"The config cannot be used: {_plain(error)}") from error
  if rest:
    raise ConfigError(f"Unexpected arguments {rest}; overrides begin with --config.")


def _unknown_field(config: config_dict.ConfigDict, assignments: Sequence[str]) -> str:
  """What to say of the first field that does not exist; "" where all do."""
  for text in assignments:
    dotted = re.split(r"[=\[]", text.removeprefix("--config."))[0]
    section, parts = config, dotted.split(".")
    for at, part in enumerate(parts):
      where = ".".join(["config", *parts[:at]])
      if not isinstance(section, config_dict.ConfigDict):
        return f"{where} is a value ({section!r}); it has no field {part!r}."
      if part not in section:
        beside = f"{where} has: {', '.join(sorted(section))}."
        near = _nearest(config, dotted)
        return f"There is no config.{dotted}{f': {part} {near}' if near else '. '}{beside}"
      section = section[part]
  return ""


def _nearest(config: config_dict.ConfigDict, dotted: str) -> str:
  """'Did you mean "epochs" (config.training.epochs)? ', or "" where nothing is near."""
  fields = [line.split("=")[0].removeprefix("--config.") for line in as_text(config)]
  leaves: dict[str, list[str]] = {}
  for field in fields:
    leaves.setdefault(field.split(".")[-1], []).append(field)
  last = dotted.split(".")[-1]
  near = leaves.get(last, []) if len(leaves.get(last, [])) == 1 else []
  # "lr" stands for learning_rate; where several sections have it, the optimizer's is meant.
  short = [leaf for leaf in leaves if "".join(word[:1] for word in leaf.split("_")) == last]
  meant = [field for leaf in short for field in leaves[leaf]]
  near = near + sorted(meant, key=lambda field: not field.startswith("optimizer."))
  near += difflib.get_close_matches(dotted, fields, n=1, cutoff=0.75)
  near += [leaves[leaf][0] for leaf in difflib.get_close_matches(last, leaves, n=1)]
  return f'Did you mean "{near[0].split(".")[-1]}" (config.{near[0]})? ' if near else ""


def _add_options(config: config_dict.ConfigDict, assignments: Sequence[str]) -> None:
  """Adds fields of open sections that the config does not list: what it names checks them."""
  for text in assignments:
    path, _, value = text.removeprefix("--config.").partition("=")
    section, _, key = path.partition(".")
    if section not in settings.OPEN_SECTIONS or section not in config or not value:
      continue
    if key and "." not in key and key not in config[section]:
      with config.unlocked():
        config[section][key] = _literal(value)


def _literal(text: str) -> Any:
  """The Python value that `text` writes, or the text itself."""
  try:
    return ast.literal_eval(text)
  except (ValueError, SyntaxError):
    return text


def _split(spec: str) -> tuple[str, str]:
  """The file and the argument of `spec`; a Windows drive is no file."""
  file, colon, argument = spec.rpartition(":")
  return (file, argument) if colon and len(file) > 1 else (spec, "")


def _load(path: pathlib.Path) -> types.ModuleType:
  kind = "shipped" if path.parent == FOLDER else "own"
  spec = importlib.util.spec_from_file_location(f"mer_jax_config_{kind}_{path.stem}", path)
  if spec is None or spec.loader is None:
    raise ConfigError(f"{path} is no Python file; a config is one, with a function get_config.")
  loaded = importlib.util.module_from_spec(spec)
  # As an import does: what a config file defines, a model for instance, is then seen by its module.
  sys.modules[spec.name] = loaded
  spec.loader.exec_module(loaded)
  return loaded


def _plain(error: Exception) -> str:
  """The message of `error` on one line; ml_collections quotes and escapes it, sometimes twice."""
  text = str(error)
  for escaped in ("\\n", "\\'", "\n"):
    text = text.replace(escaped, " ")
  return " ".join(text.replace("\\", "").strip("\"' ").split())


def as_text(config: Any, prefix: str = "config") -> list[str]:
  """The fields of a config, one line each, as the command line sets them."""
  lines = []
  for key, value in config.items():
    name = f"{prefix}.{key}"
    nested = isinstance(value, config_dict.ConfigDict)
    lines += as_text(value, name) if nested else [f"--{name}={value!r}"]
  return lines
