"""CASME II: variants and faults of tree and sheet."""

import pathlib
import shutil

import cv2
import numpy as np
import pytest
from corpus_trees import CASME2_CLIPS, CASME2_HEADER, casme2, casme2_rows, image, workbook

from data_builders.casme2.parse import parse
from mer_jax.errors import DataError


def repairs(report, clip):
  return [(r["what"], r["how"]) for r in report.repaired if r["clip"] == clip]


def by_name(records):
  return {record.name: record for record in records}


def with_rows(root: pathlib.Path, rows) -> pathlib.Path:
  workbook(root / "CASME2-coding-20140508.xlsx", {"Sheet1": rows})
  return root


def changed(index: int, **fields):
  names = ("subject", "clip", "onset", "apex", "offset", "action_units", "emotion")
  clips = [dict(zip(names, clip, strict=True)) for clip in CASME2_CLIPS]
  clips[index] |= fields
  return tuple(tuple(clip.values()) for clip in clips)


def test_reads_a_sound_corpus_without_repairs(tmp_path):
  records, report = parse(casme2(tmp_path), "frames48")
  assert [r.name for r in records] == [
    "casme2/sub01/EP02_01f",
    "casme2/sub01/EP03_02",
    "casme2/sub02/EP02_01f",
    "casme2/sub02/EP07_11f",
    "casme2/sub17/EP01_01",
  ]
  assert not report.repaired
  assert not report.refused
  first, second = records[:2]
  assert [p.name for p in first.frames] == [f"reg_img{n}.jpg" for n in range(8, 13)]
  assert (first.onset, first.apex, first.offset, first.apex_missing) == (0, 2, 4, False)
  assert first.action_units == "12"  # an integer cell
  assert second.numbers == (98, 99, 100, 101, 102, 103)
  assert (first.fps, first.crop) == (200.0, False)


@pytest.mark.parametrize(
  ("tree", "prefix", "crop"),
  [
    ("Cropped/Cropped", "reg_img", False),
    ("Cropped-updated/Cropped", "reg_img", False),
    ("renamed", "reg_img", False),
    ("Cropped", "img", False),
    ("CASME2_RAW_selected/CASME2_RAW_selected", "img", True),
    ("CASME2-RAW", "img", True),
    ("frames", "", True),
  ],
)
def test_finds_every_tree(tmp_path, tree, prefix, crop):
  records, report = parse(casme2(tmp_path / "corpus", tree=tree, prefix=prefix), "frames48")
  assert len(records) == len(CASME2_CLIPS)
  assert {record.crop for record in records} == {crop}
  assert not report.repaired


def test_manual_dir_may_be_the_tree_itself(tmp_path):
  casme2(tmp_path, tree="Cropped/Cropped")
  records, _ = parse(tmp_path / "Cropped" / "Cropped", "frames48")
  assert len(records) == len(CASME2_CLIPS)


def test_cropped_tree_goes_before_raw(tmp_path):
  casme2(tmp_path, tree="CASME2_RAW_selected", prefix="img")
  casme2(tmp_path)
  records, report = parse(tmp_path, "frames48")
  assert not any(record.crop for record in records)
  assert any("CASME2_RAW_selected" in note for note in report.notes)
  records, _ = parse(tmp_path, "frames48", crop="face")
  assert all(record.crop for record in records)


def test_columns_are_found_by_name(tmp_path):
  order = [8, 5, 0, 3, 1, 4, 7]
  rows = [tuple(row[i] for i in order) for row in casme2_rows()]
  header = tuple(name.upper().replace("FRAME", " frame ") for name in rows[0])
  records, report = parse(with_rows(casme2(tmp_path), [header, *rows[1:]]), "frames48")
  assert len(records) == len(CASME2_CLIPS)
  assert not report.repaired


def test_newest_sheet_wins_and_another_can_be_chosen(tmp_path):
  casme2(tmp_path)
  newer = tmp_path / "CASME2-coding-20190701.xlsx"
  rows = [
    (int(r[0]) if i else r[0], *r[1:]) for i, r in enumerate(casme2_rows(changed(0, apex="/")))
  ]
  workbook(newer, {"Sheet1": rows})
  records, report = parse(tmp_path, "frames48")
  assert by_name(records)["casme2/sub01/EP02_01f"].apex_missing
  assert report.source["sheet"] == str(newer)
  assert any("20140508" in note for note in report.notes)
  records, _ = parse(tmp_path, "frames48", sheet=tmp_path / "CASME2-coding-20140508.xlsx")
  assert not by_name(records)["casme2/sub01/EP02_01f"].apex_missing


def test_objective_classes(tmp_path):
  casme2(tmp_path)
  rows = [("Subject", "Filename", "Objective Class"), (1, "EP02_01f", 1), (17, "EP01_01", 7)]
  rows += [("02", "EP02_01f", 8), (None, None, 3)]
  workbook(tmp_path / "CASME2-ObjectiveClasses.xlsx", {"Sheet1": rows, "Sheet2": [(1, 2, 3)] * 10})
  records, report = parse(tmp_path, "frames48")
  assert [r.objective_class for r in records] == ["I", "", "", "", "VII"]
  assert any("row 4" in note for note in report.notes)


