"""What processes send each other, seen from both ends; talk.py is what they do."""

import pathlib
import pickle

import jax
import numpy as np
import pytest
import two_processes
from talk import BITS, SPECS, hosts_arrays

from mer_jax.errors import ConfigError, DataError
from mer_jax.runtime import distributed
from mer_jax.runtime.distributed import agreement

TALK = pathlib.Path(__file__).parent / "talk.py"


@pytest.fixture(scope="module")
def seen_by_each(tmp_path_factory) -> list[dict]:
  """What each of two processes with two devices each saw."""
  folder = tmp_path_factory.mktemp("talk")
  files = [folder / f"{process}.pickle" for process in (0, 1)]
  ended = two_processes.run([[str(TALK), str(file)] for file in files], folder)
  assert [process.code for process in ended] == [0, 0], ended
  return [pickle.loads(file.read_bytes()) for file in files]


def both(seen_by_each: list[dict], act: str) -> list:
  return [seen[act] for seen in seen_by_each]


def assert_same_bits(left: dict[str, np.ndarray], right: dict[str, np.ndarray]) -> None:
  assert set(left) == set(right)
  for name, array in left.items():
    assert array.dtype == right[name].dtype
    assert array.shape == right[name].shape
    assert array.tobytes() == right[name].tobytes(), name


def test_who_is_there(seen_by_each):
  assert both(seen_by_each, "processes") == [2, 2]
  assert both(seen_by_each, "is_main") == [True, False]
  assert both(seen_by_each, "devices of each") == [[0, 0, 1, 1]] * 2
  assert both(seen_by_each, "at least one of each") == [[0, 1]] * 2


@pytest.mark.parametrize("way", ["fetch with words", "fetch through devices", "fetch in parts"])
@pytest.mark.parametrize("spec", SPECS)
def test_what_is_put_can_be_fetched_everywhere(seen_by_each, way, spec):
  for fetched in both(seen_by_each, way):
    assert_same_bits(fetched[spec], hosts_arrays())


@pytest.mark.parametrize("way", ["broadcast with words", "broadcast through devices"])
def test_a_broadcast_is_the_same_bits_everywhere(seen_by_each, way):
  for received in both(seen_by_each, way):
    assert float(received.pop("number")) == 7
    assert_same_bits(received, hosts_arrays())


def test_the_bits_are_those_that_arithmetic_changes():
  values = np.unique(hosts_arrays()["bits"].view(np.uint32))
  np.testing.assert_array_equal(values, np.unique(BITS))
  assert np.isnan(BITS.view(np.float32)).any()


def test_agreement(seen_by_each):
  assert both(seen_by_each, "largest") == [3, 3]
  assert both(seen_by_each, "any, nobody") == [False, False]
  assert both(seen_by_each, "any, process 1") == [True, True]
  assert both(seen_by_each, "on_main") == [{"from": 0, "x": 3}] * 2
  assert both(seen_by_each, "same") == [None, None]


def test_an_error_on_process_0_is_raised_on_all(seen_by_each):
  assert both(seen_by_each, "on_main fails") == ["WorkdirError: The disk is full."] * 2
  assert seen_by_each[0]["not to be sent"].startswith("TypeError")


@pytest.mark.parametrize("process", [0, 1])
def test_what_stops_one_stops_all(seen_by_each, process):
  here, there = seen_by_each[process], seen_by_each[1 - process]
  assert here[f"MerError of {process}"] == "Interrupted: Epoch 3."
  assert there[f"MerError of {process}"].startswith("Interrupted: Epoch 3.")
  assert here[f"other error of {process}"] == "ValueError: oh"
  assert there[f"other error of {process}"].startswith(
    f"MerError: Process {process} stopped with ValueError: oh"
  )
  assert here[f"signal of {process}"] == "KeyboardInterrupt: "
  assert "KeyboardInterrupt" in there[f"signal of {process}"]
  assert both(seen_by_each, f"goes on after {process}") == [True, True]


def test_a_decorated_function_ends_alike_everywhere(seen_by_each):
  assert both(seen_by_each, "decorated") == [5, 5]
  assert both(seen_by_each, "decorated fails") == [
    "DataError: No frames. (From process 1.)",
    "DataError: No frames.",
  ]


def test_of_two_errors_the_first_process_has_its_way(seen_by_each):
  assert both(seen_by_each, "both fail") == ["DataError: Mine, 0."] * 2


def test_a_signal_while_listening_leaves_nobody_waiting(seen_by_each):
  assert both(seen_by_each, "interrupted") == ["KeyboardInterrupt", "MerError"]


def test_what_differs_is_refused_by_all(seen_by_each):
  first, second = both(seen_by_each, "differs")
  assert first == second
  assert first.startswith("ConfigError: The data of process 1 differs")
  assert "config" not in first.split(".")[0]
  assert both(seen_by_each, "goes on") == [True, True]


def test_nobody_waits_for_ever_for_the_deaf(seen_by_each):
  assert seen_by_each[1]["deaf"] == "DataError: No frames."


def test_one_process_agrees_with_itself():
  assert distributed.processes() == 1
  assert distributed.is_main()
  assert distributed.largest(True)
  assert not distributed.largest(False)
  assert distributed.on_main(divmod, 7, 2) == (3, 1)
  distributed.barrier("alone")
  distributed.check_same({"data": "a"})
  tree = {"a": np.arange(3)}
  assert distributed.broadcast(tree) is tree
  with pytest.raises(DataError, match="mine"), distributed.together():
    raise DataError("mine")
  with pytest.raises(ZeroDivisionError):
    distributed.on_main(divmod, 7, 0)


def test_one_process_puts_and_fetches():
  mesh = jax.sharding.Mesh(np.array(jax.devices()), ("fold",))
  for spec in SPECS.values():
    sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(*spec))
    tree = {name: distributed.put(array, sharding) for name, array in hosts_arrays().items()}
    assert all(array.sharding == sharding for array in tree.values())
    assert_same_bits(distributed.fetch(tree), hosts_arrays())


def test_processes_that_nobody_introduced_are_refused(monkeypatch):
  monkeypatch.setattr(jax, "process_count", lambda: 4)
  with pytest.raises(ConfigError, match="initialize"), distributed.together():
    pass


@pytest.mark.parametrize(
  ("owners", "at_most", "chosen"),
  [
    ([0, 0, 0, 0], 3, [0, 0, 0]),
    ([0, 0, 1, 1], 4, [0, 0, 1, 1]),
    ([0, 0, 1, 1], 3, [0, 1]),
    ([0, 0, 1, 1], 1, [0, 1]),
    ([1, 0, 1, 0, 0], 9, [0, 0, 1, 1]),
    ([2, 1, 0], 3, [0, 1, 2]),
  ],
)
def test_every_process_lends_as_many_devices(owners, at_most, chosen):
  class Device:
    def __init__(self, process_index):
      self.process_index = process_index

  chosen_devices = distributed.devices(at_most, [Device(owner) for owner in owners])
  assert [device.process_index for device in chosen_devices] == chosen


def test_a_class_of_errors_arrives_as_itself():
  for kind in ("ConfigError", "Interrupted"):
    assert type(agreement._rebuilt(0, kind, "x")).__name__ == kind
  assert type(agreement._rebuilt(0, "unknown", "x")).__name__ == "MerError"  # a function there
