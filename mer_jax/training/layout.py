"""How F folds lie on the devices: vmapped in blocks, blocks in turn, devices side by side."""

import math
from typing import NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from mer_jax.errors import ConfigError
from mer_jax.runtime import distributed
from mer_jax.training.footprint import Footprint, memory_of

AXIS = "fold"


class Layout(NamedTuple):
  """Folds on devices.

  Attributes:
    mesh: devices along the one axis "fold".
    folds: F, the real folds.
    block: folds that are vmapped together.
    padded: folds with the dummies that make F divide evenly; they carry weight 0.
    seeds_at_once: seeds that are vmapped together.
  """

  mesh: Mesh
  folds: int
  block: int
  padded: int
  seeds_at_once: int = 1

  @property
  def by_fold(self) -> NamedSharding:
    """Sharding of arrays [F, ...]."""
    return NamedSharding(self.mesh, PartitionSpec(AXIS))

  @property
  def by_seed_and_fold(self) -> NamedSharding:
    """Sharding of arrays [S, F, ...]."""
    return NamedSharding(self.mesh, PartitionSpec(None, AXIS))

  @property
  def replicated(self) -> NamedSharding:
    """Sharding of arrays that every device holds whole."""
    return NamedSharding(self.mesh, PartitionSpec())


# Folds vmapped together on a CPU at the most: with more of them their activations fall out of the
# cache, with fewer the work that a block shares is done more often.
CPU_BLOCK = 4


def arrange(
  folds: int,
  largest_block: int,
  devices: int = 0,
  *,
  seeds: int = 1,
  footprint: Footprint | None = None,
) -> Layout:
  """Spreads F folds over devices in equal blocks with as few dummies as possible.

  Args:
    folds: F, or P F with P settings.
    largest_block: how many folds may be vmapped together at the most; 0: as many as fit in memory,
      on CPUs no more than `CPU_BLOCK`.
    devices: how many devices to use; 0: all of them.
    seeds: S; how many of them are vmapped is decided here too.
    footprint: what a step needs. None: everything fits.

  Raises:
    ConfigError: more devices asked for than there are, or a negative number.
  """
  available = jax.devices()
  if devices < 0 or devices > len(available):
    raise ConfigError(
      f"config.devices is {devices}; this machine has {len(available)} "
      f"{available[0].platform} device(s). Use 0 for all of them."
    )
  if devices % distributed.processes():
    raise ConfigError(
      f"config.devices is {devices} with {distributed.processes()} processes, each of which lends"
      " as many. Give a multiple of the processes, or 0 for all devices."
    )
  if largest_block < 0:
    raise ConfigError(f"config.training.fold_block is {largest_block}; use 0 for automatic.")
  # A device without a fold would only wait; but every process has to take part.
  used = distributed.devices(min(devices or len(available), folds))
  local = math.ceil(folds / len(used))
  fits = footprint.folds_that_fit(_memory(used)) if footprint else local
  on_cpu = used[0].platform == "cpu"
  blocks = math.ceil(local / (largest_block or max(1, min(fits, CPU_BLOCK if on_cpu else local))))
  block = math.ceil(local / blocks)
  # Seeds share no batch, so on a CPU, which is busy with one of them, nothing is gained.
  seeds_at_once = 1 if on_cpu or largest_block else max(1, min(seeds, fits // block))
  mesh = Mesh(np.asarray(used), (AXIS,))
  return Layout(mesh, folds, block, block * blocks * len(used), seeds_at_once)


def _memory(used: list[jax.Device]) -> int:
  """Bytes that each of the devices has: blocks must be alike on all."""
  local_devices = [device for device in used if device.process_index == jax.process_index()]
  return -distributed.largest(-memory_of(local_devices))
