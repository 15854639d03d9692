"""What a config names: entries of tables, and options, checked before anything runs."""

import importlib
import inspect
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from mer_jax import errors


def look_up(what: str, name: str, table: Mapping[str, Any]) -> Any:
  """The entry `name` of a table, or what a reference to somebody's own code refers to.

  Args:
    what: the kind of thing, for the message: "model".
    name: a key of `table`, or "package.module:Name" of anything that Python can import.
    table: the entries that ship with the package.

  Raises:
    ConfigError: there is no such entry, or it cannot be imported.
  """
  if ":" not in name:
    if name not in table:
      raise errors.ConfigError(
        f"{errors.unknown(what, name, table)} One of your own is named package.module:Name."
      )
    return table[name]
  module, _, attribute = name.partition(":")
  try:
    return getattr(importlib.import_module(module), attribute)
  except Exception as error:
    raise errors.ConfigError(
      f"The {what} {name!r} cannot be imported: {type(error).__name__}: {error}. It must be"
      " package.module:Name, from a folder in which Python looks: the working directory, one in"
      " PYTHONPATH, or an installed package."
    ) from error


def check_options(what: str, function: Callable[..., Any], options: Mapping[str, Any]) -> None:
  """Refuses options that `function` does not take by keyword.

  Args:
    what: the part that is configured, for the message: "input flow".
    function: its keyword-only parameters are the known options.
    options: name to value, as they stand in a config.

  Raises:
    ConfigError: names the first unknown option and lists the known ones.
  """
  check_names(what, keywords(function), options)


def check_names(what: str, known: Collection[str], options: Iterable[str]) -> None:
  """Refuses options that are not `known`.

  Args:
    what: the part that is configured, for the message: "input flow".
    known: names of its options.
    options: names, as they stand in a config.

  Raises:
    ConfigError: names the first unknown option and lists the known ones.
  """
  for name in options:
    if name not in known:
      if not known:
        raise errors.ConfigError(f"The {what} has no options, so not {name!r} either; remove it.")
      raise errors.ConfigError(errors.unknown(f"option of the {what}", name, known))


def keywords(function: Callable[..., Any]) -> list[str]:
  """Names of the keyword-only parameters of `function`."""
  return [
    parameter.name
    for parameter in inspect.signature(function).parameters.values()
    if parameter.kind is inspect.Parameter.KEYWORD_ONLY
  ]


def check_choice(option: str, value: str, choices: Collection[str]) -> None:
  """Refuses a value that is not one of `choices`.

  Raises:
    ConfigError: names the option, the value, and the allowed values.
  """
  if not isinstance(value, str) or value not in choices:
    raise errors.ConfigError(errors.unknown(f"value of {option}:", str(value), choices))


def check_positive(option: str, value: float) -> None:
  """Refuses anything but a finite number above 0.

  Raises:
    ConfigError: names the option and the value.
  """
  number = isinstance(value, int | float) and not isinstance(value, bool)
  if not number or not 0 < value < math.inf:
    raise errors.ConfigError(f"{option} must be a finite number above 0; got {value!r}.")


def check_at_least(option: str, value: int, least: int) -> None:
  """Refuses anything but a whole number of at least `least`.

  Raises:
    ConfigError: names the option, the value, and the smallest allowed value.
  """
  if isinstance(value, bool) or not isinstance(value, int) or value < least:
    raise errors.ConfigError(f"{option} must be a whole number of at least {least}; got {value!r}.")
