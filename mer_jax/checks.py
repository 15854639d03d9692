"""What a config names: entries of tables, and options, checked before anything runs."""

import importlib
import inspect
import math
import typing
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Annotated, Any, NamedTuple

from mer_jax import errors

# No size, count or step of a program is beyond the integers of its arrays.
INT32 = 2**31 - 1


class Range(NamedTuple):
  """The values that a number may have, as an annotation of its type, see `check_value`.

  Attributes:
    least, most: the bounds.
    includes: whether each of them is a value itself.
  """

  least: float
  most: float
  includes: tuple[bool, bool] = (True, True)

  def allows(self, value: float) -> bool:
    """Whether `value` lies within."""
    above = self.least < value or (self.includes[0] and self.least == value)
    return above and (value < self.most or (self.includes[1] and self.most == value))

  def __str__(self) -> str:
    least = f"a number {'of at least' if self.includes[0] else 'above'} {self.least}"
    if self.most == math.inf:
      return least
    if self.most == INT32:
      return f"{least} and below 2^31"
    return f"{least} and {'at most' if self.includes[1] else 'below'} {self.most}"


class OneOf:
  """The names that a text may be, as an annotation of its type, see `check_value`."""

  def __init__(self, names: Iterable[str]):
    self.names = tuple(names)


# What the fields of models are mostly.
Size = Annotated[int, Range(1, INT32)]
Count = Annotated[int, Range(0, INT32)]
Rate = Annotated[float, Range(0, 1, (True, False))]
Positive = Annotated[float, Range(0, math.inf, (False, False))]


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


def check_fields(what: str, fields: type, values: Mapping[str, Any]) -> None:
  """Refuses values that the annotations of a class rule out, see `check_value`.

  Args:
    what: stands before the names, for the message: "config.model".
    fields: a class with annotated fields; annotations that cannot be evaluated rule out nothing.
    values: by the names of the fields.

  Raises:
    ConfigError: names the field, its value, and what is allowed.
  """
  try:
    hints = typing.get_type_hints(fields, include_extras=True)
  except Exception:  # somebody's own, which may name what is not there at run time
    return
  for name, value in values.items():
    if name in hints:
      check_value(f"{what}.{name}", hints[name], value)


def check_value(option: str, hint: Any, value: Any) -> None:
  """Refuses a value that is not of the type `hint`: bool, int, float, str or a tuple of them.

  Numbers are finite, also without a `Range`; a tuple of any length has at least one entry, and may
  be given as a list. Other types allow everything.

  Raises:
    ConfigError: names the option, its value, and what is allowed.
  """
  notes: list[Any] = []
  if typing.get_origin(hint) is Annotated:
    hint, *notes = typing.get_args(hint)
  if typing.get_origin(hint) is tuple:
    _check_tuple(option, typing.get_args(hint), value)
  elif hint in _WORDS:
    _check_plain(option, hint, value)
    for note in notes:
      if isinstance(note, OneOf):
        check_choice(option, value, note.names)
      elif isinstance(note, Range) and not note.allows(value):
        raise errors.ConfigError(f"{option} must be {note}; got {value!r}.")


def _check_plain(option: str, kind: type, value: Any) -> None:
  number = kind in (int, float)
  right = isinstance(value, int | float if kind is float else kind)
  if not right or (number and (isinstance(value, bool) or not math.isfinite(value))):
    raise errors.ConfigError(f"{option} must be {_WORDS[kind]}; got {value!r}.")


_WORDS = {bool: "True or False", int: "a whole number", float: "a finite number", str: "a text"}


def _check_tuple(option: str, hints: tuple[Any, ...], value: Any) -> None:
  any_length = len(hints) == 2 and hints[1] is Ellipsis
  counts = "at least one value" if any_length else f"{len(hints)} values"
  if not isinstance(value, tuple | list) or (not value if any_length else len(value) != len(hints)):
    raise errors.ConfigError(f"{option} must be a tuple of {counts}; got {value!r}.")
  for place, entry in enumerate(value):
    check_value(f"{option}[{place}]", hints[0 if any_length else place], entry)
