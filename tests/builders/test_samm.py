"""SAMM: preamble, offsets, names, and clips that have to be repaired or refused."""

import pathlib

import pytest
from corpus_trees import SAMM_CLIPS, SAMM_HEADER, samm, samm_rows, workbook

from data_builders.samm.parse import parse
from mer_jax.errors import DataError


def with_rows(root: pathlib.Path, change) -> pathlib.Path:
  """The corpus with `change(cells)` applied to the row of its first clip."""
  rows = [list(row) for row in samm_rows()]
  cells = dict(zip(SAMM_HEADER, rows[14], strict=True))
  change(cells)
  rows[14] = list(cells.values())
  workbook(root / "SAMM_Micro_FACS_Codes_v2.xlsx", {"MICRO_ONLY": rows})
  return root


def test_reads_below_the_preamble(tmp_path):
  records, report = parse(samm(tmp_path), "frames48")
  assert [r.name for r in records] == [
    "samm/006/006_1_2",
    "samm/006/006_2_1",
    "samm/009/009_3_4",
    "samm/011/011_1_1",
  ]
  assert [r.emotion for r in records] == ["happiness", "others", "anger", "surprise"]
  assert [r.objective_class for r in records] == ["I", "VII", "III", "II"]
  assert [r.action_units for r in records] == ["12+15", "A/L12", "4A/B", "1+2"]
  # 99999 stands before 100000 although the text does not, and 998 is written 00998
  assert records[3].numbers == (99998, 99999, 100000, 100001, 100002)
  assert records[1].numbers == (998, 999, 1000, 1001)
  assert records[2].frames[0].name == "009_3577.jpg"
  assert not report.repaired
  assert not report.refused


@pytest.mark.parametrize("subject", [6, 6.0, "6", " 006 "])
def test_subject_as_number_or_text(tmp_path, subject):
  root = with_rows(samm(tmp_path), lambda cells: cells.update(Subject=subject))
  records, report = parse(root, "frames48")
  assert records[0].subject == "006"
  assert not report.refused


@pytest.mark.parametrize("emotion", ["Other", "Others", "others ", " OTHER"])
def test_other_with_and_without_s(tmp_path, emotion):
  root = with_rows(samm(tmp_path), lambda cells: cells.update({"Estimated Emotion": emotion}))
  records, _ = parse(root, "frames48")
  assert records[0].emotion == "others"


@pytest.mark.parametrize(
  ("offset", "duration", "last", "repaired"),
  [
    ("?", 5, 5566, True),
    (None, 4, 5565, True),
    (5586, 5, 5566, True),  # digits mistaken, no such frame
    (5565, 5, 5565, False),  # exists, so the sheet's own offset stands
    ("?", None, 5566, True),
    (5566, None, 5566, False),
  ],
)
def test_offset_is_rebuilt_from_duration(tmp_path, offset, duration, last, repaired):
  root = with_rows(
    samm(tmp_path), lambda cells: cells.update({"Offset Frame": offset, "Duration": duration})
  )
  records, report = parse(root, "frames48")
  assert records[0].numbers[-1] == last
  assert bool(report.repaired) == repaired


def test_apex_outside_the_span(tmp_path):
  root = with_rows(samm(tmp_path), lambda cells: cells.update({"Apex Frame": 5599}))
  records, report = parse(root, "frames48")
  assert (records[0].apex, records[0].apex_missing) == (2, True)
  assert report.repaired[0]["what"] == "apex 5599"


def test_apex_just_after_the_onset_is_kept(tmp_path):
  root = with_rows(samm(tmp_path), lambda cells: cells.update({"Apex Frame": 5563}))
  records, report = parse(root, "frames48")
  assert (records[0].apex, records[0].apex_missing) == (1, False)
  assert not report.repaired


def test_subject_that_contradicts_the_file_name(tmp_path):
  root = with_rows(samm(tmp_path), lambda cells: cells.update(Subject="007"))
  _, report = parse(root, "frames48")
  assert any("contradicts" in why for why in report.refused.values())


def test_macro_expressions_are_left_out(tmp_path):
  root = with_rows(samm(tmp_path), lambda cells: cells.update(Micro="Macro"))
  records, report = parse(root, "frames48")
  assert len(records) == len(SAMM_CLIPS) - 1
  assert "samm/006/006_1_2" in report.refused  # its folder is there, its row is not


@pytest.mark.parametrize(("tree", "crop"), [("SAMM", True), ("SAMM/SAMM", True), ("crops", False)])
def test_only_trees_called_crop_are_cropped(tmp_path, tree, crop):
  records, _ = parse(samm(tmp_path / "corpus", tree=tree), "frames48")
  assert {record.crop for record in records} == {crop}


@pytest.mark.parametrize("column", ["Subject", "Filename", "Onset Frame"])
def test_renamed_column(tmp_path, column):
  header = tuple(name.upper() + "_2" if name == column else name for name in SAMM_HEADER)
  workbook(
    samm(tmp_path) / "SAMM_Micro_FACS_Codes_v2.xlsx", {"MICRO_ONLY": samm_rows(header=header)}
  )
  with pytest.raises(DataError, match="header on row 14") as error:
    parse(tmp_path, "frames48")
  assert f"no column {column!r}" in str(error.value)
  assert f"Nearest: {column.upper() + '_2'!r}" in str(error.value)


def test_absent_corpus_shows_the_expected_tree(tmp_path):
  with pytest.raises(DataError, match=r"SAMM/006/006_1_2/006_05562\.jpg"):
    parse(tmp_path, "frames48")
