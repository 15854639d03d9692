"""Faults of trees and sheets that people have: read rightly, or the build says what it is."""

import csv
import os
import pathlib
import shutil

import cv2
import numpy as np
import openpyxl
import pytest
from corpus_trees import (
  CASME2_CLIPS,
  CASME2_HEADER,
  SAMM_CLIPS,
  SAMM_HEADER,
  casme2,
  casme2_rows,
  image,
  samm,
  samm_rows,
  smic,
  workbook,
)

from data_builders import build
from data_builders.casme2 import parse as casme2_parse
from data_builders.samm import parse as samm_parse
from data_builders.smic import parse as smic_parse
from mer_jax.errors import DataError

NAMES = {f"casme2/sub{s}/{c}" for s, c, *_ in CASME2_CLIPS}
EMOTIONS = {f"casme2/sub{s}/{c}": e for s, c, *_, e in CASME2_CLIPS}
SHEET = "CASME2-coding-20140508.xlsx"


def frames_of(clip) -> range:
  return range(clip[2], clip[4] + 1)


def tree(root: pathlib.Path, pattern: str, clips=CASME2_CLIPS) -> pathlib.Path:
  """CASME II with frames at `pattern` of (subject s, clip c, emotion e, frame n)."""
  workbook(root / SHEET, {"Sheet1": casme2_rows()})
  for k, clip in enumerate(clips):
    for n in frames_of(clip):
      name = pattern.format(s=int(clip[0]), c=clip[1], e=clip[6], n=n)
      image(root / name, 1000 * k + n)
  return root


def labels(records) -> dict[str, str]:
  return {record.name: record.emotion for record in records}


def read(root: pathlib.Path, **options):
  return casme2_parse.parse(root, "frames48", **options)


@pytest.mark.parametrize(
  "pattern",
  [
    "Cropped/s{s:02d}/{c}/reg_img{n}.jpg",
    "Cropped/S{s}/{c}/reg_img{n}.jpg",
    "Cropped/subject{s:02d}/{c}/reg_img{n}.jpg",
    "Cropped/sub_{s:02d}/{c}/reg_img{n}.jpg",
    "Cropped/sub{s:02d}_{c}/reg_img{n}.jpg",
    "Cropped/sub{s:02d}{c}/{n}.png",
    "{e}/sub{s:02d}/{c}/img{n}.jpg",
    "{e}/sub{s:02d}_{c}/img{n}.jpg",
    "faces/sub{s:02d}/{c}_{n}.jpg",
    "faces/sub{s:02d}_{c}-frame{n}.png",
  ],
)
def test_folder_names(tmp_path, pattern):
  records, report = read(tree(tmp_path, pattern))
  assert labels(records) == EMOTIONS
  assert {r.name: (r.numbers[0], r.numbers[-1]) for r in records} == {
    f"casme2/sub{s}/{c}": (a, b) for s, c, a, _, b, *_ in CASME2_CLIPS
  }
  assert not report.refused
  assert report.listed == 5


def test_one_subject_and_a_number_above(tmp_path):
  root = tree(tmp_path / "03" / "my", "CASME2_RAW_selected/sub{s:02d}/{c}/img{n}.jpg")
  records, report = read(root / "CASME2_RAW_selected" / "sub01")
  assert labels(records) == {k: e for k, e in EMOTIONS.items() if "sub01" in k}
  assert records[0].crop
  assert len(report.refused) == 3
  assert labels(read(root)[0]) == EMOTIONS


def test_clips_without_a_subject_belong_to_the_only_row_of_that_name(tmp_path):
  clips = [clip for clip in CASME2_CLIPS if clip[1] != "EP02_01f"]
  records, report = read(tree(tmp_path / "7", "frames/{c}/img{n}.jpg", clips))
  assert labels(records) == {f"casme2/sub{s}/{c}": e for s, c, *_, e in clips}
  assert any("no folder names the subject of 3 clips" in note for note in report.notes)


