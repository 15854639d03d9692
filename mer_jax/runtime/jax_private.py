"""The one place that touches private modules of jax, of which no public name tells the same."""

from typing import Any

from jax._src import clusters
from jax._src.distributed import global_state


def process_id() -> int:
  """The number of this process; 0 without other processes. Uses no device."""
  return global_state.process_id


def process_count() -> int:
  """How many processes take part; 1 without others. Uses no device."""
  return global_state.num_processes


def coordination_client() -> Any:
  """The client of jax's coordination service: its key-value store reaches all processes."""
  return global_state.client


def cluster_kinds() -> list[type[clusters.ClusterEnv]]:
  """The kinds of clusters that jax detects, in the order in which it asks them."""
  return list(clusters.ClusterEnv._cluster_types)


SlurmCluster = clusters.SlurmCluster
K8sCluster = clusters.K8sCluster
GceTpuCluster = clusters.GceTpuCluster
ClusterEnv = clusters.ClusterEnv
