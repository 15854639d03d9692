"""The processes of a run: what all of them agree on, and whose error ends it.

Messages go from process to process through the service that jax keeps for coordination: it waits as
long as it takes, and does not queue up behind what the devices are computing. Anybody who reaches
its port can write there, so messages are data (see `messages`) and are checked on arrival.
"""

import contextlib
import itertools
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax

from mer_jax import errors
from mer_jax.errors import ConfigError, MerError
from mer_jax.runtime import jax_private
from mer_jax.runtime.distributed import clusters, messages

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
  cluster = clusters.find()
  if cluster is None:
    return
  print(
    f"Waiting for all processes of the run, {cluster.description}.", file=sys.stderr, flush=True
  )
  # It would take SIGTERM for itself; a run that is told to stop agrees on that by `largest`.
  jax.config.update("jax_enable_preemption_service", False)
  bind = clusters.bind_address(cluster.arguments)
  try:
    _check_port(cluster.arguments, bind)
    jax.distributed.initialize(
      initialization_timeout=timeout, coordinator_bind_address=bind, **cluster.arguments
    )
  except (OSError, RuntimeError, ValueError) as error:
    raise ConfigError(
      f"The processes of the run cannot meet, {cluster.description}: {error}. Is the port free, and"
      f" can every host reach it? {clusters.ALONE}"
    ) from error


def processes() -> int:
  """How many processes take part."""
  return jax_private.process_count()


def is_main() -> bool:
  """Whether this process is the one that writes and talks."""
  return jax_private.process_id() == 0


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
      raise ConfigError("Call mer_jax.runtime.distributed.initialize() before any use of devices.")
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
    for process, facts_there in enumerate(everywhere):
      if facts_there.get(name) != first:
        raise _known_everywhere(
          ConfigError(
            f"The {name} of process {process} differs from that of process 0"
            f" ({_short(facts_there.get(name))} there, {_short(first)} here). Start every process"
            " with the same command, the same versions and the same prepared data."
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
  failure = None if error is None else messages.Failure(type(error).__name__, str(error))
  # Encoded before the others count on an answer: not everything can be.
  own = messages.Message(name, messages.encoded(value), failure)
  received = _round(next(_rounds), own, PATIENCE if failure else None)
  for process, message in enumerate(received):
    if message.failure is not None:
      local = error if process == jax_private.process_id() else None
      raise _known_everywhere(local or _rebuilt(process, *message.failure))
  names = [message.name for message in received]
  if len({*names}) > 1:
    raise _known_everywhere(RuntimeError(f"The processes do different things: {names}."))
  return [messages.decoded(message.value) for message in received]


def _check_port(arguments: Mapping[str, Any], bind: str | None) -> None:
  """jax may crash on a port that is taken, or share it with a run that is already there."""
  address = arguments["coordinator_address"]
  if not address or arguments["process_id"] != 0 or clusters.BIND in os.environ:
    return
  port = int(address.rpartition(":")[2])
  if bind is not None:
    host = bind.rpartition(":")[0].strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    socket.create_server((host, port), family=family).close()
    return
  both = socket.has_dualstack_ipv6()
  family = socket.AF_INET6 if both else socket.AF_INET
  socket.create_server(("", port), family=family, dualstack_ipv6=both).close()


def _round(
  number: int, message: messages.Message, patience: float | None
) -> list[messages.Message]:
  """All messages of a round: process 0 collects them and passes them to the others."""
  if not is_main():
    _send(f"{number}/{jax_private.process_id()}", [message])
    return _receive(f"{number}/all", patience)
  others = [f"{number}/{process}" for process in range(1, processes())]
  try:
    received = [message, *(_receive(key, patience)[0] for key in others)]
  except BaseException as error:  # a signal, or patience ran out: do not let the others wait
    failure = message.failure or messages.Failure(type(error).__name__, str(error))
    _send(f"{number}/all", [message._replace(failure=failure)])
    _known_everywhere(error)
    raise
  _send(f"{number}/all", received)
  for key in (*others, f"{number - 1}/all"):  # which everybody has read by now
    jax_private.coordination_client().key_value_delete(f"{_PREFIX}/{key}")
  return received


def _send(key: str, content: list[messages.Message]) -> None:
  data = messages.to_bytes(content)
  jax_private.coordination_client().key_value_set_bytes(f"{_PREFIX}/{key}", data)


def _receive(key: str, patience: float | None) -> list[messages.Message]:
  """Waits a second at a time, because Python sees no signal during a wait."""
  end = time.monotonic() + patience if patience else None
  client = jax_private.coordination_client()
  while True:
    try:
      data = client.blocking_key_value_get_bytes(f"{_PREFIX}/{key}", 1000)
    except jax.errors.JaxRuntimeError as error:
      if "DEADLINE_EXCEEDED" not in str(error) or (end and time.monotonic() > end):
        raise
    else:
      return messages.from_bytes(data)


def _rebuilt(process: int, kind: str, message: str) -> MerError:
  known = getattr(errors, kind, None)
  if isinstance(known, type) and issubclass(known, MerError):
    return known(f"{message} (From process {process}.)" if process else message)
  return MerError(
    f"Process {process} stopped with {kind}: {message or 'no message'}. Look at its own output."
  )


def _known_everywhere(error: BaseException) -> BaseException:
  """Marks an error that all processes raise, so that it is not reported twice."""
  error.is_everywhere = True  # pyrefly: ignore[missing-attribute]
  return error


def _short(fact: str | None) -> str:
  return "nothing" if fact is None else fact if len(fact) <= 20 else f"{fact[:12]}..."
