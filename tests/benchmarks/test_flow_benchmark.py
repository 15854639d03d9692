"""The benchmark of optical flow runs from end to end at a tiny size."""

import json

import pytest

from . import flow


def test_every_method_is_timed_and_compared_with_the_truth(tmp_path, capsys):
  assert flow.main(["--pairs", "2", "--sizes", "40", "--rounds", "2", "--out", str(tmp_path)]) == 0
  results = json.loads((tmp_path / "flow.json").read_text())
  found = results["sizes"]["40"]
  named = set(flow.methods())
  assert set(found["seconds"]) == named
  assert set(found["error"]) == named | {"no flow at all"}
  assert all(len(seconds["all"]) == 2 for seconds in found["seconds"].values())
  assert found["from_scikit_image"][flow.OURS]["median"] < 1e-3
  assert found["from_scikit_image"][f"{flow.PEER}, threads"]["mean"] == 0
  assert found["from_scikit_image"]["DIS, OpenCV"]["median"] > 1e-3
  table = (tmp_path / "flow.md").read_text()
  assert table in capsys.readouterr().out
  assert len(table.splitlines()) == 2 + len(named) + 1


def test_faces_are_as_many_and_as_large_as_asked_for():
  before, after, truth = flow.faces(3, 48)
  assert before.shape == after.shape == (3, 48, 48)
  assert truth.shape == (3, 48, 48, 2)
  assert 0.02 < abs(truth).mean() < 2


@pytest.mark.parametrize(
  ("flags", "message"),
  [
    (["--pairs", "0"], "--pairs is 0; it must be at least 1"),
    (["--sizes", "128", "8"], "--sizes has 8"),
  ],
)
def test_bad_flags_are_refused(capsys, flags, message):
  with pytest.raises(SystemExit):
    flow.main(flags)
  assert message in capsys.readouterr().err
