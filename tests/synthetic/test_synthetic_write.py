"""The tree, names, sheets and promises of a written corpus."""

import hashlib
import json
import pathlib
import re

import cv2
import numpy as np
import openpyxl
import pytest

from data_builders.schema import SYNTHETIC_MARK
from data_builders.synthetic import corpora, plan, truth, write
from data_builders.synthetic.__main__ import main
from mer_jax import errors

SMALL = {"subjects": 3, "clips_per_subject": 4, "size": 32, "seed": 5}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
  root = tmp_path_factory.mktemp("corpora")
  for name in corpora.CORPORA:
    assert write(name, root / name, workers=4, **SMALL)
  return root


def _digest(root: pathlib.Path) -> dict[str, str]:
  # An xlsx carries the time of writing; its cells are compared elsewhere.
  return {
    p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
    for p in sorted(root.rglob("*"))
    if p.is_file() and p.suffix not in (".xlsx", ".npz")
  }


def _sheet(path: pathlib.Path) -> list[tuple]:
  return list(openpyxl.load_workbook(path).worksheets[0].values)


def test_casme2_tree_and_sheet(written):
  root = written / "casme2"
  table = _sheet(root / "CASME2-coding-20140508.xlsx")
  assert table[0] == (
    "Subject",
    "Filename",
    None,
    "OnsetFrame",
    "ApexFrame",
    "OffsetFrame",
    None,
    "Action Units",
    "Estimated Emotion",
  )
  objective = _sheet(root / "CASME2-ObjectiveClasses.xlsx")
  assert objective[0] == ("Subject", "Filename", "Objective Class")
  keys = [(int(subject), clip) for subject, clip, *_ in table[1:]]
  assert [(subject, clip) for subject, clip, _ in objective[1:]] == keys
  assert all(1 <= number <= 7 for *_, number in objective[1:])
  book = openpyxl.load_workbook(root / "CASME2-coding-20140508.xlsx")
  assert book.sheetnames == ["Sheet1", "Sheet2", "Sheet3"]
  assert len(table) == 1 + 12
  for subject, clip, _, onset, apex, offset, _, units, emotion in table[1:]:
    assert re.fullmatch(r"0[123]", subject)
    assert 24 <= offset - onset + 1 <= 141
    assert onset < apex < offset
    assert isinstance(units, int) or "+" in units or units[0] in "LR"
    assert emotion in corpora.CASME2.emotions
    folder = root / "Cropped" / f"sub{subject}" / clip
    names = {p.name for p in folder.iterdir()}
    assert names == {f"reg_img{n}.jpg" for n in range(onset, offset + 1)}
    assert (root / "truth" / f"sub{subject}" / f"{clip}.npz").is_file()


def test_casme2_frames_are_colour_and_have_the_owners_proportions(written):
  frame = cv2.imread(str(next((written / "casme2").rglob("*.jpg"))), cv2.IMREAD_UNCHANGED)
  assert frame.shape == (round(1.36 * 32), round(1.12 * 32), 3)
  assert np.ptp(frame) > 60


def test_samm_tree_and_sheet(written):
  root = written / "samm"
  path = root / "SAMM_Micro_FACS_Codes_v2.xlsx"
  assert openpyxl.load_workbook(path).sheetnames == ["MICRO_ONLY"]
  table = _sheet(path)
  assert table[13][:7] == (
    "Subject",
    "Filename",
    "Inducement Code",
    "Onset Frame",
    "Apex Frame",
    "Offset Frame",
    "Duration",
  )
  assert len(table) == 14 + 12
  for row in table[14:]:
    subject, clip, code, onset, apex, offset, duration, micro, _, emotion, objective, _ = row
    assert re.fullmatch(r"\d{3}", subject)
    assert clip.startswith(f"{subject}_{code}_")
    assert duration == offset - onset + 1
    assert onset < apex < offset
    assert micro == "Micro - 1/2"
    assert emotion in corpora.SAMM.emotions
    assert objective in ("I", "II", "III", "IV", "V", "VI", "VII")
    folder = root / "SAMM" / subject / clip
    names = {p.name for p in folder.iterdir()}
    assert names == {f"{subject}_{n:05d}.jpg" for n in range(onset, offset + 1)}
  frame = cv2.imread(str(next(folder.iterdir())), cv2.IMREAD_UNCHANGED)
  assert frame.ndim == 2