@pytest.mark.parametrize(
  ("apex", "index", "missing", "what"),
  [
    ("/", 2, True, "apex /"),
    (None, 2, True, "apex "),
    (" ? ", 2, True, "apex ?"),
    (7, 2, True, "apex 7"),
    (13, 2, True, "apex 13"),
    (8, 2, True, "apex 8"),
    (9.0, 1, False, None),
    ("9", 1, False, None),
    (12, 4, False, None),
  ],
)
def test_apex(tmp_path, apex, index, missing, what):
  root = with_rows(casme2(tmp_path), casme2_rows(changed(0, apex=apex)))
  records, report = parse(root, "frames48")
  assert (records[0].apex, records[0].apex_missing) == (index, missing)
  assert [w for w, _ in repairs(report, records[0].name)] == ([what] if what else [])


def test_frames_absent_at_both_ends_and_between(tmp_path):
  folder = casme2(tmp_path) / "Cropped" / "sub01" / "EP03_02"
  for number in (98, 100, 101, 103):
    (folder / f"reg_img{number}.jpg").unlink()
  records, report = parse(tmp_path, "frames48")
  record = by_name(records)["casme2/sub01/EP03_02"]
  assert record.numbers == (99, 102)
  assert (record.onset, record.apex, record.offset) == (0, 1, 1)
  assert [what for what, _ in repairs(report, record.name)] == [
    "onset 98",
    "offset 103",
    "frames",
    "apex 101",
  ]


def test_frames_outside_the_span_are_cut_off(tmp_path):
  folder = casme2(tmp_path) / "Cropped" / "sub01" / "EP03_02"
  for number in (1, 97, 104, 1000):
    image(folder / f"reg_img{number}.jpg")
  records, report = parse(tmp_path, "frames48")
  assert by_name(records)["casme2/sub01/EP03_02"].numbers == tuple(range(98, 104))
  assert not report.repaired


@pytest.mark.parametrize("start", [0, 1])
def test_frames_numbered_anew(tmp_path, start):
  folder = casme2(tmp_path) / "Cropped" / "sub01" / "EP03_02"
  for number in range(98, 104):
    (folder / f"reg_img{number}.jpg").rename(folder / f"{number - 98 + start}.jpg")
  records, report = parse(tmp_path, "frames48")
  record = by_name(records)["casme2/sub01/EP03_02"]
  assert record.numbers == tuple(range(start, start + 6))
  assert record.apex == 3
  assert len(repairs(report, record.name)) == 1


@pytest.mark.parametrize(
  ("fields", "why"),
  [
    ({"onset": "/"}, "onset"),
    ({"onset": 13}, "before its onset"),
    ({"onset": 500, "apex": 510, "offset": 520}, "none of its frames"),
    ({"emotion": "boredom"}, "boredom"),
    ({"emotion": None}, "emotion"),
    ({"clip": "EP99_99"}, "missing"),
    ({"clip": "notes"}, "EP02_01f"),
    ({"subject": "nobody"}, "nobody"),
  ],
)
def test_refused_rows(tmp_path, fields, why):
  root = with_rows(casme2(tmp_path), casme2_rows(changed(0, **fields)))
  records, report = parse(root, "frames48")
  assert len(records) == len(CASME2_CLIPS) - 1
  assert any(why in reason for reason in report.refused.values())


def test_offset_without_a_number_is_the_last_frame(tmp_path):
  root = with_rows(casme2(tmp_path), casme2_rows(changed(0, offset="/")))
  records, report = parse(root, "frames48")
  assert records[0].numbers[-1] == 12
  assert repairs(report, records[0].name) == [("offset '/'", "12, the last frame present")]


def test_folders_that_are_missing_empty_unlisted_or_hold_rubbish(tmp_path):
  tree = casme2(tmp_path) / "Cropped"
  shutil.rmtree(tree / "sub01" / "EP02_01f")
  for path in (tree / "sub02" / "EP02_01f").iterdir():
    path.unlink()
  (tree / "sub17" / "EP01_01" / "Thumbs.db").write_bytes(b"rubbish")
  (tree / "sub17" / "EP01_01" / "._reg_img50.jpg").write_bytes(b"rubbish")
  image(tree / "sub17" / "EP09_09" / "reg_img1.jpg")
  records, report = parse(tmp_path, "frames48")
  assert len(records) == 3
  assert report.refused == {
    "casme2/sub01/EP02_01f": "its clip folder is missing from the tree",
    "casme2/sub02/EP02_01f": "its folder holds no frame",
    "casme2/sub17/EP09_09": "the sheet has no row for the folder "
    + str(tree / "sub17" / "EP09_09"),
  }
  assert any("Thumbs.db" in note for note in report.notes)
  assert not report.repaired


def test_folder_names_in_another_case(tmp_path):
  tree = casme2(tmp_path) / "Cropped"
  (tree / "sub01" / "EP02_01f").rename(tree / "sub01" / "ep02_01F")
  records, report = parse(tmp_path, "frames48")
  assert records[0].clip == "EP02_01f"
  assert not report.refused