def test_sheets_of_two_corpora_below_one_root(tmp_path):
  casme2(tmp_path / "CASME2", sheet="CASME2-coding-20190701.xlsx")
  samm(tmp_path / "SAMM")
  records, report = samm_parse.parse(tmp_path, "frames48")
  assert labels(records) == {
    f"samm/{s}/{c}": {"Other": "others"}.get(e, e.lower()) for s, c, *_, e, _ in SAMM_CLIPS
  }
  assert any("CASME2-coding" in note for note in report.notes)
  assert labels(read(tmp_path)[0]) == EMOTIONS


def test_an_edit_that_fits_less_is_left_alone(tmp_path):
  root = casme2(tmp_path)
  groups = {"happiness": "positive", "disgust": "negative", "surprise": "surprise"}
  edited = [(*row[:8], groups.get(row[8], row[8])) for row in casme2_rows()]
  workbook(root / "CASME2-coding-20240101_3class.xlsx", {"Sheet1": edited})
  records, report = read(root)
  assert labels(records) == EMOTIONS
  assert any("3class" in note and "--sheet" in note for note in report.notes)


def test_refusals_are_grouped_the_largest_first(tmp_path):
  rows = [
    *casme2_rows(),
    *(("04", f"EP04_{k:02d}", *[None, 1, 2, 3, None, 4, "fear"]) for k in range(9)),
  ]
  root = casme2(tmp_path)
  rows[1] = (*rows[1][:8], "negative")
  workbook(root / SHEET, {"Sheet1": rows})
  _, report = read(root)
  lines = report.text().splitlines()
  at = next(k for k, line in enumerate(lines) if line.startswith("  refused (10):"))
  assert lines[at + 1].strip() == "9 clips: its clip folder is missing from the tree"
  assert "its emotion is 'negative'" in "\n".join(lines[at + 2 :])


def test_parts_of_one_corpus_are_put_together(tmp_path):
  for part, clips in (("part1", SAMM_CLIPS[:3]), ("part2", SAMM_CLIPS[3:])):
    samm(tmp_path / part, clips, tree="")
    (tmp_path / part / "SAMM_Micro_FACS_Codes_v2.xlsx").unlink()
  workbook(tmp_path / "SAMM_Micro_FACS_Codes_v2.xlsx", {"MICRO_ONLY": samm_rows()})
  records, report = samm_parse.parse(tmp_path, "frames48")
  assert len(records) == len(SAMM_CLIPS)
  assert "part1" in report.source["tree"]
  assert "part2" in report.source["tree"]


def test_a_partial_crop_does_not_hide_the_raw_tree(tmp_path):
  tree(tmp_path, "CASME2_RAW_selected/sub{s:02d}/{c}/img{n}.jpg")
  tree(tmp_path, "my_crop_test/sub{s:02d}/{c}/{n}.jpg", CASME2_CLIPS[:1])
  records, report = read(tmp_path)
  assert labels(records) == EMOTIONS
  assert all(record.crop for record in records)
  assert any("my_crop_test (1 clips)" in note for note in report.notes)


def test_samm_without_subjects_and_smic_without_cameras(tmp_path):
  root = samm(tmp_path / "a")
  flat = root / "SAMM_CROP" / "all"
  for clip in list((root / "SAMM_CROP").glob("*/*")):
    flat.mkdir(exist_ok=True)
    clip.rename(flat / clip.name)
  assert len(samm_parse.parse(root, "frames48")[0]) == len(SAMM_CLIPS)
  records, report = smic_parse.parse(smic(tmp_path / "b", cameras=("",)), "frames48", "hs")
  assert len(records) == 5
  assert {record.fps for record in records} == {100.0}
  assert any("no folder names the camera" in note for note in report.notes)


def test_paths_two_levels_down_are_shown_where_nothing_is_found(tmp_path):
  image(tmp_path / "corpus" / "session_a" / "x.jpg")
  with pytest.raises(DataError, match=r"two levels down: corpus/session_a"):
    read(tmp_path)