def test_smic_tree_of_three_cameras_and_no_sheet(written):
  root = written / "smic"
  assert not list(root.rglob("*.xlsx"))
  top = root / "SMIC_all_cropped"
  assert sorted(p.name for p in top.iterdir()) == ["HS", "NIR", "VIS"]
  clips = {camera: list((top / camera).glob("s*/micro/*/*")) for camera in ("HS", "VIS", "NIR")}
  assert len(clips["HS"]) == 12
  assert len(clips["VIS"]) == len(clips["NIR"]) > 0
  for folder in clips["HS"]:
    short = {"negative": "ne", "positive": "po", "surprise": "sur"}[folder.parent.name]
    assert re.fullmatch(rf"s[123]_{short}_\d\d", folder.name)
    numbers = sorted(
      int(re.fullmatch(r"reg_image(\d{6,8})\.bmp", p.name)[1]) for p in folder.iterdir()
    )
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert 11 <= len(numbers) <= 58
  for folder in clips["VIS"]:
    assert 4 <= len(list(folder.iterdir())) <= 13
  known = truth.load(root / "truth" / "VIS" / "s03" / "s03_ne_01.npz")
  assert known["fps"] == 25


def test_casme2_2019_sheet_and_raw_tree(tmp_path):
  write("casme2", tmp_path / "c", sheet="20190701", tree="raw", **{**SMALL, "clips_per_subject": 1})
  table = _sheet(tmp_path / "c" / "CASME2-coding-20190701.xlsx")
  assert None not in table[0]
  assert [row[0] for row in table[1:]] == [1, 2, 3]
  frames = list((tmp_path / "c" / "CASME2_RAW_selected" / "sub01").rglob("img*.jpg"))
  assert len(frames) >= 24
  assert cv2.imread(str(frames[0])).shape == (round(1.92 * 32), round(2.56 * 32), 3)


def test_small_smic_numbers_are_zero_padded_to_six():
  assert corpora.frame_name("smic", 1, 90823, "cropped") == "reg_image090823.bmp"
  assert corpora.frame_name("smic", 18, 1642685, "raw") == "image1642685.bmp"
  assert corpora.frame_name("samm", 6, 5562, "raw") == "006_05562.jpg"
  assert corpora.frame_name("casme2", 1, 46, "cropped") == "reg_img46.jpg"


@pytest.mark.parametrize("name", corpora.CORPORA)
def test_mark_tells_what_it_is(written, name):
  text = (written / name / SYNTHETIC_MARK).read_text()
  assert text.startswith("SYNTHETIC")
  line = next(x for x in text.splitlines() if x.startswith("parameters: "))
  assert json.loads(line.removeprefix("parameters: "))["seed"] == 5


@pytest.mark.parametrize("name", corpora.CORPORA)
def test_truth_lies_beside_every_clip(written, name):
  kind = corpora.corpus(name)
  clips = plan.plan(kind, 3, 4, 5, kind.trees[0])
  assert {p.relative_to(written / name) for p in (written / name / "truth").rglob("*.npz")} == {
    pathlib.Path(clip.truth) for clip in clips
  }
  for clip in clips:
    known = truth.load(written / name / clip.truth)
    assert known["emotion"] == clip.emotion
    assert known["apex"] == clip.apex - clip.onset
    assert known["frame_numbers"].tolist() == [clip.onset, clip.offset]
    assert known["au_intensity"].shape == (clip.num_frames, len(known["au_names"]))
    assert known["displacement"].ndim == 3
    assert np.isfinite(known["displacement"]).all()


def test_neither_threads_nor_a_second_time_change_a_bit(written, tmp_path):
  again = tmp_path / "smic"
  write("smic", again, workers=1, **SMALL)  # `written` comes from four threads
  assert _digest(again) == _digest(written / "smic")
  for path in sorted((again / "truth").rglob("*.npz")):
    second, first = truth.load(path), truth.load(written / "smic" / path.relative_to(again))
    assert all(np.array_equal(second[key], first[key]) for key in second)


def test_another_seed_is_another_corpus(tmp_path):
  frames = []
  for seed in (5, 6):
    root = tmp_path / str(seed)
    write("smic", root, size=32, subjects=1, clips_per_subject=1, seed=seed)
    frames.append({digest for name, digest in _digest(root).items() if name.endswith(".bmp")})
  assert len(frames[0]) > 4
  assert not frames[0] & frames[1]


