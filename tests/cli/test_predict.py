"""mer_jax predict: prepared data and folders of frames, the page, and what it refuses."""

import csv
import pathlib

import cv2
import numpy as np
import pytest
import trained_models

import mer_jax
from mer_jax import errors, inputs, recognizer
from mer_jax.cli import command
from mer_jax.clips import load_prepared
from mer_jax.experiment import prediction
from mer_jax.recognizer import Provenance
from mer_jax.report import style


@pytest.fixture(autouse=True)
def coarse(monkeypatch):
  monkeypatch.setattr(style, "DPI", 40)


@pytest.fixture
def where(tmp_path):
  """A model of apex frames that knows sub01 of a synthetic CASME II."""
  seen = Provenance((("casme2", "sub01"),), None, True)
  config = {"data": {"apex": "midpoint", "builder_config": "frames48"}}
  built = trained_models.ststnet(
    channels=1, provenance=seen, config=config, input={"name": "apex_frame", "size": 12}
  )
  recognizer.save(built, tmp_path / "model")
  return tmp_path / "model"


def rows_of(out: pathlib.Path) -> list[dict[str, str]]:
  with open(out / "predictions.csv", encoding="utf-8", newline="") as file:
    return list(csv.DictReader(file))


def draw(folder: pathlib.Path, first: int, count: int, width: int = 60) -> None:
  folder.mkdir(parents=True)
  rng = np.random.default_rng(first)
  for number in range(first, first + count):
    cv2.imwrite(str(folder / f"img{number}.png"), rng.integers(0, 256, (50, width), np.uint8))


def test_prepared_data_are_predicted_as_the_engine_does(where, data_dir, tmp_path, capsys):
  out = tmp_path / "out"
  data = str(data_dir / "casme2" / "frames48")
  assert command.main(["predict", data, f"--model={where}", f"--out={out}"]) == 0
  model, clips = mer_jax.load(where), load_prepared("casme2", "frames48", data_dir)
  by_seed = model.probabilities(inputs.make("apex_frame", clips, size=12))
  rows = rows_of(out)
  assert [row["clip"] for row in rows] == list(clips.clip)
  for k, name in enumerate(model.classes):
    own = [float(row[f"p_{name}"]) for row in rows]
    np.testing.assert_allclose(own, by_seed.mean(axis=0)[:, k], atol=1e-6)
    spread = [float(row[f"spread_{name}"]) for row in rows]
    np.testing.assert_allclose(spread, by_seed.std(axis=0)[:, k], atol=1e-6)
  known = int((clips.subject == "sub01").sum())
  assert sum(int(row["seen"]) for row in rows) == known
  printed = capsys.readouterr().out
  assert f"learned from the subjects of {known} of these {len(clips)} clips" in printed
  page = (out / "report.html").read_text(encoding="utf-8")
  assert page.count("(knows the subject)") == known
  assert "not a measurement of feeling" in page

  # The same version by its full path; not the corpus, which is prepared twice.
  versions = next((data_dir / "casme2" / "frames48").glob("*.*.*"))
  assert command.main(["predict", str(versions), f"--model={where}", f"--out={out}"]) == 0
  data = str(data_dir / "casme2")
  code = command.main(["predict", data, f"--model={where}", f"--out={out}"])
  assert code == errors.ConfigError.exit_code
  assert "holds casme2 prepared as frames128, frames48" in capsys.readouterr().err


def test_folders_of_frames_with_key_frames_from_a_table(where, tmp_path, capsys):
  draw(tmp_path / "mine" / "ann" / "smile", 10, 6)
  draw(tmp_path / "mine" / "ann" / "frown", 1, 4)
  draw(tmp_path / "mine" / "bob" / "broken", 1, 3)
  (tmp_path / "mine" / "bob" / "broken" / "img2.png").write_bytes(b"no image")
  table = tmp_path / "key.csv"
  table.write_text(
    "clip,onset,apex,offset,subject\nsmile,11,13,14,ann\nfrown,,,,eve\nabsent,1,2,3,\n"
  )
  command_line = ["predict", str(tmp_path / "mine"), "--crop=as_is", f"--key_frames={table}"]
  assert command.main([*command_line, f"--model={where}", f"--out={tmp_path / 'out'}"]) == 0
  smile, frown = rows_of(tmp_path / "out")
  assert (smile["subject"], smile["onset"], smile["apex"], smile["offset"]) == (
    "ann",
    "0",
    "2",
    "3",
  )
  assert (smile["apex_missing"], frown["apex_missing"]) == ("0", "1")
  assert (frown["subject"], frown["offset"]) == ("eve", "3")
  printed = capsys.readouterr().out
  for text in (
    "own/bob/broken is left out: img2.png is no readable image",
    "own/absent is left out: key frames are given, but there is no such clip folder",
    "The apex of 1 of 2 clips was not given",
  ):
    assert text in printed

  # The pixels are those of the frames: gray, at the size at which the model saw its corpus.
  shown = [
    cv2.resize(
      cv2.imread(str(tmp_path / "mine" / "ann" / "smile" / f"img{n}.png"), cv2.IMREAD_GRAYSCALE),
      (48, 48),
      interpolation=cv2.INTER_AREA,
    )
    for n in range(11, 15)
  ]
  clips = mer_jax.Clips.from_frames([np.stack(shown)], [0], [2], [3])
  own = mer_jax.load(where).predict(clips).probabilities[0]
  np.testing.assert_allclose([float(smile[f"p_{k}"]) for k in trained_models.CLASSES], own)


