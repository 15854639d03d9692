"""The benchmark of SVMs runs from end to end at tiny sizes; its numbers are no matter here."""

import json

import numpy as np
import pytest

from . import svm


def test_every_way_is_timed_and_compared(tmp_path):
  assert svm.main(["--quick", "--rounds", "2", "--out", str(tmp_path)]) == 0
  results = json.loads((tmp_path / "svm.json").read_text())
  assert set(results["features"]) == {str(d) for d in svm.QUICK["features"]}
  for found in results["features"].values():
    assert set(found["seconds"]) == {svm.OURS, svm.DEFAULT, svm.SAME}
    assert all(len(seconds["all"]) == 2 for seconds in found["seconds"].values())
    assert found["difference"][svm.OURS] == 0
    assert 0 < found["difference"][svm.SAME] <= svm.EQUAL
  table = (tmp_path / "svm.md").read_text()
  assert table.count("| LinearSVC, same values") == len(results["features"])
  assert "a trial" in table.lower()


def test_other_decision_values_are_an_error(tmp_path, monkeypatch, capsys):
  monkeypatch.setattr(svm, "EQUAL", 0.0)
  monkeypatch.setattr(svm, "settings_of_same_values", lambda _: {"dual": False})
  assert svm.main(["--quick", "--rounds", "1", "--out", str(tmp_path / "out")]) == 1
  assert "decision values differ" in capsys.readouterr().err
  assert not (tmp_path / "out").exists()


def test_every_fold_of_the_drawn_problem_holds_somebody_out():
  problem = svm.draw(clips=442, folds=68, d=30)
  assert problem.features.shape == (442, 30)
  assert (problem.held_out.sum(axis=0) == 1).all()
  sizes = problem.held_out.sum(axis=1)
  assert sizes.min() >= 1
  assert sizes.max() > 2 * np.median(sizes)


def test_wrong_flags_are_named(capsys):
  with pytest.raises(SystemExit):
    svm.main(["--rounds", "0"])
  assert "0" in capsys.readouterr().err
