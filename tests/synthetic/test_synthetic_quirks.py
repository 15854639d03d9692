"""Every planted fault is on disk and in the list, and the rest of the corpus is unchanged."""

import json

import numpy as np
import openpyxl
import pytest
from undrawn_frames import undrawn

from data_builders.synthetic import corpora, plan, truth, write

SMALL = {"subjects": 6, "clips_per_subject": 7, "size": 24, "seed": 4}


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
  root = tmp_path_factory.mktemp("faulty")
  with pytest.MonkeyPatch.context() as patch:
    undrawn(patch)
    for name in corpora.CORPORA:
      write(name, root / name, quirks=True, **SMALL)
  return root


def _planted(root, name):
  listed = json.loads((root / name / "quirks.json").read_text())
  assert listed["skipped"] == []
  return {entry["quirk"]: entry for entry in listed["planted"]}


def _rows(root, name):
  path = next(p for p in (root / name).glob("[CS]*[cC]od*.xlsx"))
  lines = list(openpyxl.load_workbook(path).worksheets[0].values)
  header = 13 if name == "samm" else 0
  rows = [dict(zip(lines[header], line, strict=True)) for line in lines[header + 1 :]]
  return {(int(row["Subject"]), row["Filename"].strip()): row for row in rows}


def _row(root, name, entry):
  digits = "".join(c for c in entry["subject"] if c.isdigit())
  return _rows(root, name)[int(digits), entry["clip"]]


@pytest.mark.parametrize("name", corpora.CORPORA)
def test_each_clip_has_at_most_one_fault_and_treatments_are_known(faulty, name):
  listed = json.loads((faulty / name / "quirks.json").read_text())["planted"]
  clips = [(e["subject"], e["clip"]) for e in listed if e["clip"]]
  assert len(set(clips)) == len(clips) >= 7
  assert {e["treatment"] for e in listed} >= {"kept", "repaired", "refused", "ignored"}
  for entry in listed:
    assert (faulty / name / entry["path"]).exists() == (entry["quirk"] != "missing_folder")


@pytest.mark.parametrize("name", corpora.CORPORA)
def test_damaged_folders(faulty, name):
  planted = _planted(faulty, name)
  folder = {quirk: faulty / name / entry["path"] for quirk, entry in planted.items()}
  assert list(folder["empty_folder"].iterdir()) == []
  junk, cut = sorted(folder["truncated_only"].iterdir(), key=lambda p: p.suffix != ".db")
  assert junk.name == "Thumbs.db"
  intact = next(p for p in folder["frame_gap"].iterdir()).stat().st_size
  assert cut.stat().st_size < 0.6 * intact
  assert {"Thumbs.db", ".DS_Store"} < {p.name for p in folder["stray_files"].iterdir()}
  numbers = sorted(_number(p) for p in folder["frame_gap"].iterdir())
  assert numbers[-1] - numbers[0] + 1 == len(numbers) + 2


def _number(path):
  stem = path.stem
  return int(stem[len(stem.rstrip("0123456789")) :])


@pytest.mark.parametrize("name", ["casme2", "samm"])
def test_frames_against_the_sheet(faulty, name):
  planted, onset, offset = _planted(faulty, name), "Onset Frame", "Offset Frame"
  if name == "casme2":
    onset, offset = "OnsetFrame", "OffsetFrame"

  def span(quirk):
    entry = planted[quirk]
    row = _row(faulty, name, entry)
    numbers = [_number(p) for p in (faulty / name / entry["path"]).iterdir()]
    return min(numbers) - row[onset], max(numbers) - row[offset]

  assert span("last_frames_missing") == (0, -2)
  assert span("first_frames_missing") == (2, 0)
  assert span("extra_frames") == (-1, 1)
  assert span("trailing_blanks") == (0, 0)
  unlisted = planted["unlisted_folder"]
  subject = int("".join(c for c in unlisted["subject"] if c.isdigit()))
  assert (subject, unlisted["clip"]) not in _rows(faulty, name)
  assert any((faulty / name / unlisted["path"]).iterdir())
  assert len(_rows(faulty, name)) == 42 - 1