def test_a_single_clip_is_cut_by_options(where, tmp_path):
  draw(tmp_path / "clip", 1, 8, width=200)
  line = ["predict", str(tmp_path / "clip"), f"--model={where}", f"--out={tmp_path / 'out'}"]
  assert command.main([*line, "--onset=2", "--apex=4", "--offset=6"]) == 0
  (row,) = rows_of(tmp_path / "out")
  assert (row["onset"], row["apex"], row["offset"]) == ("0", "2", "4")


@pytest.mark.parametrize(
  ("line", "says", "code"),
  [
    (["absent"], "is neither a prepared dataset nor a folder of frames", 2),
    (["empty"], "holds no frames: expected images named by number", 3),
    (["clip", "--onset=70"], "its offset 3 lies before its onset 70", 3),
    (["clip", "--key_frames=absent.csv"], "cannot be read", 3),
    (["clip", "--model=nobody"], "nobody is neither a folder", 2),
    (["film.mp4", "--crop=as_is"], "is for folders of frames; a video has --detector", 2),
  ],
)
def test_what_cannot_be_predicted_is_named(where, tmp_path, monkeypatch, capsys, line, says, code):
  monkeypatch.chdir(tmp_path)
  (tmp_path / "empty").mkdir()
  (tmp_path / "film.mp4").write_text("no video")
  draw(tmp_path / "clip", 1, 3)
  assert command.main(["predict", f"--model={where}", "--out=out", *line]) == code
  assert says in capsys.readouterr().err
  assert not (tmp_path / "out").exists()


def test_frames_of_ones_own_become_clips():
  frames = [np.full((length, 20, 20), length, np.uint8) for length in (3, 5)]
  clips = mer_jax.Clips.from_frames(frames, fps=25)
  assert list(clips.num_frames) == [3, 5]
  assert list(clips.apex) == [1, 2]
  assert clips.apex_missing.all()
  assert clips.name(1) == "own/unknown/clip_0002"
  given = mer_jax.Clips.from_frames(frames, [0, 1], [1, 2], [2, 4])
  assert not given.apex_missing.any()
  first = mer_jax.Clips.from_frames(frames[:1], *map(np.array, ([0], [0], [2])))
  assert (list(first.apex), list(first.offset), first.apex_missing.any()) == ([0], [2], False)
  for wrong, says in (
    ({"frames": []}, "no clip"),
    ({"frames": [frames[0], np.zeros((2, 9, 9), np.uint8)]}, "frames of one size"),
    ({"frames": [frames[0].astype(float)]}, "uint8"),
    ({"frames": frames, "onset": [1]}, "for each of 2 clips"),
    ({"frames": frames, "apex": [2, 1], "onset": [0, 3]}, "ordered indices"),
    ({"frames": frames, "apex": [2, None]}, "apex holds an index"),
    ({"frames": frames, "onset": 0}, "onset holds an index"),
  ):
    with pytest.raises(errors.DataError, match=says):
      mer_jax.Clips.from_frames(**wrong)


def test_names_that_are_formulas_and_cells_that_are_no_numbers(where, tmp_path, capsys):
  for name in ("=cmd", "plain"):
    draw(tmp_path / "own" / name, 10, 4)
  table = tmp_path / "table.csv"
  ask = ["predict", str(tmp_path / "own"), f"--model={where}", "--crop=as_is"]
  ask += [f"--out={tmp_path / 'out'}", f"--key_frames={table}"]
  table.write_text("clip,onset,subject\nplain,ten,p1\n")
  assert command.main(ask) == errors.DataError.exit_code
  assert "onset 'ten', which is no frame number" in capsys.readouterr().err
  table.write_text("clip,onset,apex,subject\nplain,10,12,p1\n")
  assert command.main(ask) == 0
  assert [row["clip"] for row in rows_of(tmp_path / "out")] == ["plain"]
  assert "is a formula to a spreadsheet" in capsys.readouterr().out


def test_clips_of_one_frame_are_not_predicted_by_motion(tmp_path, capsys):
  config = {"data": {"apex": "midpoint", "builder_config": "frames48"}}
  built = trained_models.ststnet(
    channels=1, config=config, input={"name": "onset_difference", "size": 12}
  )
  assert built.input_for("gray")["name"] == "onset_difference"
  clips = mer_jax.Clips.from_frames([np.zeros((1, 20, 20), np.uint8)])
  with pytest.raises(errors.DataError, match="All 1 clips hold one frame"):
    prediction.predict(built, clips, tmp_path / "out")
  with pytest.raises(errors.DataError, match="predict reads Clips, not ndarray"):
    built.predict(clips.frames)


def test_a_workdir_in_the_place_of_its_model_is_named(where, tmp_path):
  with pytest.raises(errors.ConfigError, match="is a workdir; its model lies in"):
    mer_jax.load(where.parent)
