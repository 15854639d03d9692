"""Messages between processes: JSON of names, numbers, text and arrays, checked on arrival.

Nothing that arrives is run: a message that is not of this form is refused.
"""

import base64
import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from mer_jax.errors import MerError

# Keys that mark an array, or a number that JSON does not know; no keys of a message's own dicts.
_ARRAY, _FLOAT = "__array__", "__float__"
_KINDS = "biuf"  # kinds of dtypes: truth values, whole and real numbers


class Failure(NamedTuple):
  """An error of a process: the name of its class, and its message."""

  kind: str
  text: str


class Message(NamedTuple):
  """What a process contributes to a round.

  Attributes:
    name: of the round; the same on all processes.
    value: encoded, see `encoded`.
    failure: the error that the process ends with; None where there is none.
  """

  name: str
  value: Any
  failure: Failure | None


def encoded(value: Any) -> Any:
  """`value` as JSON knows it.

  Args:
    value: None, truth values, numbers, text, arrays of numbers, and lists, tuples and dicts (by
      text) of these. Tuples come back as lists, scalars of numpy as Python's.

  Raises:
    TypeError: something else is in it, or a dict with a key that marks arrays here.
  """
  if value is None or isinstance(value, bool | int | str):
    return value
  if isinstance(value, float):
    return value if math.isfinite(value) else {_FLOAT: repr(value)}
  if isinstance(value, np.generic):
    return encoded(value.item())
  if isinstance(value, np.ndarray) and value.dtype.kind in _KINDS:
    little = np.ascontiguousarray(value, value.dtype.newbyteorder("<"))
    data = base64.b64encode(little.tobytes()).decode("ascii")
    return {_ARRAY: data, "dtype": little.dtype.str, "shape": list(value.shape)}
  if isinstance(value, list | tuple):
    return [encoded(item) for item in value]
  if isinstance(value, Mapping) and all(map(_is_key, value)):
    return {key: encoded(item) for key, item in value.items()}
  raise TypeError(f"A message between processes cannot hold {type(value).__name__}.")


def decoded(value: Any) -> Any:
  """What `encoded` was given.

  Raises:
    MerError: an array or number is damaged.
  """
  try:
    return _decoded(value)
  # What Python and numpy raise for damaged arrays and numbers, and for lists in lists without end.
  except (KeyError, TypeError, ValueError, OverflowError, RecursionError, SyntaxError) as error:
    raise _refused(f"{type(error).__name__}: {error}") from error


def to_bytes(content: list[Message]) -> bytes:
  """`content` as it is sent."""
  return json.dumps(content).encode("utf-8")


def from_bytes(data: bytes) -> list[Message]:
  """The messages in `data`.

  Raises:
    MerError: it is no list of messages, whoever sent it.
  """
  try:
    content = json.loads(data)
  except (ValueError, RecursionError) as error:
    raise _refused(str(error)) from error
  if not isinstance(content, list) or not content:
    raise _refused("no list of messages")
  return [_message(fields) for fields in content]


def _message(fields: Any) -> Message:
  if not isinstance(fields, list) or len(fields) != 3 or not isinstance(fields[0], str):
    raise _refused("a message has a name, a value and a failure")
  name, value, failure = fields
  if failure is None:
    return Message(name, value, None)
  is_failure = isinstance(failure, list) and len(failure) == 2
  if not is_failure or not all(isinstance(text, str) for text in failure):
    raise _refused("a failure has a kind and a text")
  return Message(name, value, Failure(*failure))


def _is_key(key: Any) -> bool:
  return isinstance(key, str) and key not in (_ARRAY, _FLOAT)


def _decoded(value: Any) -> Any:
  if isinstance(value, list):
    return [_decoded(item) for item in value]
  if not isinstance(value, dict):
    return value
  if _ARRAY in value:
    return _array(value)
  if _FLOAT in value:
    return float(value[_FLOAT])
  return {key: _decoded(item) for key, item in value.items()}


def _array(fields: dict[str, Any]) -> np.ndarray:
  dtype = np.dtype(fields["dtype"])
  if dtype.kind not in _KINDS:
    raise ValueError(f"dtype {dtype}")
  data = base64.b64decode(fields[_ARRAY], validate=True)
  return np.frombuffer(data, dtype).reshape([int(n) for n in fields["shape"]]).copy()


def _refused(reason: str) -> MerError:
  return MerError(
    f"A message between the processes of the run is not one of mer_jax ({reason}). Is another"
    " program, or another version, using the coordinator's port? Start all processes again."
  )