@pytest.mark.parametrize("columns", [(1,), (1, 9), (2,)])
def test_merged_cells(tmp_path, columns):
  clips = [(f"{s:02d}", f"EP0{s}_0{k}", 1, 2, 4, 4, "disgust") for s in (1, 2) for k in (1, 2)]
  root = tree(tmp_path, "Cropped/sub{s:02d}/{c}/reg_img{n}.jpg", clips)
  book = openpyxl.Workbook()
  for row in casme2_rows(clips):
    book.active.append(list(row))
  for column in columns:
    book.active.merge_cells(start_row=2, end_row=3, start_column=column, end_column=column)
  book.save(root / SHEET)
  records, report = read(root)
  merged = 2 in columns  # two clips of one name: its frames are the same, so one row repeats
  assert len(records) == (3 if merged else 4)
  assert {record.emotion for record in records} == {"disgust"}
  assert bool(report.refused) == merged


def test_empty_subjects_of_a_csv_take_that_of_the_row_above(tmp_path):
  root = tree(tmp_path, "Cropped/sub{s:02d}/{c}/reg_img{n}.jpg")
  rows = casme2_rows()
  rows[2] = ("", *rows[2][1:])
  as_csv(root, rows, ";", "utf-8")
  # The other subject is written in each of its rows, so nothing was merged: one cell is missing.
  assert "casme2/row 3 of the sheet" in read(root)[1].refused
  rows[4] = ("", *rows[4][1:])
  (root / SHEET).touch()
  as_csv(root, rows, ";", "utf-8")
  records, report = read(root)
  assert labels(records) == EMOTIONS
  assert [r["clip"] for r in report.repaired] == ["casme2/sub01/EP03_02", "casme2/sub02/EP07_11f"]


def as_csv(root, rows, delimiter: str, encoding: str, name: str = "coding.csv") -> None:
  (root / SHEET).unlink()
  with open(root / name, "w", newline="", encoding=encoding) as file:
    csv.writer(file, delimiter=delimiter).writerows(rows)


@pytest.mark.parametrize(
  ("delimiter", "encoding", "name"),
  [
    (";", "utf-8-sig", "coding.csv"),
    ("\t", "utf-8", "coding.csv"),
    ("\t", "utf-16", "coding.txt"),
    (";", "utf-16-le", "coding.csv"),
    ("\t", "latin-1", "coding.tsv"),
    (",", "utf-8", "coding.xls"),
    ("|", "utf-8", "coding.csv"),
  ],
)
def test_dialects(tmp_path, delimiter, encoding, name):
  root = tree(tmp_path, "Cropped/sub{s:02d}/{c}/reg_img{n}.jpg")
  as_csv(root, casme2_rows(), delimiter, encoding, name)
  records, report = read(root)
  assert labels(records) == EMOTIONS
  assert not report.repaired


def test_an_old_workbook_is_named_with_what_to_do(tmp_path):
  root = casme2(tmp_path)
  (root / SHEET).unlink()
  (root / "coding.xls").write_bytes(b"\xd0\xcf\x11\xe0" + bytes(600))
  with pytest.raises(DataError, match=r"coding\.xls.*save it as \.xlsx"):
    read(root)


def test_a_column_of_emotions_by_another_name(tmp_path):
  header = tuple("Label" if name == "Estimated Emotion" else name for name in SAMM_HEADER)
  rows = samm_rows(header=header)
  root = samm(tmp_path)
  workbook(root / "SAMM_Micro_FACS_Codes_v2.xlsx", {"MICRO_ONLY": rows})
  records, report = samm_parse.parse(root, "frames48")
  assert [r.emotion for r in records] == ["happiness", "others", "anger", "surprise"]
  assert any("'Label' is read as the emotion" in note for note in report.notes)
  index = header.index("Label")
  rows = [(*r[:index], k, *r[index + 1 :]) if k > 13 else r for k, r in enumerate(rows)]
  workbook(root / "SAMM_Micro_FACS_Codes_v2.xlsx", {"MICRO_ONLY": rows})
  with pytest.raises(DataError, match="no column 'Estimated Emotion'") as error:
    samm_parse.parse(root, "frames48")
  assert "'Duration'; rename" not in str(error.value)


def test_objective_classes_in_the_sheet(tmp_path):
  root = casme2(tmp_path)
  rows = [(*row, "Objective Classes" if k == 0 else k) for k, row in enumerate(casme2_rows())]
  workbook(root / SHEET, {"Sheet1": rows})
  assert [r.objective_class for r in read(root)[0]] == ["I", "II", "III", "IV", "V"]


