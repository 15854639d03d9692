"""The benchmark of convolutions, tiny; the numbers are no matter here."""

import json

from . import convolutions


def test_every_implementation_is_timed(tmp_path, capsys):
  assert convolutions.main(["--rounds=1", "--quick", f"--out={tmp_path}"]) == 0
  taken = json.loads((tmp_path / "convolutions.json").read_text())["seconds"]["sssnet"]
  assert set(taken) == set(convolutions.WAYS)
  assert min(value["min"] for value in taken.values()) > 0
  assert "| sssnet |" in capsys.readouterr().out