def test_casme2_cells(faulty):
  planted = _planted(faulty, "casme2")

  def row(quirk):
    return _row(faulty, "casme2", planted[quirk])

  assert row("apex_slash")["ApexFrame"] == "/"
  assert row("apex_outside")["ApexFrame"] > row("apex_outside")["OffsetFrame"]
  assert row("apex_at_onset")["ApexFrame"] == row("apex_at_onset")["OnsetFrame"]
  assert row("apex_at_offset")["ApexFrame"] == row("apex_at_offset")["OffsetFrame"]
  assert isinstance(row("integer_subject")["Subject"], int)
  assert row("trailing_blanks")["Filename"].endswith(" ")
  assert row("unknown_units")["Action Units"] == "?"
  assert row("other_spelling")["Estimated Emotion"] not in corpora.CASME2.emotions
  assert (faulty / "casme2" / "Cropped" / "Cropped" / "sub01").is_dir()
  assert (faulty / "casme2" / "~$CASME2-coding-20140508.xlsx").is_file()


def test_samm_cells_and_names(faulty):
  planted = _planted(faulty, "samm")
  row = _row(faulty, "samm", planted["wrong_offset"])
  assert row["Offset Frame"] - row["Onset Frame"] + 1 != row["Duration"]
  row = _row(faulty, "samm", planted["apex_outside"])
  assert row["Apex Frame"] > row["Offset Frame"]
  assert " or " in _row(faulty, "samm", planted["either_or_units"])["Action Units"]
  four = faulty / "samm" / planted["four_digit_names"]["path"]
  assert all(len(p.stem.split("_")[1]) == 4 for p in four.iterdir())
  renamed = faulty / "samm" / planted["renamed_frames"]["path"]
  assert all(p.name.startswith("img") for p in renamed.iterdir())


def test_smic_names(faulty):
  planted = _planted(faulty, "smic")
  top = faulty / "smic"
  for quirk, digits in (("seven_digits", 7), ("eight_digits", 8)):
    frames = list((top / planted[quirk]["path"]).iterdir())
    assert all(len(str(_number(p))) == digits for p in frames)
  assert all(p.suffix == ".BMP" for p in (top / planted["upper_case_suffix"]["path"]).iterdir())
  assert (top / "SMIC_all_cropped" / "HS" / "s06").is_dir()
  assert not (top / "SMIC_all_cropped" / "HS" / "s6").exists()
  assert (top / "SMIC_all_cropped" / "VIS" / "s6").is_dir()
  assert "non_micro" in planted["non_micro"]["path"]


def test_untouched_clips_are_those_of_the_faultless_corpus(faulty, tmp_path, monkeypatch):
  undrawn(monkeypatch)
  write("smic", tmp_path / "clean", **SMALL)
  assert _compared(tmp_path / "clean", faulty / "smic", subjects=6, each=7, seed=4) >= 25


def test_faults_do_not_change_what_is_drawn(tmp_path):
  """The same with drawn frames, which follow the streams of the corpus."""
  small = {"subjects": 3, "clips_per_subject": 3, "size": 24, "seed": 4}
  write("smic", tmp_path / "clean", **small)
  write("smic", tmp_path / "faulty", quirks=True, **small)
  assert _compared(tmp_path / "clean", tmp_path / "faulty", subjects=3, each=3, seed=4) >= 2


def _compared(clean, faulty, subjects, each, seed):
  """How many untouched clips of `faulty` have the bytes and the truth of those of `clean`."""
  listed = json.loads((faulty / "quirks.json").read_text())["planted"]
  touched = {entry["path"] for entry in listed}
  compared = 0
  for clip in plan.plan(corpora.SMIC, subjects, each, seed, "cropped"):
    # The folder of the last subject is renamed.
    if clip.subject != subjects and clip.folder.as_posix() not in touched:
      frames = sorted(path.name for path in (clean / clip.folder).iterdir())
      assert frames == sorted(path.name for path in (faulty / clip.folder).iterdir())
      for name in frames:
        assert (clean / clip.folder / name).read_bytes() == (
          faulty / clip.folder / name
        ).read_bytes()
      first, second = truth.load(clean / clip.truth), truth.load(faulty / clip.truth)
      assert all(np.array_equal(first[key], second[key]) for key in first)
      compared += 1
  return compared


@pytest.mark.parametrize("name", corpora.CORPORA)
@pytest.mark.parametrize(("subjects", "each"), [(1, 1), (1, 2), (2, 2)])
def test_tiny_corpora_skip_what_they_have_no_room_for(tmp_path, name, subjects, each):
  write(name, tmp_path / "c", quirks=True, size=16, subjects=subjects, clips_per_subject=each)
  listed = json.loads((tmp_path / "c" / "quirks.json").read_text())
  assert listed["skipped"]
  assert sum(bool(e["clip"]) for e in listed["planted"]) <= subjects * each // 2
