"""The command and what it leaves behind: all of the data and a report, or nothing at all."""

import contextlib
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

import cv2
import numpy as np
import pytest
from corpus_trees import CASME2_HEADER, casme2, casme2_rows, samm, smic, workbook

import data_builders
from data_builders import build, build_report, clip_builder, schema
from mer_jax.clips import PER_CLIP_FIELDS, load_prepared
from mer_jax.errors import ConfigError, DataError, Interrupted, WorkdirError
from mer_jax.runtime import interrupts

WRITERS = {"casme2": casme2, "samm": samm, "smic": smic}


def tree_of(folder: pathlib.Path) -> dict[str, bytes]:
  return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def run(capsys, *argv: object) -> tuple[int, str, str]:
  code = build.main([str(argument) for argument in argv])
  return code, *capsys.readouterr()


@pytest.mark.parametrize("dataset", WRITERS)
@pytest.mark.parametrize("size", [48, 128])
def test_round_trip(tmp_path, dataset, size):
  root = WRITERS[dataset](tmp_path / "corpus")
  config = f"frames{size}"
  report, folder, reused = build.build(dataset, root, tmp_path / "data", config)
  assert folder == tmp_path / "data" / dataset / config / "1.0.0"
  assert not reused
  clips = load_prepared(dataset, config, tmp_path / "data")
  assert clips.frames.shape[1:] == (size, size, 1)
  assert [clips.name(n) for n in range(len(clips))] == sorted(report.kept)
  builder = data_builders.builder_class(dataset)(config=config, data_dir=str(tmp_path / "data"))
  records, _ = builder.survey(root)
  for n, record in enumerate(records):
    for field in set(PER_CLIP_FIELDS) - {"first_frame", "last_frame", "synthetic"}:
      assert getattr(clips, field)[n] == getattr(record, field), field
    assert (clips.first_frame[n], clips.last_frame[n]) == (record.numbers[0], record.numbers[-1])
    for t, path in enumerate(record.frames):
      gray = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
      expected = cv2.resize(gray, (size, size), interpolation=cv2.INTER_AREA)
      np.testing.assert_array_equal(clips.frames_of(n)[t, :, :, 0], expected)
  assert not clips.synthetic.any()


def test_synthetic_mark_reaches_every_clip(tmp_path):
  root = casme2(tmp_path / "corpus")
  (root / schema.SYNTHETIC_MARK).write_text("drawn")
  report, *_ = build.build("casme2", root / "Cropped", tmp_path / "data")
  assert report.synthetic
  assert load_prepared("casme2", "frames48", tmp_path / "data").synthetic.all()


def test_report_on_screen_and_on_disk(tmp_path, capsys):
  root = casme2(tmp_path / "corpus")
  (root / "Cropped/sub01/EP02_01f/reg_img12.jpg").unlink()
  shutil.rmtree(root / "Cropped/sub17")
  code, out, err = run(
    capsys, "casme2", "--manual_dir", root, "--data_dir", tmp_path / "data", "--config", "frames48"
  )
  assert code == 3  # four of five are less than 90 %
  assert err == ""  # no bar without a terminal, no chatter of libraries
  assert "casme2/frames48: 5 clips found, 4 kept (1 of them repaired), 1 refused" in out
  assert "casme2/sub01/EP02_01f: offset 12 -> 11, the last frame present" in out
  assert "casme2/sub17/EP01_01: its clip folder is missing from the tree" in out
  assert "casme2/sub01 2, casme2/sub02 2" in out
  folder = tmp_path / "data" / "casme2" / "frames48" / "1.0.0"
  stored = json.loads((folder / "build_report.json").read_text())
  assert stored["found"] == 5
  assert len(stored["kept"]) == 4
  assert stored["repaired"] == [
    {
      "clip": "casme2/sub01/EP02_01f",
      "what": "offset 12",
      "how": "11, the last frame present",
      "why": "1 frames are absent at the end",
    }
  ]
  assert list(stored["refused"]) == ["casme2/sub17/EP01_01"]
  assert stored["emotions"] == {"happiness": 1, "disgust": 1, "others": 1, "repression": 1}
  assert stored["subjects"] == {"casme2/sub01": 2, "casme2/sub02": 2}
  assert build_report.read(folder).text() in out


