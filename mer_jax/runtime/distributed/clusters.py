"""Whether other processes belong to this run and where they meet: by hand, or as jax detects."""

import ipaddress
import os
import socket
from collections.abc import Mapping
from typing import Any, NamedTuple

from mer_jax.errors import ConfigError
from mer_jax.runtime import jax_private

# jax itself knows the first of them alone.
ADDRESS, COUNT, NUMBER = "JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID"
BIND = "JAX_COORDINATOR_BIND_ADDRESS"
ALONE = f"To run in this process alone, set {COUNT}=1."


class Cluster(NamedTuple):
  """How to join the other processes.

  Attributes:
    arguments: for jax.distributed.initialize.
    description: of the cluster, for messages.
  """

  arguments: dict[str, Any]
  description: str


def find() -> Cluster | None:
  """Looks for the processes of this run; touches no device.

  In this order: (1) JAX_NUM_PROCESSES=1: alone, whatever else is there. (2) JAX_COORDINATOR_ADDRESS
  (host:port of process 0), JAX_NUM_PROCESSES and JAX_PROCESS_ID (from 0 on), all three: by hand.
  (3) What jax detects: Slurm, Open MPI, TPU pods, Kubernetes jobs; one or two of the three then
  stand in for what was detected. A single task or host is alone, so that it never waits for itself.

  Returns:
    None for a process that is alone.

  Raises:
    ConfigError: one or two of the three where nothing is detected, or a value that makes no sense.
  """
  values = {name: os.environ.get(name, "").strip() for name in (ADDRESS, COUNT, NUMBER)}
  given = {name: value for name, value in values.items() if value}
  count, number = _integer(given, COUNT, 1), _integer(given, NUMBER, 0)
  if count == 1:
    return None
  _check(given.get(ADDRESS), count, number)
  arguments = {"coordinator_address": given.get(ADDRESS), "process_id": number}
  if len(given) == 3:
    # Not detected any further: jax would give each task of Slurm a single device.
    arguments |= {"num_processes": count, "cluster_detection_method": "deactivate"}
    return Cluster(arguments, f"{count} in all, at {given[ADDRESS]}")
  detected = _detect()
  if detected is None and not given:
    return None
  if detected is None:
    missing = " and ".join(name for name in values if name not in given)
    raise ConfigError(
      f"{' and '.join(given)} without {missing}: several processes by hand need all three, and no"
      f" cluster was detected that gives the rest. {ALONE}"
    )
  name, count = detected[0], count or detected[1]
  _check(given.get(ADDRESS), count, number)
  arguments["num_processes"] = count
  return Cluster(arguments, f"{count} in all, as {name} says") if count > 1 else None


def bind_address(arguments: Mapping[str, Any]) -> str | None:
  """Where process 0 of a Cluster with these `arguments` listens, as host:port.

  jax listens on every interface. Where the address by which the others know process 0 is one of
  this host, that is enough, and nobody can knock at the others.

  Returns:
    None where jax is to decide: another process; JAX_COORDINATOR_BIND_ADDRESS is set; no address is
    given by hand; or it is none of this host, as behind the name of a service, or one that the
    others cannot mean, as a host's own name on its loopback.
  """
  address = arguments["coordinator_address"]
  if not address or arguments["process_id"] != 0 or BIND in os.environ:
    return None
  host, _, port = address.rpartition(":")
  try:
    numeric = str(socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)[0][4][0])
    with socket.socket(socket.AF_INET6 if ":" in numeric else socket.AF_INET) as probe:
      probe.bind((numeric, 0))
    is_loopback = ipaddress.ip_address(numeric.partition("%")[0]).is_loopback
  except (OSError, ValueError):
    return None
  if is_loopback and host.strip("[]") not in (numeric, "localhost"):
    return None
  return f"[{numeric}]:{port}" if ":" in numeric else f"{numeric}:{port}"


def _integer(given: dict[str, str], name: str, least: int) -> int | None:
  text = given.get(name)
  if text is None:
    return None
  if not text.isdecimal() or int(text) < least:
    raise ConfigError(f"{name} is {text!r}; it must be a whole number >= {least}.")
  return int(text)


def _check(address: str | None, count: int | None, number: int | None) -> None:
  if address is not None:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
      raise ConfigError(
        f"{ADDRESS} is {address!r}; it must be host:port of process 0, as 10.0.0.1:4321."
      )
  if count is not None and number is not None and number >= count:
    raise ConfigError(
      f"{NUMBER} is {number} with {COUNT}={count}; processes are counted from 0 to {count - 1}."
    )


def _detect() -> tuple[str, int] | None:
  """Name and number of processes of the cluster that jax would join; None where it sees none."""
  for kind in jax_private.cluster_kinds():
    if kind.opt_in_only_method or _is_no_use(kind):
      continue
    try:
      if kind.is_env_present():
        return kind.__name__, _processes(kind)
    except Exception as error:  # each kind asks files, servers and variables in its own way
      if kind is jax_private.GceTpuCluster:
        continue  # a TPU outside of Google's cloud, as in notebooks: no server to ask, and no pod
      raise ConfigError(
        f"{kind.__name__} does not tell how many processes there are"
        f" ({type(error).__name__}: {error}). {ALONE} Or set {ADDRESS}, {COUNT} and {NUMBER}."
      ) from error
  return None


def _is_no_use(kind: type[jax_private.ClusterEnv]) -> bool:
  """Whether asking this kind would fail or take long without need."""
  if kind is jax_private.K8sCluster:  # a pod of no indexed job, as a notebook server
    return "JOB_COMPLETION_INDEX" not in os.environ
  if kind is jax_private.GceTpuCluster:  # the hosts are named; nobody has to be asked for them
    return any(name in os.environ for name in ("TPU_PROCESS_ADDRESSES", "TPU_WORKER_HOSTNAMES"))
  return False


def _processes(kind: type[jax_private.ClusterEnv]) -> int:
  count = kind.get_process_count()
  if kind is jax_private.SlurmCluster:
    # A shell inside an allocation is one task, whatever the allocation is for.
    count = int(os.environ.get("SLURM_STEP_NUM_TASKS", count))
  return count
