"""The benchmark runs from end to end at tiny sizes; what its numbers are is no matter here."""

import json
import os
import subprocess
import sys

import cv2
import jax
import numpy as np
import pytest

from . import workloads

pytest.importorskip("torch", reason="the extra `peers` is not installed")

from . import child, loso, measure, parity, report, rounds


@pytest.fixture(scope="module")
def out(tmp_path_factory):
  """Results of a quick run of STSTNet; its processes for start and memory run in this one."""
  folder = tmp_path_factory.mktemp("benchmark")

  def here(name, way, quick, cache):
    return child.measure(workloads.make(name, quick=quick), way)

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(measure, "_child", here)
    flags = ["--quick", "--rounds", "2", "--models", "ststnet", "--out", str(folder)]
    assert loso.main(flags) == 0
  return folder


def test_every_way_is_timed_in_every_round(out):
  results = json.loads((out / "loso.json").read_text())
  found = results["models"]["ststnet"]
  ways = {"a", "a, one device", "b, a call each step", "b, a call each epoch", "c"}
  assert set(found["ways"]) == ways  # the tests see four devices
  for way in found["ways"].values():
    ms = way["ms_per_step_and_fold"]
    assert len(ms["all"]) == 2
    assert 0 < ms["min"] <= ms["median"] <= ms["max"]
    executed = 1e-9 * found["flops_per_clip"] * way["clips_per_epoch"]
    seconds = 1e-3 * ms["median"] * found["steps_per_epoch"] * found["folds"]
    assert way["gflops"] == pytest.approx(executed / seconds)
    assert way["share_of_product"] == pytest.approx(way["gflops"] / found["product"])
  assert found["best_b"] in found["ways"]
  assert {p.split()[0] for p in found["products"]} == {"jax", "torch"}
  curves = found["curves"]
  assert list(curves["folds"]) == [str(f) for f in measure.QUICK_FOLDS]
  assert list(curves["seeds"]) == [str(s) for s in measure.QUICK_SEEDS]
  assert set(found["start"]) == set(report.WAYS)
  assert results["machine"]["device"]
  assert results["machine"]["versions"]["torch"] != "not installed"


def test_padded_and_held_out_clips_count_as_computed_where_they_are(out):
  found = json.loads((out / "loso.json").read_text())["models"]["ststnet"]
  clips = {way: entry["clips_per_epoch"] for way, entry in found["ways"].items()}
  assert clips["a"] == found["folds"] * found["steps_per_epoch"] * 16
  # Every clip is held out once, and PyTorch never looks at it then.
  assert clips["c"] == (found["folds"] - 1) * found["clips"]


def test_table_and_figure_are_there(out):
  table = (out / "loso.md").read_text()
  rows = [line for line in table.splitlines() if line.startswith("| `ststnet`")]
  assert [row.split("|")[2].strip() for row in rows] == list(report.WAYS.values())
  assert "torch" in table
  assert "a trial" in table.lower()
  picture = cv2.imread(str(out / "loso.png"))
  assert picture is not None
  assert np.ptp(picture) > 200


def test_contenders_that_differ_are_not_timed(tmp_path, monkeypatch, capsys):
  monkeypatch.setitem(parity.TOLERANCE, "gradients", 0.0)
  flags = ["--quick", "--models", "ststnet", "--out", str(tmp_path / "out")]
  assert loso.main(flags) == 1
  assert "do not compute the same" in capsys.readouterr().err
  assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("flags", [["--models", "htnet"], ["--rounds", "0"]])
def test_wrong_flags_are_named(flags, capsys):
  with pytest.raises(SystemExit):
    loso.main(flags)
  assert flags[1] in capsys.readouterr().err


def test_tasks_take_turns():
  order = []
  tasks = {name: lambda name=name: float(not order.append(name)) for name in "abc"}
  taken = rounds.interleaved(tasks, 2, lambda _: None)
  assert order == ["a", "b", "c", "a", "b", "c"]
  assert taken == {name: [1.0, 1.0] for name in "abc"}


def test_a_process_of_its_own_tells_its_start_and_its_memory():
  command = [sys.executable, "-m", "tests.benchmarks.child", "ststnet", "a", "--quick"]
  cache = jax.config.values["jax_compilation_cache_dir"]  # of this test run
  environment = {**os.environ, "JAX_COMPILATION_CACHE_DIR": cache}
  done = subprocess.run(
    command, cwd=measure.ROOT, env=environment, capture_output=True, text=True, check=True
  )
  found = json.loads(done.stdout.splitlines()[-1])
  assert found["peak_bytes"] > found["ready_bytes"] > 2**20
  assert found["train_seconds"] > 0
