"""Clips of one's own: tables and class folders, what is refused of them, and both alike."""

import csv
import os
import pathlib
import zipfile
import zlib

import cv2
import numpy as np
import openpyxl
import pytest
from corpus_trees import image, workbook

import mer_jax
from configs import demo
from data_builders import build, sheet_files
from data_builders.listing import table
from data_builders.listing.parse import parse
from data_builders.options import Options
from mer_jax import protocols
from mer_jax.clips import load_prepared
from mer_jax.errors import ConfigError, DataError, ProtocolError
from mer_jax.report import style

EMOTIONS = ("happy", "sad", "surprised")
PATTERN = "{emotion}/{subject}_{clip}"
SAFE = Options(crop="as_is")


def listed(root: pathlib.Path, rows, header=("path", "subject", "emotion"), delimiter=",") -> None:
  root.mkdir(parents=True, exist_ok=True)
  with open(root / "clips.csv", "w", newline="", encoding="utf-8") as file:
    csv.writer(file, delimiter=delimiter).writerows([header, *rows])


def folder(path: pathlib.Path, numbers=range(1, 6)) -> None:
  for n in numbers:
    image(path / f"{n:03d}.png", n, (24, 24))


def frames(k: int) -> np.ndarray:
  return np.random.default_rng(k).integers(0, 255, (4, 24, 24), np.uint8)


def video(path: pathlib.Path, pixels: np.ndarray) -> None:
  path.parent.mkdir(parents=True, exist_ok=True)
  writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"FFV1"), 50, pixels.shape[:0:-1])
  for frame in pixels:
    writer.write(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR))
  writer.release()


@pytest.fixture(scope="module")
def both(tmp_path_factory) -> dict[str, pathlib.Path]:
  """data_dir of 60 clips in class folders, and of the same as a table of videos."""
  root = tmp_path_factory.mktemp("own")
  rows = []
  for k in range(60):
    emotion, subject, clip = EMOTIONS[k % 3], f"p{k // 3 % 4}", f"c{k // 12}"
    for n, frame in enumerate(frames(k), 1):
      path = root / "folders" / emotion / f"{subject}_{clip}" / f"{n}.png"
      path.parent.mkdir(parents=True, exist_ok=True)
      assert cv2.imwrite(str(path), frame)
    video(root / "videos" / "v" / f"{k:03d}.avi", frames(k))
    part = "test" if subject == "p3" else "train"
    rows.append((f"v/{k:03d}.avi", subject, emotion.upper(), clip, part))
  listed(root / "videos", rows, ("Path", "Subject", "Emotion", "Clip", "split"), ";")
  for kind, more in (("folders", {"pattern": PATTERN}), ("videos", {})):
    report, where, _ = build.build(
      "listing", root / kind, root / f"data_{kind}", crop="as_is", name="my_study", **more
    )
    assert len(report.kept) == 60
    assert where == root / f"data_{kind}" / "my_study" / "frames48" / "1.0.0"
  return {kind: root / f"data_{kind}" for kind in ("folders", "videos")}


def test_class_folders_and_a_table_of_videos_give_the_same_predictions(both, tmp_path, monkeypatch):
  monkeypatch.setattr(style, "DPI", 40)
  written = []
  for kind, data_dir in both.items():
    config = demo.get_config("casme2")
    config.data.data_dir, config.data.datasets = str(data_dir), ("my_study",)
    config.protocol.name, config.devices = "native", 1
    config.input.num_frames, config.input.size = 4, 12
    config.model.channels = (2, 2, 2)
    config.model.cnn_features = config.model.lstm_features = 4
    config.training.epochs, config.training.fold_block = 1, 4
    mer_jax.run(config, tmp_path / kind, quiet=True)
    written.append((tmp_path / kind / "predictions.csv").read_bytes())
  assert written[0] == written[1]
  assert written[0].count(b"\n") == 61


def test_a_fixed_split_is_scored_on_its_test_part(both, tmp_path, monkeypatch):
  monkeypatch.setattr(style, "DPI", 40)
  config = demo.get_config("casme2")
  config.data.data_dir, config.data.datasets = str(both["videos"]), ("my_study",)
  config.protocol.name, config.devices = "native", 1
  config.protocol.held_out = "split"
  config.input.num_frames, config.input.size = 4, 12
  config.model.channels = (2, 2, 2)
  config.model.cnn_features = config.model.lstm_features = 4
  config.training.epochs, config.training.fold_block = 1, 1
  summary = mer_jax.run(config, tmp_path / "run", quiet=True).run.summary
  assert summary["clips"] == 15
  lines = (tmp_path / "run" / "predictions.csv").read_text().splitlines()
  assert {line.split(",")[2] for line in lines[1:]} == {"p3"}
  assert mer_jax.run(config, tmp_path / "run", quiet=True).run.summary == summary


