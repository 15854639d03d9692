"""Somebody who reaches the coordinator's port may end a run, and runs nothing in it."""

import two_processes

# Process 0 of a run, and whoever comes in place of process 1: who speaks jax, but not mer_jax.
RUN = """
from mer_jax.runtime import distributed
distributed.initialize()
distributed.check_same({"config": "a"})
"""
STRANGER = """
import os, pickle, sys
import jax
from jax._src import distributed

class Running:
  def __reduce__(self):
    return os.mkdir, (sys.argv[1],)

jax.distributed.initialize(
  os.environ["JAX_COORDINATOR_ADDRESS"], 2, 1, cluster_detection_method="deactivate"
)
client = distributed.global_state.client
for number in range(3):
  client.key_value_set_bytes(f"mer_jax/{number}/1", pickle.dumps(Running()))
# Process 0 ends the run meanwhile, which jax reports to a process that waits by ending it too.
client.blocking_key_value_get_bytes("mer_jax/0/all", 100_000)
"""


def test_what_a_stranger_sends_is_refused_and_not_run(tmp_path):
  proof = tmp_path / "has_run"
  run, _ = two_processes.run([["-c", RUN], ["-c", STRANGER, str(proof)]], tmp_path / "processes")
  assert "is not one of mer_jax" in run.stderr
  assert run.code not in (0, None)
  assert not proof.exists()