def test_the_same_corpus_is_left_alone_and_another_refused(tmp_path):
  tiny = {**SMALL, "subjects": 1, "clips_per_subject": 1}
  out = tmp_path / "c"
  out.mkdir()  # an empty folder is no obstacle
  assert write("smic", out, **tiny)
  before = {p: p.stat().st_mtime_ns for p in out.rglob("*")}
  assert not write("smic", out, **tiny)
  assert {p: p.stat().st_mtime_ns for p in out.rglob("*")} == before
  with pytest.raises(errors.DataError, match="seed 5 instead of 6"):
    write("smic", out, **{**tiny, "seed": 6})
  assert {p: p.stat().st_mtime_ns for p in out.rglob("*")} == before
  assert write("smic", out, overwrite=True, **{**tiny, "seed": 6})
  assert [p.name for p in tmp_path.iterdir()] == ["c"]


def test_a_folder_of_something_else_is_never_replaced(tmp_path):
  (tmp_path / "c").mkdir()
  (tmp_path / "c" / "licensed.jpg").write_bytes(b"precious")
  with pytest.raises(errors.DataError, match="not a synthetic corpus"):
    write("smic", tmp_path / "c", overwrite=True, **SMALL)
  assert (tmp_path / "c" / "licensed.jpg").read_bytes() == b"precious"
  (tmp_path / "file").write_text("a file")
  with pytest.raises(errors.DataError, match="not a synthetic corpus"):
    write("smic", tmp_path / "file", **SMALL)


def test_a_damaged_mark_is_another_corpus(tmp_path):
  (tmp_path / SYNTHETIC_MARK).write_bytes(b"parameters: {\xff")
  with pytest.raises(errors.DataError, match="another synthetic corpus"):
    write("smic", tmp_path, **SMALL)


def test_nothing_is_left_of_a_failed_attempt(tmp_path, monkeypatch):
  encode, calls = cv2.imencode, []

  def full_disk(*arguments):
    calls.append(1)
    if len(calls) > 30:
      raise OSError(28, "No space left on device")
    return encode(*arguments)

  monkeypatch.setattr(cv2, "imencode", full_disk)
  with pytest.raises(errors.WorkdirError, match="c cannot be written: No space"):
    write("smic", tmp_path / "c", **SMALL)
  assert list(tmp_path.iterdir()) == []
  assert main(["smic", "--out", str(tmp_path / "c"), "--subjects", "2", "--size", "32"]) == 5


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    ({"subjects": 0}, "subjects is 0"),
    ({"clips_per_subject": -1}, "clips_per_subject is -1"),
    ({"size": 4}, "size is 4"),
    ({"size": 5000}, "size is 5000"),
    ({"intensity": -1.0}, "intensity is -1.0"),
    ({"intensity": 2.5}, "between 0 and 2.0"),
    ({"intensity": float("nan")}, "intensity is nan"),
    ({"seed": -1}, "seed is -1"),
    ({"tree": "crop"}, "Did you mean 'cropped'"),
    ({"sheet": "2014"}, "Unknown CASME II sheet"),
  ],
)
def test_bad_arguments_say_what_came(tmp_path, arguments, message):
  with pytest.raises(errors.ConfigError, match=message):
    write("casme2", tmp_path / "c", **arguments)
  assert list(tmp_path.iterdir()) == []


def test_unknown_corpus(tmp_path):
  with pytest.raises(errors.ConfigError, match="Did you mean 'casme2'"):
    write("casme", tmp_path / "c")


def test_samm_has_no_cropped_tree(tmp_path, capsys):
  assert main(["samm", "--out", str(tmp_path / "c"), "--tree", "cropped"]) == 2
  assert "Unknown tree of samm 'cropped'" in capsys.readouterr().err


def test_command_line(tmp_path, capsys):
  command = ["smic", "--out", str(tmp_path / "c"), "--subjects", "1", "--clips-per-subject", "1"]
  assert main([*command, "--size", "32"]) == 0
  assert "written" in capsys.readouterr().out
  assert main([*command, "--size", "32"]) == 0
  assert "already there" in capsys.readouterr().out
  assert main([*command, "--size", "33"]) == 3
  assert "--overwrite" in capsys.readouterr().err
