"""What two processes do in test_agreement.py; each writes down what it saw, by the name of the act.

Run as a program with the file to write to.
"""

import pickle
import sys
import time

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from mer_jax.errors import DataError, Interrupted, WorkdirError
from mer_jax.runtime import distributed
from mer_jax.runtime.distributed import agreement, arrays

SPECS = {"fold": ("fold",), "second axis": (None, "fold"), "replicated": ()}
# Bit patterns that arithmetic would not let through: NaN with a payload, -0, a subnormal number.
BITS = np.array([[0x7FC12345, 0x80000000], [0x00000001, 0xFF800000]], np.uint32)


def hosts_arrays() -> dict[str, np.ndarray]:
  rng = np.random.default_rng(0)
  return {
    "float32": rng.standard_normal((4, 8, 3)).astype(np.float32),
    "int32": rng.integers(-9, 9, (4, 4), np.int32),
    "bool": rng.integers(0, 2, (4, 4)).astype(bool),
    "bits": np.tile(BITS, (2, 2)).view(np.float32),
    "empty": np.zeros((4, 4, 0), np.float32),
  }


@jax.transfer_guard("disallow")
def put_and_fetch(small: int, piece: int) -> dict[str, dict[str, np.ndarray]]:
  arrays.SMALL, arrays.PIECE = small, piece
  mesh = Mesh(np.array(distributed.devices(4)), ("fold",))
  tree = {
    name: {
      key: distributed.put(value, NamedSharding(mesh, PartitionSpec(*spec)))
      for key, value in hosts_arrays().items()
    }
    for name, spec in SPECS.items()
  }
  return distributed.fetch(tree)


def broadcast(small: int, piece: int) -> dict[str, np.ndarray]:
  arrays.SMALL, arrays.PIECE = small, piece
  mine = hosts_arrays() | {"number": np.float32(7)}
  return distributed.broadcast(mine if distributed.is_main() else None)


def stopped_by(error: BaseException, process: int) -> str:
  """What everybody sees when `error` arises on `process` while the other is about to agree."""
  try:
    with distributed.together():
      if jax.process_index() == process:
        raise error
      distributed.barrier("never passed")
  except BaseException as seen:
    return f"{type(seen).__name__}: {seen}"
  return "nothing"


def interrupted_while_it_listens() -> str:
  """Process 0 gets a signal in the middle of a round."""
  receive = agreement._receive

  def interrupt(key, patience):
    raise KeyboardInterrupt

  if distributed.is_main():
    agreement._receive = interrupt
  try:
    with distributed.together():
      distributed.barrier("interrupted")
  except BaseException as seen:
    return type(seen).__name__
  finally:
    agreement._receive = receive
  return "nothing"


def fails_on_main() -> str:
  raise WorkdirError("The disk is full.")


def error_of(function, *arguments) -> str:
  try:
    return f"no error but {function(*arguments)}"
  except Exception as error:
    return f"{type(error).__name__}: {error}"


@distributed.together()
def decorated(fails: bool) -> int:
  """Returns on all or raises on all."""
  if fails and jax.process_index() == 1:
    raise DataError("No frames.")
  return 5


def acts() -> dict:
  me = jax.process_index()
  return {
    "processes": distributed.processes(),
    "is_main": distributed.is_main(),
    "devices of each": [d.process_index for d in distributed.devices(4)],
    "at least one of each": [d.process_index for d in distributed.devices(1)],
    "fetch with words": put_and_fetch(2**20, 2**20),
    "fetch through devices": put_and_fetch(0, 2**20),
    "fetch in parts": put_and_fetch(0, 100),
    "broadcast with words": broadcast(2**20, 2**20),
    "broadcast through devices": broadcast(0, 5),
    "largest": distributed.largest(3 - 5 * me),
    "any, nobody": distributed.largest(False),
    "any, process 1": distributed.largest(me == 1),
    "on_main": distributed.on_main(lambda x: {"from": me, "x": x}, 3),
    "on_main fails": error_of(distributed.on_main, fails_on_main),
    "not to be sent": error_of(distributed.on_main, lambda: (x for x in ())) if me == 0 else "",
    "same": distributed.check_same({"data": "abc"}),
  }


def more_acts() -> dict:
  """Errors; every one is followed by something that works only if all still count alike."""
  me = jax.process_index()
  seen = {}
  for process in (0, 1):
    seen[f"MerError of {process}"] = stopped_by(Interrupted("Epoch 3."), process)
    seen[f"other error of {process}"] = stopped_by(ValueError("oh"), process)
    seen[f"signal of {process}"] = stopped_by(KeyboardInterrupt(), process)
    seen[f"goes on after {process}"] = distributed.largest(me == process)
  seen["decorated"] = decorated(False)
  seen["decorated fails"] = error_of(decorated, True)
  seen["both fail"] = error_of(lambda: stopped_by_both(me))
  seen["interrupted"] = interrupted_while_it_listens()
  seen["differs"] = error_of(distributed.check_same, {"data": "ab"[me] * 64, "config": "x"})
  seen["goes on"] = distributed.largest(me == 1)
  return seen


def stopped_by_both(me: int) -> None:
  with distributed.together():
    raise (DataError, WorkdirError)[me](f"Mine, {me}.")


def deaf() -> str:
  """Process 1 fails while process 0 is busy for longer than its patience."""
  agreement.PATIENCE = 1
  if distributed.is_main():
    time.sleep(4)
    return ""
  return error_of(decorated, True)


if __name__ == "__main__":
  distributed.initialize()
  distributed.initialize()  # again: nothing
  everything = acts() | more_acts() | {"deaf": deaf()}
  with open(sys.argv[1], "wb") as file:
    pickle.dump(everything, file)