def test_protocols_of_own_clips(both):
  clips = load_prepared("my_study", "frames48", both["videos"])
  assert set(clips.split) == {"train", "test"}
  split = protocols.split("native", clips, folds=2)
  assert split.held_out.sum(axis=0).tolist() == [1] * 60
  for held in split.held_out:
    assert not set(clips.subject[held]) & set(clips.subject[~held])
  split = protocols.split("native", clips, held_out="split")
  assert (split.fold_names, split.held_out.shape) == (("test",), (1, 60))
  assert set(clips.subject[split.held_out[0]]) == {"p3"}
  mapping = {"negative": ("sad",), "positive": "happy", "surprise": ("Surprised",)}
  split = protocols.split("three_class", clips, **mapping)
  assert [split.class_names[k] for k in split.labels] == [
    {"sad": "negative", "happy": "positive", "surprised": "surprise"}[e] for e in clips.emotion
  ]
  with pytest.raises(ConfigError, match="two classes"):
    protocols.split("three_class", clips, **{**mapping, "negative": ("sad", "happy")})
  with pytest.raises(ConfigError, match="no emotion 'angry'"):
    protocols.split("three_class", clips, negative=("angry",))
  with pytest.raises(ProtocolError, match=r"protocol\.negative"):
    protocols.split("three_class", clips)
  with pytest.raises(ProtocolError, match="from 2 to 4"):
    protocols.split("native", clips, folds=5)
  other = load_prepared("my_study", "frames48", both["folders"])
  with pytest.raises(ProtocolError, match="needs a part for every clip"):
    protocols.split("native", other, held_out="split")


def test_what_a_row_says_and_what_it_leaves_open(tmp_path):
  folder(tmp_path / "a", range(10, 21))
  folder(tmp_path / "b")
  image(tmp_path / "c.png", 1, (24, 24))
  video(tmp_path / "d.avi", np.concatenate([frames(0), frames(1)]))
  header = ("path", "subject", "emotion", "onset", "apex", "offset", "action_units", "fps")
  rows = [
    ("a", "01", "Happy", 12, 14, 18, "4+7<b>$x$", "90"),
    ("b", 1, "other", "", "", "", "", ""),
    ("c.png", "02", "sad", "", "", "", "", ""),
    ("d.avi", "02", "sad", 3, "", 6, "", "50,5"),
  ]
  rows = [header, *rows]
  workbook(tmp_path / "clips.xlsx", {"Sheet1": rows})
  records, report = parse(tmp_path, "frames48", SAFE)
  found = {
    r.name: (r.emotion, r.numbers[0], r.numbers[-1], r.apex, r.apex_missing, r.fps) for r in records
  }
  assert found == {
    "listing/01/a": ("happy", 12, 18, 2, False, 90.0),
    "listing/01/b": ("others", 1, 5, 2, True, 0.0),
    "listing/02/c": ("sad", 1, 1, 0, False, 0.0),
    "listing/02/d": ("sad", 3, 6, 1, True, 50.5),
  }
  assert records[0].action_units == "4+7bx"
  assert not report.repaired
  assert any("'1' is read as '01'" in note for note in report.notes)
  apexes = tmp_path / "apexes.csv"
  apexes.write_text("subject,clip,apex\n02,d,6\n")
  records, _ = parse(tmp_path, "frames48", Options(crop="as_is", apex=apexes))
  assert (records[3].apex, records[3].apex_missing) == (3, False)


@pytest.mark.parametrize(
  ("row", "why"),
  [
    (("../secret", "p1", "happy"), "not one below the folder"),
    (("/etc", "p1", "happy"), "not one below the folder"),
    (("C:\\x", "p1", "happy"), "not one below the folder"),
    (("link", "p1", "happy"), "leads out of the folder"),
    (("pipe.png", "p1", "happy"), "no folder, video or image"),
    (("absent", "p1", "happy"), "there is no absent"),
    (("x" * 5000, "p1", "happy"), "cannot be used"),
    (("a", "=1+1", "happy"), "subject '=1\\+1' is no name"),
    (("a", "<b>p1</b>", "happy"), "is no name"),
    (("a", "p1/../..", "happy"), "is no name"),
    (("a", "p1", "=HYPERLINK()"), "is no name"),
    (("a", "p1", "<script>"), "is no name"),
    (("a", "p1\nx", "happy"), "is no name"),
    (("", "p1", "happy"), "not one below the folder"),
    (("a", "p1", ""), "emotion is empty"),
    (("a", "p1", "NaN"), "emotion is empty"),
    (("a", "nan", "happy"), "subject is empty"),
    (("a", "None", "happy"), "subject is empty"),
    (("a", "p1", "3"), "emotion '3' is a number"),
  ],
)
def test_rows_that_are_refused(tmp_path, row, why):
  root = tmp_path / "own"
  folder(root / "a")
  folder(root / "good")
  folder(tmp_path / "secret")
  (root / "link").symlink_to(tmp_path / "secret")
  os.mkfifo(root / "pipe.png")
  listed(root, [row, ("good", "p2", "sad")])
  records, report = parse(root, "frames48", SAFE)
  assert [record.name for record in records] == ["listing/p2/good"]
  (reason,) = report.refused.values()
  with pytest.raises(DataError, match=why):
    raise DataError(reason)