def test_key_frames_by_words(tmp_path):
  root = tree(tmp_path, "unused/{n}.txt.jpg", [])
  for k, (s, c, *_) in enumerate(CASME2_CLIPS):
    for n, word in enumerate(("1_onset", "1_apex_frame", "Offset")):
      image(root / f"Cropped/sub{s}/{c}/{word}.png", 10 * k + n)
  records, report = read(root)
  assert labels(records) == EMOTIONS
  assert {tuple(p.stem[-5:] for p in r.frames) for r in records} == {("onset", "frame", "ffset")}
  assert [(r.onset, r.apex, r.offset, r.apex_missing) for r in records] == [(0, 1, 2, False)] * 5
  assert records[0].numbers == (8, 10, 12)
  assert {r["why"] for r in report.repaired} == {"the images are named by words"}


def test_retimed_frames(tmp_path):
  clips = [(s, c, 40, 50, 80, au, e) for s, c, _, _, _, au, e in CASME2_CLIPS]
  root = tmp_path
  for s, c, *_ in clips:
    for n in range(1, 11):
      image(root / f"Cropped/sub{s}/{c}/reg_img{n}.jpg", n)
  workbook(root / SHEET, {"Sheet1": casme2_rows(clips)})
  with pytest.raises(DataError, match=r"hold 10 frames.*--retimed"):
    read(root)
  records, report = read(root, retimed=True)
  assert labels(records) == EMOTIONS
  # 10 of 40 frames behind the onset, so a quarter of the nine steps
  assert {(len(r.frames), r.apex, r.apex_missing) for r in records} == {(10, 2, False)}
  assert {r.fps for r in records} == {200 * 9 / 40}
  assert report.options["retimed"] == "yes"


def video(path: pathlib.Path, frames: int) -> None:
  path.parent.mkdir(parents=True, exist_ok=True)
  writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"FFV1"), 200, (64, 48))
  for n in range(1, frames + 1):
    writer.write(np.full((48, 64, 3), 2 * n, np.uint8))
  writer.release()


def test_videos_in_the_place_of_folders(tmp_path):
  root = tmp_path / "corpus"
  workbook(root / SHEET, {"Sheet1": casme2_rows()})
  for s, c, *_ in CASME2_CLIPS[:4]:
    video(root / "compressed" / f"sub{s}" / f"{c}.avi", 110)
  s, c, first, _, last, *_ = CASME2_CLIPS[4]  # already cut to its span, in a folder
  video(root / "compressed" / f"sub{s}" / c / "clip.mkv", last - first + 1)
  report, folder, _ = build.build("casme2", root, tmp_path / "data", crop="as_is")
  assert set(report.kept) == NAMES
  from mer_jax.clips import load_prepared

  clips = load_prepared("casme2", "frames48", tmp_path / "data")
  for n in range(4):
    means = clips.frames_of(n).mean(axis=(1, 2, 3))
    numbers = np.arange(clips.first_frame[n], clips.last_frame[n] + 1)
    np.testing.assert_allclose(means, 2 * numbers, atol=2)
  assert folder.is_dir()
  (root / "compressed" / "sub01" / "EP02_01f.avi").write_bytes(b"#EXTM3U\n/etc/passwd\n")
  _, refused = read(root)
  assert "no readable video" in refused.refused["casme2/sub01/EP02_01f"]


def test_one_frame_and_a_lost_head_are_said(tmp_path):
  root = casme2(tmp_path / "corpus")
  for path in (root / "Cropped/sub01/EP02_01f").iterdir():
    if path.stem != "reg_img10":
      path.unlink()
  (root / "Cropped/sub01/EP03_02/reg_img98.jpg").unlink()
  still = root / "Cropped/sub17/EP01_01"
  for path in list(still.iterdir())[1:]:
    shutil.copy(next(p for p in still.iterdir() if p != path), path)
  first = sorted(still.iterdir())[0]
  for path in still.iterdir():
    path.write_bytes(first.read_bytes())
  report, *_ = build.build("casme2", root, tmp_path / "data")
  notes = "\n".join(report.notes)
  assert "1 clips hold one frame and so no onset" in notes
  assert "the onset of 2 clips is not the sheet's" in notes
  assert "1 clips show the same image in every frame" in notes
  assert "casme2/sub17/EP01_01" in notes