def test_second_run_reuses_and_overwrite_replaces(tmp_path, capsys):
  root = casme2(tmp_path / "corpus")
  arguments = ("casme2", "--manual_dir", root, "--data_dir", tmp_path / "data")
  run(capsys, *arguments)
  before = tree_of(tmp_path / "data")
  code, out, _ = run(capsys, *arguments)
  assert code == 0
  assert "reused" in out
  assert "5 clips found" in out
  assert tree_of(tmp_path / "data") == before
  (root / "Cropped/sub01/EP02_01f/reg_img12.jpg").unlink()
  code, _, err = run(capsys, *arguments)
  assert code == 3
  assert "--overwrite" in err
  assert tree_of(tmp_path / "data") == before
  code, out, _ = run(capsys, *arguments, "--overwrite")
  assert code == 0
  assert "reused" not in out
  clips = load_prepared("casme2", "frames48", tmp_path / "data")
  assert clips.num_frames[0] == 4


def test_an_edited_sheet_is_another_corpus(tmp_path):
  root = casme2(tmp_path / "corpus")
  sheet = root / "CASME2-coding-20140508.xlsx"
  sheet.unlink()
  sheet = root / "coding.csv"
  lines = [["" if cell is None else str(cell) for cell in row] for row in casme2_rows()]
  lines[0][2] = lines[0][6] = ""
  sheet.write_text("\n".join(map(",".join, lines)))
  build.build("casme2", root, tmp_path / "data")
  sheet.write_text(sheet.read_text().replace("happiness", "happinesS"))
  with pytest.raises(DataError, match="built from other files"):
    build.build("casme2", root, tmp_path / "data")


def test_data_of_other_options_are_not_reused(tmp_path):
  root = samm(tmp_path / "corpus")
  build.build("samm", root, tmp_path / "data")
  with pytest.raises(DataError, match="built from other options"):
    build.build("samm", root, tmp_path / "data", crop="face")


def test_overwrite_that_fails_keeps_the_old_data(tmp_path):
  root = casme2(tmp_path / "corpus")
  build.build("casme2", root, tmp_path / "data")
  before = tree_of(tmp_path / "data")
  for path in root.rglob("*.jpg"):
    path.write_bytes(path.read_bytes()[:-40])
  with pytest.raises(DataError, match="None of the 5 clips"):
    build.build("casme2", root, tmp_path / "data", overwrite=True)
  assert tree_of(tmp_path / "data") == before


def test_same_input_gives_the_same_bytes(tmp_path):
  root = samm(tmp_path / "corpus")
  for name in ("a", "b"):
    build.build("samm", root, tmp_path / name)
  a, b = tree_of(tmp_path / "a"), tree_of(tmp_path / "b")
  records = [name for name in a if "array_record" in name]
  assert records
  assert all(a[name] == b[name] for name in records)


@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp"])
@pytest.mark.parametrize("cut", [0, 0.1, 0.5, 0.97])
def test_truncated_image_refuses_its_clip(tmp_path, suffix, cut):
  root = casme2(tmp_path / "corpus")
  folder = root / "Cropped/sub02/EP07_11f"
  for path in list(folder.iterdir()):
    assert cv2.imwrite(str(path.with_suffix(f".{suffix}")), cv2.imread(str(path)))
    if suffix != "jpg":
      path.unlink()
  victim = folder / f"reg_img3.{suffix}"
  data = victim.read_bytes()
  victim.write_bytes(data[: int(cut * len(data))])
  report, *_ = build.build("casme2", root, tmp_path / "data")
  assert list(report.refused) == ["casme2/sub02/EP07_11f"]
  assert victim.name in report.refused["casme2/sub02/EP07_11f"]
  assert len(load_prepared("casme2", "frames48", tmp_path / "data")) == 4


def test_frames_of_several_sizes_refuse_the_clip(tmp_path):
  root = casme2(tmp_path / "corpus")
  path = root / "Cropped/sub02/EP07_11f/reg_img3.jpg"
  assert cv2.imwrite(str(path), np.zeros((40, 33), np.uint8))
  report, *_ = build.build("casme2", root, tmp_path / "data")
  assert "reg_img3.jpg is 33x40" in report.refused["casme2/sub02/EP07_11f"]


