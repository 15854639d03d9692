"""The table of feature extractors is made from end to end; what its numbers are is no matter."""

import json

import numpy as np
import pytest

from . import features


def test_every_extractor_is_in_the_table(tmp_path, capsys):
  assert features.main(["--clips", "2", "--size", "20", "--out", str(tmp_path)]) == 0
  results = json.loads((tmp_path / "features.json").read_text())
  assert results["clips"] == 2
  assert results["extractors"].keys() == features.EXTRACTORS.keys()
  printed = capsys.readouterr().out
  for name, found in results["extractors"].items():
    assert found["seconds"] > 0
    assert found["compile_seconds"] >= 0
    assert f"| {name} | {found['seconds']:.1f} |" in printed
  assert "2 clips" in printed
  assert "CPU cores" in printed


def test_drawn_clips_differ_move_and_are_repeatable():
  clips = features.draw(3, 32)
  assert len(np.unique(clips.num_frames)) > 1
  for n in range(3):
    frames = clips.frames_of(n).astype(float)
    assert np.std(frames[0]) > 10
    assert np.abs(frames[0] - frames[20]).mean() > 3
  assert np.array_equal(features.draw(3, 32).frames, clips.frames)


@pytest.mark.parametrize("flags", [["--clips", "0"], ["--size", "8"]])
def test_wrong_flags_are_named(flags, capsys):
  with pytest.raises(SystemExit):
    features.main(flags)
  assert f"{flags[0]} is {flags[1]}" in capsys.readouterr().err