def test_a_table_of_apexes(tmp_path):
  root = smic(tmp_path)
  table = tmp_path / "apex.csv"
  table.write_text("subject;clip;apex\n1;s1_ne_01;559742\ns01;s01_po_02;1\n9;s9_ne_01;3\n")
  records, report = smic_parse.parse(root, "frames48", "hs", apex=table)
  assert [(r.apex, r.apex_missing) for r in records[:3]] == [(2, False), (2, True), (1, True)]
  assert any("gives the apex of 2 clips" in note for note in report.notes)
  assert any("1 rows of apex.csv left alone" in note for note in report.notes)
  root = casme2(tmp_path / "casme2")
  table.write_text("Subject,Filename,Apex\n1,EP02_01f,9\n")
  records, report = read(root, apex=table)
  assert records[0].apex == 1
  assert report.options["apex"] == str(table)


def test_the_last_line_says_the_share_and_the_exit_code_too(tmp_path, capsys):
  root = casme2(tmp_path / "corpus")
  command = ["casme2", f"--manual_dir={root}", f"--data_dir={tmp_path / 'data'}"]
  assert build.main(command) == 0
  assert capsys.readouterr().out.splitlines()[-1].endswith("became examples (100 %)")
  shutil.rmtree(root / "Cropped/sub17")
  assert build.main([*command, "--overwrite"]) == 3
  last = capsys.readouterr().out.splitlines()[-1]
  assert last.startswith("WARNING: only")
  assert "4 of the 5 clips that the sheet lists became examples (80 %)" in last
  assert build.main(command) == 3  # also of data that are there already
  assert build.main([*command, "--allow-partial"]) == 0


def test_of_sheets_that_fit_alike_the_one_with_the_owners_name_is_read(tmp_path):
  root = casme2(tmp_path)
  other = {"happiness": "surprise", "surprise": "happiness"}
  edited = [(*row[:8], other.get(row[8], row[8])) for row in casme2_rows()]
  workbook(root / f"Copy of {SHEET}", {"Sheet1": edited})
  records, report = read(root)
  assert labels(records) == EMOTIONS
  changed = sum(emotion in other for emotion in EMOTIONS.values())
  assert any(f"{changed} of these clips have another emotion in it" in n for n in report.notes)


@pytest.mark.parametrize(
  ("cell", "expected"),
  [("Class III", "III"), ("iii", "III"), ("3.0", "III"), ("\u2162", "III"), ("bad", ""), ("", "")],
)
def test_objective_classes_as_text(tmp_path, cell, expected):
  header = (*CASME2_HEADER, "Objective Classes")
  root = casme2(tmp_path)
  workbook(root / SHEET, {"Sheet1": [header, *((*row, cell) for row in casme2_rows()[1:])]})
  records, report = read(root)
  assert {record.objective_class for record in records} == {expected}
  assert any("'bad'" in note for note in report.notes) == (cell == "bad")


def test_a_column_of_emotions_by_a_name_without_latin_letters(tmp_path):
  root = casme2(tmp_path)
  header, *rows = casme2_rows()
  workbook(root / SHEET, {"Sheet1": [(*header[:8], "\u60c5\u7eea"), *rows]})
  assert labels(read(root)[0]) == EMOTIONS


def test_a_pipe_in_the_place_of_a_video_is_refused_without_waiting(tmp_path):
  root = tree(tmp_path, "Cropped/sub{s:02d}/{c}/reg_img{n}.jpg")
  subject, clip, *_ = CASME2_CLIPS[0]
  folder = root / f"Cropped/sub{subject}"
  shutil.rmtree(folder / clip)
  os.mkfifo(folder / f"{clip}.avi")
  _, report = read(root)
  assert "is no file" in report.refused[f"casme2/sub{subject}/{clip}"]
