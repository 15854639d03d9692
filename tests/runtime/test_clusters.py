"""Where the other processes of a run are looked for, and when nobody is waited for."""

import os
import socket
import subprocess
import sys

import pytest
import two_processes
from jax._src import clusters as jax_clusters

from mer_jax.errors import ConfigError
from mer_jax.runtime import distributed
from mer_jax.runtime.distributed import clusters

BY_HAND = {
  "JAX_COORDINATOR_ADDRESS": "10.0.0.1:4321",
  "JAX_NUM_PROCESSES": "2",
  "JAX_PROCESS_ID": "1",
}
SLURM = {
  "SLURM_JOB_ID": "71",
  "SLURM_STEP_NODELIST": "node[01-02]",
  "SLURM_NTASKS": "4",
  "SLURM_PROCID": "3",
  "SLURM_LOCALID": "1",
}
OPEN_MPI = {
  "OMPI_MCA_orte_hnp_uri": "1531576320.0;tcp://10.96.0.1,10.148.0.1:34911",
  "OMPI_COMM_WORLD_SIZE": "3",
  "OMPI_COMM_WORLD_RANK": "0",
  "OMPI_COMM_WORLD_LOCAL_RANK": "0",
}
KNOWN = ("SLURM_", "OMPI_", "JAX_COORDINATOR", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID", "KUBERNETES")


@pytest.fixture
def setenv(monkeypatch):
  """Sets variables on a machine where none of these is set."""
  for name in os.environ:
    if name.startswith((*KNOWN, "TPU_", "MEGASCALE", "JOB_COMPLETION")):
      monkeypatch.delenv(name)

  def set_all(variables, **more):
    for name, value in {**variables, **more}.items():
      monkeypatch.setenv(name, value)

  return set_all


def test_a_plain_machine_is_alone(setenv):
  setenv({})
  assert clusters.find() is None


def test_by_hand(setenv):
  setenv(BY_HAND)
  cluster = clusters.find()
  assert cluster is not None
  assert cluster.arguments == {
    "coordinator_address": "10.0.0.1:4321",
    "num_processes": 2,
    "process_id": 1,
    "cluster_detection_method": "deactivate",
  }


def test_by_hand_wins_over_what_is_detected(setenv):
  setenv(SLURM | BY_HAND)
  cluster = clusters.find()
  assert cluster is not None
  assert cluster.arguments["cluster_detection_method"] == "deactivate"


@pytest.mark.parametrize("left_out", BY_HAND)
def test_two_of_the_three_are_not_enough(setenv, left_out):
  setenv({name: value for name, value in BY_HAND.items() if name != left_out})
  with pytest.raises(ConfigError, match=f"without {left_out}"):
    clusters.find()


def test_one_of_the_three_is_not_enough(setenv):
  setenv({"JAX_PROCESS_ID": "0"})
  with pytest.raises(ConfigError, match="JAX_COORDINATOR_ADDRESS and JAX_NUM_PROCESSES"):
    clusters.find()


@pytest.mark.parametrize(
  ("name", "value"),
  [
    ("JAX_NUM_PROCESSES", "two"),
    ("JAX_NUM_PROCESSES", "0"),
    ("JAX_NUM_PROCESSES", "-2"),
    ("JAX_NUM_PROCESSES", "2.0"),
    ("JAX_PROCESS_ID", "2"),
    ("JAX_PROCESS_ID", "-1"),
    ("JAX_PROCESS_ID", "first"),
    ("JAX_COORDINATOR_ADDRESS", "10.0.0.1"),
    ("JAX_COORDINATOR_ADDRESS", ":4321"),
    ("JAX_COORDINATOR_ADDRESS", "host:port"),
    ("JAX_COORDINATOR_ADDRESS", "host:70000"),
    ("JAX_COORDINATOR_ADDRESS", "host:0"),
  ],
)
def test_nonsense_is_refused_by_name(setenv, name, value):
  setenv(BY_HAND | {name: value})
  with pytest.raises(ConfigError, match=name):
    clusters.find()


def test_one_process_needs_no_address(setenv):
  setenv(SLURM, JAX_NUM_PROCESSES="1")
  assert clusters.find() is None


def test_empty_variables_are_not_set(setenv):
  setenv(dict.fromkeys(BY_HAND, " "))
  assert clusters.find() is None


@pytest.mark.parametrize(("variables", "count"), [(SLURM, 4), (OPEN_MPI, 3)])
def test_clusters_are_found(setenv, variables, count):
  setenv(variables)
  cluster = clusters.find()
  assert cluster is not None
  assert cluster.arguments["num_processes"] == count
  assert cluster.arguments.get("cluster_detection_method") is None


@pytest.mark.parametrize(
  "alone",
  [
    SLURM | {"SLURM_NTASKS": "1", "SLURM_PROCID": "0"},
    # A shell that srun opened inside an allocation for four.
    SLURM | {"SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1"},
    # A batch script before srun: no step yet.
    {name: value for name, value in SLURM.items() if name != "SLURM_STEP_NODELIST"},
    OPEN_MPI | {"OMPI_COMM_WORLD_SIZE": "1"},
    # A notebook server in a pod.
    {"KUBERNETES_SERVICE_HOST": "10.0.0.1"},
  ],
)
def test_a_single_task_waits_for_nobody(setenv, alone):
  setenv(alone)
  assert clusters.find() is None


def test_an_address_by_hand_beside_slurm(setenv):
  setenv(SLURM, JAX_COORDINATOR_ADDRESS="login:5000")
  cluster = clusters.find()
  assert cluster is not None
  assert cluster.arguments["coordinator_address"] == "login:5000"
  assert cluster.arguments["num_processes"] == 4


@pytest.mark.parametrize(("hosts", "count"), [("local", None), ("a,b", 2), ("a,b,c,d", 4)])
def test_hosts_of_a_tpu(setenv, monkeypatch, hosts, count):
  monkeypatch.setattr(jax_clusters.cloud_tpu_cluster, "running_in_cloud_tpu_vm", True)
  setenv({"TPU_WORKER_HOSTNAMES": hosts, "TPU_WORKER_ID": "0", "MEGASCALE_NUM_SLICES": "1"})
  cluster = clusters.find()
  assert (cluster and cluster.arguments["num_processes"]) == count


def test_a_cluster_that_does_not_answer_says_what_to_do(setenv):
  setenv(SLURM, SLURM_NTASKS="many")
  with pytest.raises(ConfigError, match=r"SlurmCluster.*JAX_NUM_PROCESSES=1"):
    clusters.find()


def test_joining_on_a_plain_machine_changes_nothing(setenv):
  setenv({})
  distributed.initialize()
  assert distributed.processes() == 1


@pytest.mark.parametrize(
  ("address", "bind"),
  [
    ("127.0.0.1:4321", "127.0.0.1:4321"),
    ("[::1]:4321", "[::1]:4321"),
    # Of a network for documentation: nobody's, so not this host's.
    ("203.0.113.7:4321", None),
    # A host whose own name stands on its loopback, as on Debian.
    ("own-name:4321", None),
    (None, None),
  ],
)
def test_process_0_listens_where_the_others_look_for_it(setenv, monkeypatch, address, bind):
  setenv({})
  look_up = socket.getaddrinfo

  def own_name(host, *rest, **named):
    return look_up("127.0.0.1" if host == "own-name" else host, *rest, **named)

  monkeypatch.setattr(socket, "getaddrinfo", own_name)
  arguments = {"coordinator_address": address, "process_id": 0}
  assert clusters.bind_address(arguments) == bind
  assert clusters.bind_address(arguments | {"process_id": 1}) is None
  setenv({clusters.BIND: "0.0.0.0:4321"})
  assert clusters.bind_address(arguments) is None


def test_a_port_that_is_taken():
  with socket.socket() as taken:
    taken.bind(("0.0.0.0", 0))
    taken.listen()
    address = f"127.0.0.1:{taken.getsockname()[1]}"
    code = "from mer_jax.runtime import distributed; distributed.initialize()"
    done = subprocess.run(
      [sys.executable, "-c", code],
      env=two_processes.environment(0, 2, address),
      capture_output=True,
      text=True,
      check=False,
      timeout=two_processes.HANGS_AFTER,
    )
  assert "ConfigError: The processes of the run cannot meet" in done.stderr
  assert "in use" in done.stderr
  assert done.returncode == 1
