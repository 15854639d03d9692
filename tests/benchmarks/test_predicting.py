"""The benchmark of loading and predicting, tiny; the numbers are no matter here."""

import json

from . import predicting


def test_every_way_is_timed(tmp_path, capsys):
  line = ["--rounds=1", "--clips=2", "--models", "ststnet_drawn", f"--out={tmp_path}"]
  assert predicting.main(line) == 0
  taken = json.loads((tmp_path / "predicting.json").read_text())["seconds"]["ststnet_drawn"]
  ways = {"load", "one clip", "2 clips", "2 clips one by one", "one clip of frames"}
  assert set(taken) == ways
  assert min(value["min"] for value in taken.values()) > 0
  assert "| ststnet_drawn |" in capsys.readouterr().out
