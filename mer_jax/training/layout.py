"""How F folds lie on the devices: vmapped in blocks, blocks in turn, devices side by side."""

import math
from typing import NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from mer_jax.errors import ConfigError

AXIS = "fold"


class Layout(NamedTuple):
  """Folds on devices.

  Attributes:
    mesh: devices along the one axis "fold".
    folds: F, the real folds.
    block: folds that are vmapped together.
    padded: folds with the dummies that make F divide evenly; they carry weight 0.
  """

  mesh: Mesh
  folds: int
  block: int
  padded: int

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


# Folds vmapped together on a CPU: with more of them their activations fall out of the cache, with
# fewer the work that a block shares is done more often. Measured on both models: 2 to 8 are alike.
CPU_BLOCK = 4


def arrange(folds: int, largest_block: int, devices: int = 0) -> Layout:
  """Spreads F folds over devices in equal blocks with as few dummies as possible.

  Args:
    folds: F.
    largest_block: how many folds may be vmapped together at the most; 0: `CPU_BLOCK` on CPUs, all
      of a device's elsewhere.
    devices: how many devices to use; 0: all of them.

  Raises:
    ConfigError: more devices asked for than there are, or a negative number.
  """
  available = jax.devices()
  if devices < 0 or devices > len(available):
    raise ConfigError(
      f"config.devices is {devices}; this machine has {len(available)} "
      f"{available[0].platform} device(s). Use 0 for all of them."
    )
  if largest_block < 0:
    raise ConfigError(f"config.training.fold_block is {largest_block}; use 0 for automatic.")
  chosen = available[: devices or len(available)]
  chosen = chosen[: max(1, min(len(chosen), folds))]  # a device without a fold would only wait
  local = math.ceil(folds / len(chosen))
  automatic = CPU_BLOCK if chosen[0].platform == "cpu" else local
  blocks = math.ceil(local / (largest_block or automatic))
  block = math.ceil(local / blocks)
  mesh = Mesh(np.asarray(chosen), (AXIS,))
  return Layout(mesh, folds, block, block * blocks * len(chosen))