@pytest.mark.parametrize("fault", ["repair", "refusal", "truncated"])
def test_strict_turns_any_fault_into_an_error(tmp_path, capsys, fault):
  root = casme2(tmp_path / "corpus")
  victim = root / "Cropped/sub01/EP02_01f/reg_img12.jpg"
  if fault == "repair":
    victim.unlink()
  elif fault == "refusal":
    shutil.rmtree(victim.parent)
  else:
    victim.write_bytes(victim.read_bytes()[:-40])
  data = tmp_path / "data"
  arguments = ("casme2", "--manual_dir", root, "--data_dir", data)
  code, out, err = run(capsys, *arguments, "--strict")
  assert (code, out) == (3, "")
  assert "--strict" in err
  assert "casme2/sub01/EP02_01f" in err
  assert not data.exists()
  # and data that were built without it are no way around
  assert run(capsys, *arguments, "--allow-partial")[0] == 0
  assert run(capsys, *arguments, "--strict")[0] == 3


def test_strict_passes_a_sound_corpus(tmp_path):
  report, *_ = build.build("casme2", casme2(tmp_path / "c"), tmp_path / "data", strict=True)
  assert len(report.kept) == 5


def test_failed_build_leaves_what_was_there(tmp_path, capsys):
  data = tmp_path / "data"
  data.mkdir()
  (data / "mine.txt").write_text("mine")
  header = tuple("Start" if n == "OnsetFrame" else n for n in CASME2_HEADER)
  root = casme2(tmp_path / "corpus")
  workbook(root / "CASME2-coding-20140508.xlsx", {"Sheet1": casme2_rows(header=header)})
  code, out, err = run(capsys, "casme2", "--manual_dir", root, "--data_dir", data)
  assert (code, out) == (3, "")
  assert "no column 'OnsetFrame'" in err
  assert "Traceback" not in err
  assert list(data.rglob("*")) == [data / "mine.txt"]


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> pathlib.Path:
  """An empty folder in which temporary files and folders lie."""
  folder = tmp_path / "temporary"
  folder.mkdir()
  monkeypatch.setattr(tempfile, "tempdir", str(folder))
  return folder


@pytest.mark.parametrize("end", ["done", "reused", "refused", "failed", "Ctrl-C"])
def test_no_temporary_folder_stays(tmp_path, temporary, monkeypatch, end):
  root, data = casme2(tmp_path / "corpus"), tmp_path / "data"
  expected, left = contextlib.nullcontext(), set()
  if end == "reused":
    build.build("casme2", root, data)
  if end == "refused":
    (root / "Cropped/sub01/EP02_01f/reg_img12.jpg").unlink()
    expected = pytest.raises(DataError, match="strict")
  if end in ("failed", "Ctrl-C"):
    error = KeyboardInterrupt() if end == "Ctrl-C" else RuntimeError("broken")

    def examples(*_):
      # Whatever lies about when the builder is at work must go.
      left.update(path.name for path in data.rglob(".*.making"))
      raise error

    monkeypatch.setattr(clip_builder.ClipBuilder, "_generate_examples", examples)
    expected = pytest.raises(type(error))
  with expected:
    build.build("casme2", root, data, strict=end == "refused")
  assert bool(left) == (end in ("failed", "Ctrl-C"))
  assert list(temporary.iterdir()) == []
  assert tempfile.tempdir == str(temporary)
  odd = [path for path in tmp_path.rglob("*") if "making" in path.name or "incomplete" in path.name]
  assert odd == []
  assert data.exists() == (end in ("done", "reused"))


@pytest.mark.parametrize("number", interrupts.SIGNALS)
def test_a_signal_leaves_nothing_behind(tmp_path, temporary, monkeypatch, capsys, number):
  before = signal.getsignal(number)

  def examples(*_):
    for _ in range(2):  # schedulers send it to the process and to its group
      signal.raise_signal(number)
    yield from ()

  monkeypatch.setattr(clip_builder.ClipBuilder, "_generate_examples", examples)
  root, data = casme2(tmp_path / "corpus"), tmp_path / "data"
  code, out, err = run(capsys, "casme2", "--manual_dir", root, "--data_dir", data)
  assert (code, out) == (Interrupted.exit_code, "")
  assert "\nstopped: " in err
  assert "same command begins again" in err
  assert not data.exists()
  assert list(temporary.iterdir()) == []
  assert signal.getsignal(number) == before