def test_images_and_sheets_without_end_are_refused(tmp_path):
  folder(tmp_path / "a")
  os.mkfifo(tmp_path / "a" / "006.png")
  folder(tmp_path / "b", (1, 2))
  bomb = bytearray((tmp_path / "b" / "001.png").read_bytes())
  bomb[16:24] = (9000).to_bytes(4, "big") * 2  # its header, with the right check sum
  bomb[29:33] = zlib.crc32(bomb[12:29]).to_bytes(4, "big")
  (tmp_path / "b" / "003.png").write_bytes(bomb)
  folder(tmp_path / "good")
  listed(tmp_path, [("a", "p1", "x"), ("b", "p1", "x"), ("good", "p2", "x")])
  report, *_ = build.build("listing", tmp_path, tmp_path / "data", crop="as_is")
  assert list(report.kept) == ["listing/p2/good"]
  assert "is no file" in report.refused["listing/p1/a"]
  assert "pixels" in report.refused["listing/p1/b"]
  (tmp_path / "clips.csv").unlink()
  with zipfile.ZipFile(tmp_path / "clips.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
    archive.writestr("xl/worksheets/sheet1.xml", bytes(sheet_files.LARGEST + 1))
  with pytest.raises(DataError, match=r"unpacks to .* bytes"):
    parse(tmp_path, "frames48", SAFE)
  os.mkfifo(tmp_path / "pipe.csv")
  with pytest.raises(DataError, match="it is no file"):
    parse(tmp_path, "frames48", Options(sheet=tmp_path / "pipe.csv"))


@pytest.mark.parametrize("kind", ["rows", "sheets", "cells", "gap", "merged", "csv"])
def test_sheets_of_too_many_rows_or_cells_are_refused(tmp_path, monkeypatch, kind):
  monkeypatch.setattr(sheet_files, "MOST_ROWS", 20)
  monkeypatch.setattr(sheet_files, "MOST_CELLS", 200)
  path = tmp_path / ("clips.csv" if kind == "csv" else "clips.xlsx")
  if kind == "csv":
    path.write_text("path,subject,emotion\n" * 21)
  else:
    book = openpyxl.Workbook()
    for sheet in (book.active, book.create_sheet()):
      for row in range({"rows": 21, "sheets": 11}.get(kind, 3)):
        sheet.append([row] * (40 if kind == "cells" else 2))
    if kind == "gap":
      book.active["A1048576"] = "far below"
    if kind == "merged":
      book.active.merge_cells("E1:ZZ2")
    book.save(path)
  with pytest.raises(DataError, match="more than 20 rows or 200 cells"):
    sheet_files.tables(path)
  monkeypatch.undo()
  if kind != "gap":
    assert sheet_files.tables(path)


def test_what_a_pattern_understands_is_printed_before_the_build(tmp_path, capsys):
  folder(tmp_path / "happy" / "p_1_c1")
  folder(tmp_path / "sad" / "p2_c1")
  image(tmp_path / "sad" / "p2_c2.png", 1, (24, 24))
  folder(tmp_path / "notes" / "odd")
  command = ["listing", f"--manual_dir={tmp_path}", f"--data_dir={tmp_path / 'data'}"]
  command += ["--crop=as_is", f"--from-folders={PATTERN}"]
  assert build.main(command) == 0
  out = capsys.readouterr().out
  assert out.startswith("3 clips understood from the names:\n  happy/p_1_c1: emotion 'happy'")
  assert "subject 'p', clip '1_c1'" in out
  assert "1 names can be parted in several places" in out
  assert "notes/odd" in out
  clips = load_prepared("listing", "frames48", tmp_path / "data")
  assert [clips.name(n) for n in range(3)] == ["listing/p/1_c1", "listing/p2/c1", "listing/p2/c2"]
  for pattern in ("{emotion}", "{emotion}/{subject}/{age}", "{emotion}{emotion}{subject}"):
    with pytest.raises(ConfigError, match="--from-folders"):
      table.from_folders(tmp_path, pattern)


def test_names_and_what_is_left_alone(tmp_path):
  folder(tmp_path / "happy" / "p1")
  folder(tmp_path / "sad" / "p1")
  folder(tmp_path / "unlisted")
  listed(tmp_path, [("happy/p1", "p1", "happy"), ("sad\\p1", "p1", "sad")])
  records, report = parse(tmp_path, "frames48", SAFE)
  assert [r.clip for r in records] == ["happy_p1", "sad_p1"]
  assert any(note.endswith("in no row of the table: unlisted") for note in report.notes)
  for name in ("casme2", "../x", "My Study"):
    with pytest.raises(ConfigError, match="--name"):
      build.build("listing", tmp_path, tmp_path / "data", name=name)
  with pytest.raises(ConfigError, match="for the corpus listing"):
    build.build("casme2", tmp_path, tmp_path / "data", name="x")
  (tmp_path / "clips.csv").unlink()
  with pytest.raises(DataError, match=r"No clips\.csv"):
    parse(tmp_path, "frames48", SAFE)
