"""Who takes part in a run, what all of them agree on, and whose error ends it.

Words go from process to process through the service that jax keeps for coordination: it waits as
long as it takes, and does not queue up behind what the devices are computing.
"""

import contextlib
import itertools
import os
import pickle
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
from jax._src.distributed import global_state as _state  # no public name leads to its client

from mer_jax import errors
from mer_jax.distributed import clusters
from mer_jax.errors import ConfigError, MerError

# Seconds that a process with an error waits for the others to hear of it.
PATIENCE = 300
_PREFIX = "mer_jax"
_rounds = itertools.count()


def initialize(timeout: int = 300) -> None:
  """Joins the processes of this run, if there are several; before any device is used.

  See clusters.find for where that is looked up. On a plain machine nothing happens.

  Args:
    timeout: seconds in which all processes must have started; jax then ends those that wait.

  Raises:
    ConfigError: the environment is incomplete or contradicts itself, or the address is taken.
  """
  if jax.distributed.is_initialized():
    return
  found = clusters.find()
  if found is None:
    return
  print(f"Waiting for all processes of the run, {found.description}.", file=sys.stderr, flush=True)
  # It would take SIGTERM for itself; a run that is told to stop agrees on that by `largest`.
  jax.config.update("jax_enable_preemption_service", False)
  try:
    _check_port(found.arguments)
    jax.distributed.initialize(initialization_timeout=timeout, **found.arguments)
  except (OSError, RuntimeError, ValueError) as error:
    raise ConfigError(
      f"The processes of the run cannot meet, {found.description}: {error}. Is the port free, and"
      f" can every host reach it? {clusters.ALONE}"
    ) from error


def processes() -> int:
  """How many processes take part."""
  return _state.num_processes


def is_main() -> bool:
  """Whether this process is the one that writes and talks."""
  return _state.process_id == 0


@contextlib.contextmanager
def together() -> Iterator[None]:
  """What stops one process inside stops all of them, with the same error; all leave together.

  Also a decorator. The others hear of it at the next point where they have to agree on anything,
  the end of the block at the latest.

  Raises:
    MerError: of the class and with the message of the process it came from; a plain one for what
      was no MerError there.
    ConfigError: there are several processes, and they have not been introduced to each other.
  """
  if processes() == 1:
    if jax.process_count() > 1:
      raise ConfigError("Call mer_jax.distributed.initialize() before anything that uses devices.")
    yield
    return
  try:
    yield
  except BaseException as error:
    if not is_everywhere(error):
      with contextlib.suppress(jax.errors.JaxRuntimeError):  # patience ran out: nobody listens
        exchange("end", None, error)
    raise
  exchange("end", None)


def on_main(function: Callable[..., Any], *args, **kwargs) -> Any:
  """What `function(*args, **kwargs)` returns on process 0, or raises there, on every process."""
  if processes() == 1:
    return function(*args, **kwargs)
  result, stopped = None, None
  if is_main():
    try:
      result = function(*args, **kwargs)
    except BaseException as error:
      stopped = error
  return exchange("on_main", result, stopped)[0]


def largest(number: int) -> int:
  """The largest `number` of any process; of truth values, whether one is true."""
  return max(exchange("largest", int(number)))


def barrier(name: str) -> None:
  """Waits until every process is here."""
  exchange(f"barrier {name}", None)


def check_same(facts: Mapping[str, str]) -> None:
  """Compares what must be equal on all processes, by its name.

  Raises:
    ConfigError: something differs; says what, and where.
  """
  everywhere = exchange("check_same", dict(facts))
  for name, first in everywhere[0].items():
    for process, theirs in enumerate(everywhere):
      if theirs.get(name) != first:
        raise _known_everywhere(
          ConfigError(
            f"The {name} of process {process} differs from that of process 0"
            f" ({_short(theirs.get(name))} there, {_short(first)} here). Start every process with"
            " the same command, the same versions and the same prepared data."
          )
        )


def is_everywhere(error: BaseException) -> bool:
  """Whether all processes raise `error`, so that one of them is enough to report it."""
  return processes() == 1 or getattr(error, "is_everywhere", False)


def exchange(name: str, value: Any, error: BaseException | None = None) -> list[Any]:
  """The `value` of every process, by its number; an error of any is raised on all.

  Messages carry the number of their round. A process that failed takes part in its next round,
  which nobody can leave without it: afterwards all of them count alike again.
  """
  if processes() == 1:
    return [value]
  packed = pickle.dumps(value)  # before the others count on an answer: not everything can be
  said = None if error is None else (type(error).__name__, str(error))
  heard = _round(next(_rounds), (name, packed, said), PATIENCE if said else None)
  for process, (_, _, theirs) in enumerate(heard):
    if theirs is not None:
      own = error if process == _state.process_id else None
      raise _known_everywhere(own or _rebuilt(process, *theirs))
  names = [name for name, _, _ in heard]
  if len({*names}) > 1:
    raise _known_everywhere(RuntimeError(f"The processes do different things: {names}."))
  return [pickle.loads(packed) for _, packed, _ in heard]


def _check_port(arguments: Mapping[str, Any]) -> None:
  """jax may crash on a port that is taken, or share it with a run that is already there."""
  address = arguments["coordinator_address"]
  if address and arguments["process_id"] == 0 and "JAX_COORDINATOR_BIND_ADDRESS" not in os.environ:
    port = int(address.rpartition(":")[2])
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    socket.create_server(("", port), family=family, dualstack_ipv6=both).close()


def _round(number: int, message: tuple, patience: float | None) -> list[tuple]:
  """All messages of a round: process 0 collects them and says them to the others."""
  if not is_main():
    _say(f"{number}/{_state.process_id}", message)
    return _hear(f"{number}/all", patience)
  others = [f"{number}/{process}" for process in range(1, processes())]
  try:
    heard = [message, *(_hear(key, patience) for key in others)]
  except BaseException as error:  # a signal, or patience ran out: do not let the others wait
    name, packed, said = message
    heard = [(name, packed, said or (type(error).__name__, str(error)))]
    _say(f"{number}/all", heard)
    _known_everywhere(error)
    raise
  _say(f"{number}/all", heard)
  for key in (*others, f"{number - 1}/all"):  # which everybody has read by now
    _client().key_value_delete(f"{_PREFIX}/{key}")
  return heard


def _say(key: str, message: Any) -> None:
  _client().key_value_set_bytes(f"{_PREFIX}/{key}", pickle.dumps(message))


def _hear(key: str, patience: float | None) -> Any:
  """Waits in spells of a second, because Python sees no signal during one."""
  end = time.monotonic() + patience if patience else None
  while True:
    try:
      return pickle.loads(_client().blocking_key_value_get_bytes(f"{_PREFIX}/{key}", 1000))
    except jax.errors.JaxRuntimeError as error:
      if "DEADLINE_EXCEEDED" not in str(error) or (end and time.monotonic() > end):
        raise


def _client() -> Any:
  return _state.client


def _rebuilt(process: int, kind: str, message: str) -> MerError:
  known = getattr(errors, kind, None)
  if isinstance(known, type) and issubclass(known, MerError):
    return known(f"{message} (So says process {process}.)" if process else message)
  return MerError(
    f"Process {process} stopped with {kind}: {message or 'no message'}. Look at its own output."
  )


def _known_everywhere(error: BaseException) -> BaseException:
  """Marks an error that all processes raise, so that nobody has to be told again."""
  error.is_everywhere = True  # pyrefly: ignore[missing-attribute]
  return error


def _short(fact: str | None) -> str:
  return "nothing" if fact is None else fact if len(fact) <= 20 else f"{fact[:12]}..."
