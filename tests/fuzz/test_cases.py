"""Some of the random cases of `python -m tests.fuzz`, the same in each run of the tests."""

import random
import warnings

from tests.fuzz import __main__ as fuzz
from tests.fuzz import cases

SECONDS = 15


def test_random_input_ends_with_a_result_or_a_message(data_dir, tmp_path):
  with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # a warning is no traceback
    ground = cases.prepared(data_dir, tmp_path)
    assert fuzz.findings(range(2000), ground, SECONDS) == []


def test_what_is_not_taken_is_a_finding(monkeypatch, capsys):
  def fails(draw: random.Random, ground: object) -> None:
    raise KeyError("not foreseen")

  def hangs(draw: random.Random, ground: object) -> None:
    while True:
      pass

  ground = cases.Ground(None, None)
  for case in (fails, hangs):
    monkeypatch.setattr(cases, "KINDS", {"own": case})
    monkeypatch.setattr(fuzz, "SECONDS", 0.2)
    assert fuzz.findings([7], ground, 60) == [7]
  out = capsys.readouterr().out
  assert "seed 7 (own)" in out
  assert "KeyError: 'not foreseen'" in out
  assert "Hang: no end after 0.2 s" in out