def test_missing_manual_dir(tmp_path, capsys):
  for dataset in data_builders.BUILDERS:
    code, _, err = run(
      capsys, dataset, "--manual_dir", tmp_path / "nowhere", "--data_dir", tmp_path / "data"
    )
    assert code == 3
    assert str(tmp_path / "nowhere") in err
    assert "MANUAL_DIR" in err
  assert not (tmp_path / "data").exists()


def test_unwritable_data_dir(tmp_path, capsys):
  (tmp_path / "file").write_text("in the way")
  root = casme2(tmp_path / "corpus")
  code, _, err = run(
    capsys, "casme2", "--manual_dir", root, "--data_dir", tmp_path / "file" / "data"
  )
  assert code == WorkdirError.exit_code
  assert "cannot be " in err


def test_unknown_names(tmp_path, capsys):
  code, _, err = run(capsys, "casme", "--manual_dir", tmp_path, "--data_dir", tmp_path)
  assert code == 2
  assert "Did you mean 'casme2'?" in err
  code, _, err = run(
    capsys, "casme2", "--manual_dir", tmp_path, "--data_dir", tmp_path, "--config", "frame48"
  )
  assert code == 2
  assert "Did you mean 'frames48'?" in err
  with pytest.raises(ConfigError, match="Known: all, frames128, frames224, frames48"):
    build.build("samm", tmp_path, tmp_path / "data", "48")
  for spelling in ("CASME2", "CASME II", "casme-ii"):
    assert data_builders.canonical(spelling) == "casme2"
  with pytest.raises(ConfigError, match=r"CAS\(ME\)\^3 .*not supported") as error:
    data_builders.canonical("casme3")
  assert "mean" not in str(error.value)
  with pytest.raises(ConfigError, match="--crop"):
    build.build("samm", samm(tmp_path / "corpus"), tmp_path / "data", crop="yes")


def test_all_configs_at_once(tmp_path, capsys):
  root = smic(tmp_path / "corpus")
  arguments = ("smic", "--manual_dir", root, "--data_dir", tmp_path / "data", "--config", "all")
  assert run(capsys, *arguments)[0] == 0
  configs = sorted(p.parent.parent.name for p in (tmp_path / "data").rglob("dataset_info.json"))
  assert configs == sorted(f"frames{s}{c}" for s in (48, 128, 224) for c in ("", "_vis", "_nir"))


def test_damaged_report_is_named(tmp_path):
  root = casme2(tmp_path / "corpus")
  _, folder, _ = build.build("casme2", root, tmp_path / "data")
  (folder / "build_report.json").write_text("{}")
  with pytest.raises(DataError, match="--overwrite"):
    build.build("casme2", root, tmp_path / "data")


def test_folder_works_with_the_command_of_tfds(tmp_path):
  # What `tfds build` runs; the command itself would import TensorFlow.
  root = samm(tmp_path / "corpus")
  folder = pathlib.Path(data_builders.__file__).parent / "samm"
  arguments = f"{folder} --config frames48 --manual_dir {root} --data_dir {tmp_path / 'data'}"
  program = f"""
import simple_parsing
from absl import flags
from tensorflow_datasets.scripts.cli import build
flags.FLAGS(["tfds"])
parser = simple_parsing.ArgumentParser()
parser.add_arguments(build.Args, dest="args")
parser.parse_args({[*arguments.split(), "--file_format", "array_record"]!r}).args.execute()
"""
  done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
  assert done.returncode == 0, done.stderr
  assert len(load_prepared("samm", "frames48", tmp_path / "data")) == 4
  report = build_report.read(tmp_path / "data" / "samm" / "frames48" / "1.0.0")
  assert len(report.kept) == 4


def test_folders_carry_what_tfds_reads():
  for dataset in data_builders.BUILDERS:
    builder = data_builders.builder_class(dataset)
    metadata = builder.get_metadata()
    assert builder.name == dataset
    assert metadata.description
    assert metadata.citation.startswith("@")
    assert metadata.tags
    assert str(builder.VERSION) in builder.RELEASE_NOTES
    assert "MANUAL_DIR" in builder.MANUAL_DOWNLOAD_INSTRUCTIONS
