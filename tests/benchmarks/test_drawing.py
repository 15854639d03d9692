"""The benchmark of drawing and the rows of its ablation, tiny; the numbers are no matter here."""

import argparse
import json

import cv2
import numpy as np
import pytest

from mer_jax.experiment import drawn_source

from . import drawing, drawn_ablation, drawn_pictures


@pytest.mark.exhaustive
@pytest.mark.slow
def test_every_way_of_drawing_is_timed(tmp_path):
  assert drawing.main(["--quick", "--rounds", "2", "--out", str(tmp_path)]) == 0
  results = json.loads((tmp_path / "drawing.json").read_text())
  assert len(results["steps"]) == 3
  ways = {f"{name}, {way}" for name in results["steps"] for way in ("drawn", "clips")}
  assert set(results["values"]) == {"maps a second", "courses a second", *ways}
  assert all(min(value["all"]) > 0 for value in results["values"].values())
  table = (tmp_path / "drawing.md").read_text()
  assert table.count("\n| motion_net, batch") == 2
  assert "a trial" in table.lower()


@pytest.mark.parametrize("row", drawn_ablation.ROWS)
def test_every_row_of_the_ablation_draws_differently(row):
  given = argparse.Namespace(steps=250, batch_size=8, seeds=2)
  config = drawn_ablation.fitting(given, drawn_ablation.ROWS[row])
  assert config.training.epochs * config.drawn.epoch_steps == 300
  plain = drawn_source.facts(drawn_ablation.fitting(given, {}))
  facts = drawn_source.facts(config)
  changed = {name for name in plain if plain[name] != facts[name]} - {"digest"}
  assert changed == set(drawn_ablation.ROWS[row])


def test_every_action_unit_is_left_out_by_one_row():
  units = [number for group in drawn_ablation.UNITS for number in group]
  assert sorted(units) == sorted(drawing.draws.NUMBERS)


def test_the_picture_has_a_row_for_every_class_of_every_source():
  rng = np.random.default_rng(0)
  labels = np.array([0, 0, 1])
  sources = [
    drawn_pictures.Maps(name, rng.normal(size=(3, 12, 12, 3)).astype(np.float32), labels)
    for name in ("drawn", "measured")
  ]
  pictures = [
    drawn_pictures.beside(("disgust", "surprise"), tuple(sources[:count]), samples=2, seed=0)
    for count in (1, 2, 2)
  ]
  assert pictures[1] == pictures[2]
  heights = [cv2.imdecode(np.frombuffer(p, np.uint8), cv2.IMREAD_COLOR).shape for p in pictures]
  assert [width for _, width, _ in heights] == [900] * 3
  assert heights[1][0] > 1.6 * heights[0][0]


def test_wrong_flags_are_named(capsys):
  with pytest.raises(SystemExit):
    drawing.main(["--rounds", "0"])
  assert "--rounds is 0" in capsys.readouterr().err
  with pytest.raises(SystemExit):
    drawn_ablation.main(["--rows", "no eyes"])
  assert "no eyes" in capsys.readouterr().err
