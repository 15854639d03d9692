"""Arrays that lie on the devices of several processes: put there, fetched from there.

Small ones go with the messages of mer_jax.runtime.distributed.agreement. Large ones go through the
devices, whose collectives are fast but must not be kept waiting: on CPUs they give up after 30 s.
So a message first tells that all processes are there.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec, Sharding

from mer_jax.runtime.distributed.agreement import barrier, exchange, is_main, processes

# Bytes up to which arrays go with the messages.
SMALL = 2**20
# Bytes that each device gets to pass on at a time, unless a single array has more.
PIECE = 2**26


def devices(at_most: int, available: Sequence[jax.Device] | None = None) -> list[jax.Device]:
  """At most so many devices, but at least one of each process, and equally many of each.

  Args:
    at_most: devices in all, > 0.
    available: what there is; None: all that jax sees.
  """
  by_process: dict[int, list[jax.Device]] = {}
  for device in jax.devices() if available is None else available:
    by_process.setdefault(device.process_index, []).append(device)
  most = min(len(local) for local in by_process.values())
  each = min(most, max(1, at_most // len(by_process)))
  return [device for _, local in sorted(by_process.items()) for device in local[:each]]


def put(array: np.ndarray, sharding: Sharding) -> jax.Array:
  """An array that is the same on every host, on the devices of `sharding`, its own part on each."""
  if processes() == 1:
    return jax.device_put(array, sharding)
  return _lay(array.shape, sharding, lambda index: array[index])


def fetch(tree: Any) -> Any:
  """The arrays of `tree`, complete and on the host, on every process.

  Args:
    tree: arrays on one mesh of `devices`, with any NamedSharding.

  Returns:
    The same tree of numpy arrays.
  """
  if processes() == 1:
    return jax.device_get(tree)
  leaves, structure = jax.tree.flatten(tree)
  if sum(leaf.nbytes for leaf in leaves) <= SMALL:
    parts = exchange("fetch", [_shards(leaf) for leaf in leaves])
    arrays = [_assemble(leaf, shards) for leaf, *shards in zip(leaves, *parts, strict=True)]
  else:
    jax.block_until_ready(leaves)
    barrier("fetch")
    arrays = [array for group in _groups(leaves) for array in _gather(group)]
  return jax.tree.unflatten(structure, arrays)


def broadcast(arrays: Mapping[str, np.ndarray] | None) -> Mapping[str, np.ndarray]:
  """The arrays of process 0, by name, on every process.

  Args:
    arrays: looked at on process 0 alone.
  """
  if processes() == 1:
    return arrays or {}
  own = dict(arrays or {}) if is_main() else {}
  is_large = sum(array.nbytes for array in own.values()) > SMALL
  described = {name: [list(x.shape), x.dtype.str] for name, x in own.items()} if is_large else {}
  small, described = exchange("broadcast", [{} if is_large else own, described])[0]
  if not described:
    return small
  return {
    name: _from_main(tuple(shape), np.dtype(dtype), own.get(name))
    for name, (shape, dtype) in described.items()
  }


def _lay(
  shape: tuple[int, ...], sharding: Sharding, part: Callable[[Any], np.ndarray]
) -> jax.Array:
  """An array of which `part` gives what belongs at an index, by transfers that a guard allows."""
  indices = sharding.addressable_devices_indices_map(shape)
  parts = [jax.device_put(part(index), device) for device, index in indices.items()]
  return jax.make_array_from_single_device_arrays(shape, sharding, parts)


def _shards(array: jax.Array) -> list[tuple[list[int], np.ndarray]]:
  """The parts of `array` on this process, each once among all processes, with their starts."""
  own = [shard for shard in array.addressable_shards if shard.replica_id == 0]
  return [([axis.start or 0 for axis in shard.index], jax.device_get(shard.data)) for shard in own]


def _assemble(
  array: jax.Array, shards: Sequence[Sequence[tuple[list[int], np.ndarray]]]
) -> np.ndarray:
  assembled = np.empty(array.shape, array.dtype)
  for starts, part in itertools.chain(*shards):
    place = tuple(slice(s, s + n) for s, n in zip(starts, part.shape, strict=True))
    assembled[place] = part
  return assembled


def _groups(arrays: Sequence[jax.Array]) -> Iterator[list[jax.Array]]:
  """Few programs to compile, and no more than a part of a large state twice on a device."""
  group: list[jax.Array] = []
  for array in arrays:
    if group and sum(other.nbytes for other in group) + array.nbytes > PIECE:
      yield group
      group = []
    group.append(array)
  yield group


def _gather(group: list[jax.Array]) -> list[np.ndarray]:
  sharding = group[0].sharding
  if not isinstance(sharding, NamedSharding):
    raise TypeError(f"Arrays with a NamedSharding were expected, not {sharding}.")
  return jax.device_get([x.addressable_data(0) for x in _replicate(sharding.mesh)(group)])


@cache
def _replicate(mesh: Mesh):
  return jax.jit(lambda x: x, out_shardings=NamedSharding(mesh, PartitionSpec()))


def _from_main(shape: tuple[int, ...], dtype: np.dtype, array: np.ndarray | None) -> np.ndarray:
  """An array of process 0, byte by byte, so that no arithmetic can touch a NaN or a minus 0."""
  own = np.zeros(shape, dtype) if array is None else np.ascontiguousarray(array)
  flat = own.reshape(-1).view(np.uint8)
  pieces = [_sum(flat[start : start + PIECE]) for start in range(0, flat.size, PIECE)]
  return np.concatenate([*pieces, flat[:0]]).view(dtype).reshape(shape)


def _sum(own: np.ndarray) -> np.ndarray:
  """The sum of one uint8 [n] of each process."""
  mesh = Mesh(np.array(devices(1)), ("process",))
  sharding = NamedSharding(mesh, PartitionSpec("process"))
  rows = _lay((mesh.size, len(own)), sharding, lambda index: own[None])
  return jax.device_get(_sum_rows(mesh)(rows).addressable_data(0))


@cache
def _sum_rows(mesh: Mesh):
  return jax.jit(
    lambda x: x.sum(axis=0, dtype=jnp.uint8),
    out_shardings=NamedSharding(mesh, PartitionSpec()),
  )