def test_rows_that_repeat_and_rows_that_contradict(tmp_path):
  rows = casme2_rows()
  rows += [rows[1], (*rows[2][:3], 99, *rows[2][4:])]
  records, report = parse(with_rows(casme2(tmp_path), rows), "frames48")
  assert repairs(report, "casme2/sub01/EP02_01f") == [("row 7", "left out")]
  assert "contradict" in report.refused["casme2/sub01/EP03_02"]
  assert len(records) == 4


def test_two_files_for_one_frame(tmp_path):
  tree = casme2(tmp_path) / "Cropped"
  same, other = tree / "sub01" / "EP02_01f", tree / "sub01" / "EP03_02"
  shutil.copy(same / "reg_img9.jpg", same / "copy of reg_img9.jpg")
  image(other / "img99.jpg", seed=77)
  records, report = parse(tmp_path, "frames48")
  assert len(by_name(records)["casme2/sub01/EP02_01f"].frames) == 5
  assert "two files claim frame 99" in report.refused["casme2/sub01/EP03_02"]


def test_lock_files_beside_the_sheet_are_ignored(tmp_path):
  (casme2(tmp_path) / "~$CASME2-coding-20190701.xlsx").write_bytes(b"owner")
  records, _ = parse(tmp_path, "frames48")
  assert len(records) == len(CASME2_CLIPS)


def test_renamed_column_is_named_with_its_nearest(tmp_path):
  header = tuple("OnsetFrm" if name == "OnsetFrame" else name for name in CASME2_HEADER)
  with_rows(casme2(tmp_path), casme2_rows(header=header))
  with pytest.raises(DataError, match=r"no column 'OnsetFrame'.*Nearest: 'OnsetFrm'") as error:
    parse(tmp_path, "frames48")
  assert "Columns found: Subject, Filename, OnsetFrm, ApexFrame" in str(error.value)
  assert "CASME2-coding-20140508.xlsx" in str(error.value)


@pytest.mark.parametrize("content", [b"", b"not a workbook", b"PK\x03\x04 cut off"])
def test_unreadable_sheet(tmp_path, content):
  (casme2(tmp_path) / "CASME2-coding-20140508.xlsx").write_bytes(content)
  with pytest.raises(DataError, match="cannot be read"):
    parse(tmp_path, "frames48")


def test_damaged_newer_sheet_is_not_passed_over(tmp_path):
  (casme2(tmp_path) / "CASME2-coding-20190701.xlsx").write_bytes(b"cut off")
  with pytest.raises(DataError, match=r"20190701.*--sheet|--sheet"):
    parse(tmp_path, "frames48")


def test_absent_corpus_shows_the_expected_tree(tmp_path):
  for folder, what in ((tmp_path / "nowhere", "cannot be read"), (tmp_path, "No clip folder")):
    with pytest.raises(DataError, match=what) as error:
      parse(folder, "frames48")
    assert "Cropped/sub01/EP02_01f/reg_img46.jpg" in str(error.value)
    assert str(folder) in str(error.value)


def test_tree_without_sheet_and_sheet_without_tree(tmp_path):
  (casme2(tmp_path / "a") / "CASME2-coding-20140508.xlsx").unlink()
  with pytest.raises(DataError, match="No coding sheet"):
    parse(tmp_path / "a", "frames48")
  shutil.rmtree(casme2(tmp_path / "b") / "Cropped")
  with pytest.raises(DataError, match="No clip folder"):
    parse(tmp_path / "b", "frames48")


def test_no_clip_left_is_an_error(tmp_path):
  for path in list((casme2(tmp_path) / "Cropped").rglob("*.jpg")):
    path.unlink()
  with pytest.raises(DataError, match="None of the 5 clips"):
    parse(tmp_path, "frames48")


def test_csv_sheet(tmp_path):
  (casme2(tmp_path) / "CASME2-coding-20140508.xlsx").unlink()
  lines = ["Subject,Filename,OnsetFrame,ApexFrame,OffsetFrame,Action Units,Estimated Emotion"]
  lines += [",".join(map(str, clip)) for clip in CASME2_CLIPS]
  text = "\ufeff" + "\r\n".join(lines) + "\r\n,,,,,,\r\n"
  (tmp_path / "coding.csv").write_text(text, encoding="utf-8")
  records, report = parse(tmp_path, "frames48")
  assert len(records) == len(CASME2_CLIPS)
  assert not report.refused


def test_frames_are_decoded_in_the_order_of_their_numbers(tmp_path):
  folder = tmp_path / "Cropped" / "sub01" / "EP02_01f"
  casme2(tmp_path)
  for number in range(8, 13):
    flat = np.full((40, 32), 10 * number, np.uint8)
    assert cv2.imwrite(str(folder / f"reg_img{number}.jpg"), flat)
  records, _ = parse(tmp_path, "frames48")
  values = [int(cv2.imread(str(p), 0)[0, 0]) for p in records[0].frames]
  assert values == sorted(values)
